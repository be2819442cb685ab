import Exposition
import HTTP
import Model
import Platform
import PromQL
import Telemetry

/// `/federate`: the newest sample of each matching series.
struct Federation: Sendable {
    let context: APIContext
    let admission: QueryAdmission
    private let errors: Counter
    private let warnings: Counter
    /// The approximate memory of a series in the list of the newest samples, in its order and in the text.
    private static let bytesPerSeries = 768
    /// The work to read a series, in the unit of bytes.
    private static let workPerSeries = 1024
    /// The memory of a histogram's forms while it is written, as a multiple of its own: the list of its buckets, and
    /// the messages that hold each other.
    private static let formsOfHistogram = 8

    private enum Value {
        case float(Double)
        case histogram(FloatHistogram)
    }
    private typealias Newest = [Labels: (time: Int64, value: Value)]

    init(context: APIContext, admission: QueryAdmission) {
        self.context = context
        self.admission = admission
        errors = context.metrics.counter(
            "prometheus_web_federation_errors_total",
            "Total number of errors that occurred while sending federation responses.")
        warnings = context.metrics.counter(
            "prometheus_web_federation_warnings_total",
            "Total number of warnings that occurred while sending federation responses.")
    }

    func handle(_ request: HTTPRequest) -> HTTPResponse {
        if let problem = request.parameterProblem {
            return .text("\(Parameters.unreadableForm): \(problem)\n", status: 400)
        }
        var selectors: [[Matcher]] = []
        let budget = context.engine.syntaxBudget(request)
        for text in request.parameters("match[]") {
            do throws(ParseError) {
                selectors.append(try PromQLParser.parseSelector(text, budget: budget))
            } catch {
                if let failure = budget.queryError { return refusal(failure) }
                return .text("\(error)\n", status: 400)
            }
        }
        let answer = AnswerAccount(request, context.engine)
        let negotiation = ExpositionNegotiation(accept: request.header("Accept") ?? "", allowsOpenMetrics: false)
        var count = 0
        do {
            let body = try admission.run(.federation, request, context.engine) {
                var newest: Newest = [:]
                for matchers in selectors { try find(matchers, answer, &count, &newest) }
                return negotiation.format == .protobuf
                    ? try protobuf(newest, negotiation.escaping, answer)
                    : try text(newest, negotiation.escaping, answer)
            }
            return answer.kept(HTTPResponse(headers: [("Content-Type", negotiation.contentType)], body: body))
        } catch let excess as MemoryLimitExceeded {
            errors.increment()
            return .text(excess.message(series: count) + "\n", status: 503)
        } catch let error as QueryError {
            return refusal(error)
        } catch {
            errors.increment()
            return .text("\(error)\n", status: 500)
        }
    }

    /// The answer for an error of a limit.
    private func refusal(_ error: QueryError) -> HTTPResponse {
        if case .canceled = error { return Self.leave(context) }
        errors.increment()
        if case .storage(let text) = error { return .text(text + "\n", status: 500) }
        return .text("\(error)\n", status: 503)
    }

    /// The answer after the client has disconnected or the server ends.
    private static func leave(_ context: APIContext) -> HTTPResponse {
        context.control.isStopping ? .text("the server ends\n", status: 503) : .text("client is gone\n", status: 499)
    }

    /// Adds the newest samples of the matching series.
    private func find(
        _ matchers: [Matcher], _ answer: AnswerAccount, _ count: inout Int, _ newest: inout Newest
    ) throws {
        let now = context.clock.now()
        let (memory, deadline) = (answer.memory, answer.deadline)
        let before = memory.used
        var samples = SampleColumns()
        let set = try context.source.select(
            SelectRequest(
                matchers: matchers, minTime: now - context.engine.options.lookbackDelta + 1, maxTime: now,
                newestOnly: true, charge: { try memory.charge($0) }, check: { try deadline.check() }))
        count += set.count
        // A source may have charged the set already.
        try memory.charge(max(0, set.heldBytes - (memory.used - before)) + set.count * Self.bytesPerSeries)
        for index in 0..<set.count {
            try answer.work(Self.workPerSeries + samples.heldBytes)
            try set.read(index, into: &samples)
            guard samples.count > 0 else { continue }
            let labels = set.labels(index)
            try memory.charge(labels.bytes.count)
            let (time, value) = (samples.timestamps[samples.count - 1], samples.values[samples.count - 1])
            if let last = samples.histograms.last, last.index == samples.count - 1 {
                if Staleness.isMarker(last.histogram.sum) { continue }
                try memory.charge(Self.bytes(last.histogram))
                newest[labels] = (time, .histogram(last.histogram))
            } else if !Staleness.isMarker(value) {
                newest[labels] = (time, .float(value))
            }
        }
    }

    /// The bytes of a histogram.
    private static func bytes(_ histogram: FloatHistogram) -> Int { histogram.sampleCost * 16 }

