import Exposition
import HTTP
import Model
import Telemetry

/// `/metrics`: the daemon's own metrics.
struct OwnMetrics: Sendable {
    let registry: MetricRegistry

    func handle(_ request: HTTPRequest) -> HTTPResponse {
        let negotiation = ExpositionNegotiation(accept: request.header("Accept") ?? "")
        var writer = ExpositionWriter(isOpenMetrics: negotiation.isOpenMetrics, escaping: negotiation.escaping)
        for family in registry.families() where !family.samples.isEmpty {
            writer.family(family.name, Self.type(family.kind), help: family.help)
            for sample in family.samples {
                writer.sample(family.name + sample.suffix, sample.labels, value: sample.value)
            }
        }
        return HTTPResponse(headers: [("Content-Type", negotiation.contentType)], body: writer.finish())
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
