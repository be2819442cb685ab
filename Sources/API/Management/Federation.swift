import Exposition
import HTTP
import Model
import Platform
import PromQL
import Telemetry

/// `/federate`: the newest sample of each matching series.
struct Federation: Sendable {
    let context: APIContext
    private let errors: Counter
    private let warnings: Counter
    /// The approximate memory of a series in the list of the newest samples, in its order and in the text.
    private static let bytesPerSeries = 768

    private enum Value {
        case float(Double)
        case histogram(FloatHistogram)
    }
    private typealias Newest = [Labels: (time: Int64, value: Value)]

    init(context: APIContext) {
        self.context = context
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
        for text in request.parameters("match[]") {
            do throws(ParseError) {
                selectors.append(try PromQLParser.parseSelector(text))
            } catch {
                return .text("\(error)\n", status: 400)
            }
        }
        let memory = context.engine.account()
        var count = 0
        var newest: Newest = [:]
        do {
            for matchers in selectors {
                guard try find(matchers, request, memory, &count, &newest) else { return Self.leave(context) }
            }
        } catch let excess as MemoryLimitExceeded {
            errors.increment()
            return .text(excess.message(series: count) + "\n", status: 503)
        } catch QueryError.canceled {
            return Self.leave(context)
        } catch {
            errors.increment()
            return .text("\(error)\n", status: 500)
        }
        let negotiation = ExpositionNegotiation(accept: request.header("Accept") ?? "", allowsOpenMetrics: false)
        var response = HTTPResponse(
            headers: [("Content-Type", negotiation.contentType)],
            body: negotiation.format == .protobuf
                ? protobuf(newest, negotiation.escaping) : text(newest, negotiation.escaping))
        memory.settle(response.body.count)
        response.keeps = memory
        return response
    }

    /// The answer after the client has disconnected or the server ends.
    private static func leave(_ context: APIContext) -> HTTPResponse {
        context.control.isStopping ? .text("the server ends\n", status: 503) : .text("client is gone\n", status: 499)
    }

    /// Adds the newest samples of the matching series; returns false if the client has disconnected or the server ends.
    private func find(
        _ matchers: [Matcher], _ request: HTTPRequest, _ memory: MemoryAccount, _ count: inout Int,
        _ newest: inout Newest
    ) throws -> Bool {
        let now = context.clock.now()
        let deadline = RequestDeadline(request, context.engine)
        var samples = SampleColumns()
        let set = try context.source.select(
            SelectRequest(
                matchers: matchers, minTime: now - context.engine.options.lookbackDelta + 1, maxTime: now,
                newestOnly: true, check: { try deadline.check() }))
        count += set.count
        try memory.charge(set.heldBytes + set.count * Self.bytesPerSeries)
        for index in 0..<set.count {
            if index & 1023 == 0, request.isCancelled() { return false }
            try set.read(index, into: &samples)
            guard samples.count > 0 else { continue }
            let (time, value) = (samples.timestamps[samples.count - 1], samples.values[samples.count - 1])
            if let last = samples.histograms.last, last.index == samples.count - 1 {
                if Staleness.isMarker(last.histogram.sum) { continue }
                newest[set.labels(index)] = (time, .histogram(last.histogram))
            } else if !Staleness.isMarker(value) {
                newest[set.labels(index)] = (time, .float(value))
            }
        }
        return true
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

    private func text(_ newest: Newest, _ escaping: NameEscaping) -> [UInt8] {
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
                for bucket in histogram.classicBuckets {
                    writer.sample(
                        name + "_bucket", shown + [(name: "le", value: FloatText.general(bucket.bound))],
                        value: bucket.count, timestamp: sample.time)
                }
                writer.sample(name + "_sum", shown, value: histogram.sum, timestamp: sample.time)
                writer.sample(name + "_count", shown, value: histogram.count, timestamp: sample.time)
            }
        }
        return writer.finish()
    }

    private func protobuf(_ newest: Newest, _ escaping: NameEscaping) -> [UInt8] {
        var writer = ProtobufWriter(escaping: escaping)
        var family: (name: String, type: MetricType) = ("", .unknown)
        let external = external
        for (labels, sample) in ordered(newest) {
            let name = labels.metricName
            let type: MetricType
            let value: ProtobufWriter.Value
            switch sample.value {
            case .float(let number): (type, value) = (.unknown, .untyped(number))
            case .histogram(let histogram):
                type = histogram.resetHint == .gauge ? .gaugeHistogram : .histogram
                value =
                    histogram.usesCustomBuckets
                    ? .histogram(count: histogram.count, sum: histogram.sum, buckets: histogram.classicBuckets)
                    : .native(histogram)
            }
            if family != (name, type) {
                family = (name, type)
                writer.family(name, type)
            }
            writer.metric(shown(labels, external), value, timestamp: sample.time)
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