    /// Writes a histogram, for which the account is charged with the memory of its forms on the way to the body.
    private static func writing(
        _ histogram: FloatHistogram, _ answer: AnswerAccount, _ write: () throws -> Void
    ) throws {
        let bytes = bytes(histogram) * formsOfHistogram
        try answer.memory.charge(bytes)
        defer { answer.memory.release(bytes) }
        try answer.work(bytes)
        try write()
    }

    private func ordered(_ newest: Newest) -> [(key: Labels, value: (time: Int64, value: Value))] {
        newest.filter { !$0.key.metricName.isEmpty }.sorted { a, b in
            let (x, y) = (a.key.metricName, b.key.metricName)
            return !x.isExactly(y) ? x.isExactlyBefore(y) : a.key < b.key
        }
    }

    /// The labels of a series, then the external labels that it does not have.
    private func shown(_ labels: Labels, _ external: [(name: String, value: String)]) -> [(name: String, value: String)]
    {
        var shown = labels.pairs.filter { $0.name != Labels.nameLabel }.map { (name: $0.name, value: $0.value) }
        for label in external where labels[label.name] == nil { shown.append(label) }
        return shown
    }

    /// The external labels, by name.
    ///
    /// An empty instance makes a scraper with `honor_labels` not add its own.
    private var external: [(name: String, value: String)] {
        var labels = context.control.externalLabels.pairs.map { (name: $0.name, value: $0.value) }
        if !labels.contains(where: { $0.name == "instance" }) { labels.append((name: "instance", value: "")) }
        return labels.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    private func text(_ newest: Newest, _ escaping: NameEscaping, _ answer: AnswerAccount) throws -> [UInt8] {
        var writer = ExpositionWriter(isOpenMetrics: false, escaping: escaping)
        var family: (name: String, type: MetricType) = ("", .unknown)
        let external = external
        for (labels, sample) in ordered(newest) {
            let name = labels.metricName
            let shown = shown(labels, external)
            func begin(_ type: MetricType) {
                if family.name.isExactly(name), family.type == type { return }
                family = (name, type)
                writer.family(name, type)
            }
            switch sample.value {
            case .float(let value):
                begin(.unknown)
                writer.sample(name, shown, value: value, timestamp: sample.time)
            case .histogram(let histogram):
                // The text format cannot express exponential histograms.
                guard histogram.usesCustomBuckets else { continue }
                begin(histogram.resetHint == .gauge ? .gaugeHistogram : .histogram)
                try Self.writing(histogram, answer) {
                    for bucket in histogram.classicBuckets {
                        writer.sample(
                            name + "_bucket", shown + [(name: "le", value: FloatText.general(bucket.bound))],
                            value: bucket.count, timestamp: sample.time)
                        try answer.grew(to: writer.bytes.count)
                    }
                }
                writer.sample(name + "_sum", shown, value: histogram.sum, timestamp: sample.time)
                writer.sample(name + "_count", shown, value: histogram.count, timestamp: sample.time)
            }
            try answer.work(Self.workPerSeries)
            try answer.grew(to: writer.bytes.count)
        }
        return writer.finish()
    }

    private func protobuf(_ newest: Newest, _ escaping: NameEscaping, _ answer: AnswerAccount) throws -> [UInt8] {
        var writer = ProtobufWriter(escaping: escaping)
        var family: (name: String, type: MetricType) = ("", .unknown)
        let external = external
        for (labels, sample) in ordered(newest) {
            let name = labels.metricName
            func write(_ type: MetricType, _ value: ProtobufWriter.Value) throws {
                if family != (name, type) {
                    family = (name, type)
                    writer.family(name, type)
                }
                writer.metric(shown(labels, external), value, timestamp: sample.time)
                try answer.work(Self.workPerSeries)
                try answer.grew(to: writer.byteCount)
            }
            switch sample.value {
            case .float(let number): try write(.unknown, .untyped(number))
            case .histogram(let histogram):
                try Self.writing(histogram, answer) {
                    try write(
                        histogram.resetHint == .gauge ? .gaugeHistogram : .histogram,
                        histogram.usesCustomBuckets
                            ? .histogram(count: histogram.count, sum: histogram.sum, buckets: histogram.classicBuckets)
                            : .native(histogram))
                }
            }
        }
        return writer.finish()
    }
}

extension FloatHistogram {
    /// The cumulative buckets of a histogram with custom bounds, with +Inf.
    fileprivate var classicBuckets: [(bound: Double, count: Double)] {
        var counts = [Double](repeating: 0, count: customBounds.count + 1)
        var (index, position) = (0, 0)
        for span in positiveSpans {
            index += Int(span.offset)
            for _ in 0..<span.length {
                if counts.indices.contains(index), position < positiveBuckets.count {
                    counts[index] += positiveBuckets[position]
                }
                (index, position) = (index + 1, position + 1)
            }
        }
        var total = 0.0
        return counts.enumerated().map { at, count in
            total += count
            return (
                at < customBounds.count ? customBounds[at] : .infinity, at < customBounds.count ? total : self.count
            )
        }
    }
}
