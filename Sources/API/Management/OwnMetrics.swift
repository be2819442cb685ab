import Exposition
import HTTP
import Model
import Telemetry

/// `/metrics`: the daemon's own metrics.
struct OwnMetrics: Sendable {
    let registry: MetricRegistry
    private let answers: [Int: Counter]
    private let inFlight: Gauge
    /// The bytes of answers that clients have not received yet.
    ///
    /// Queries have another limit, so that the metrics are there when that one is reached.
    private let unsent: ByteBudget

    /// The bytes of all answers that clients have not received yet.
    static let mostUnsent = 64 << 20

    init(registry: MetricRegistry, mostUnsent: Int = mostUnsent) {
        self.registry = registry
        unsent = ByteBudget(limit: mostUnsent)
        var answers: [Int: Counter] = [:]
        for code in [200, 500, 503] {
            answers[code] = registry.counter(
                "promhttp_metric_handler_requests_total",
                "Total number of scrapes by HTTP status code.", ["code": "\(code)"])
        }
        self.answers = answers
        inFlight = registry.gauge(
            "promhttp_metric_handler_requests_in_flight", "Current number of scrapes being served.")
    }

    func handle(_ request: HTTPRequest) -> HTTPResponse {
        inFlight.add(1)
        defer { inFlight.add(-1) }
        let negotiation = ExpositionNegotiation(accept: request.header("Accept") ?? "")
        let families = registry.families().filter { !$0.samples.isEmpty }
        let body = negotiation.format == .protobuf ? protobuf(families, negotiation) : text(families, negotiation)
        let held = UnsentAnswer(unsent)
        // It may be compressed before it is sent.
        guard held.share.grow(to: body.count + body.count / 8) else {
            answers[503]?.increment()
            return .text(
                "Too many clients do not read the metrics that they asked for; try again later.\n", status: 503)
        }
        answers[200]?.increment()
        var response = HTTPResponse(headers: [("Content-Type", negotiation.contentType)], body: body)
        response.keeps = held
        return response
    }

    private func text(_ families: [MetricFamily], _ negotiation: ExpositionNegotiation) -> [UInt8] {
        var writer = ExpositionWriter(
            isOpenMetrics: negotiation.format == .openMetrics, escaping: negotiation.escaping)
        for family in families {
            writer.family(family.name, Self.type(family.kind), help: family.help)
            for sample in family.samples {
                writer.sample(family.name + sample.suffix, sample.labels.map(Self.label), value: sample.value)
            }
        }
        return writer.finish()
    }

    /// A label in the text format: bounds are numbers without unnecessary digits.
    private static func label(_ label: (name: String, value: String)) -> (name: String, value: String) {
        guard label.name == "le" || label.name == "quantile", let number = Double(label.value) else { return label }
        return (label.name, FloatText.general(number))
    }

    private func protobuf(_ families: [MetricFamily], _ negotiation: ExpositionNegotiation) -> [UInt8] {
        var writer = ProtobufWriter(escaping: negotiation.escaping)
        for family in families {
            writer.family(family.name, Self.type(family.kind), help: family.help)
            switch family.kind {
            case .counter: for sample in family.samples { writer.metric(sample.labels, .counter(sample.value)) }
            case .gauge: for sample in family.samples { writer.metric(sample.labels, .gauge(sample.value)) }
            case .histogram, .summary:
                for metric in CompoundMetric.all(family.samples) {
                    writer.metric(
                        metric.labels,
                        family.kind == .summary
                            ? .summary(
                                count: UInt64(exactly: metric.count) ?? 0, sum: metric.sum,
                                quantiles: metric.parts.map { (quantile: $0.bound, value: $0.value) })
                            : .histogram(
                                count: metric.count, sum: metric.sum,
                                buckets: metric.parts.map { (bound: $0.bound, count: $0.value) }))
                }
            }
        }
        return writer.finish()
    }

    private static func type(_ kind: MetricFamily.Kind) -> MetricType {
        switch kind {
        case .counter: .counter
        case .gauge: .gauge
        case .histogram: .histogram
        case .summary: .summary
        }
    }
}

/// The memory of an answer, released after the answer was sent.
private final class UnsentAnswer: Sendable {
    let share: BudgetShare

    init(_ budget: ByteBudget) { share = BudgetShare(budget) }

    deinit { share.release() }
}

/// A histogram or summary, built from its lines.
struct CompoundMetric {
    var labels: [(name: String, value: String)]
    /// The buckets or quantiles.
    var parts: [(bound: Double, value: Double)] = []
    var sum = 0.0
    var count = 0.0

    /// The metrics of a family, whose lines are consecutive.
    static func all(_ samples: [MetricFamily.Sample]) -> [CompoundMetric] {
        var result: [CompoundMetric] = []
        for sample in samples {
            var bound: Double?
            let labels = sample.labels.filter { label in
                guard label.name == "le" || label.name == "quantile" else { return true }
                bound = Double(label.value)
                return false
            }
            let isSame = result.last?.labels.elementsEqual(labels) {
                $0.name.isExactly($1.name) && $0.value.isExactly($1.value)
            }
            if isSame != true { result.append(CompoundMetric(labels: labels)) }
            let at = result.count - 1
            switch sample.suffix {
            case "_sum": result[at].sum = sample.value
            case "_count": result[at].count = sample.value
            default: if let bound { result[at].parts.append((bound, sample.value)) }
            }
        }
        return result
    }
}
