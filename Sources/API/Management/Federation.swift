import Exposition
import HTTP
import Model
import Platform
import PromQL

/// `/federate`: the newest sample of each matching series, in the text format.
struct Federation: Sendable {
    let context: APIContext
    /// About what a series takes in the list of the newest samples, its order and the text.
    private static let bytesPerSeries = 768

    func handle(_ request: HTTPRequest) -> HTTPResponse {
        let selectors: [[Matcher]]
        do throws(APIError) {
            selectors = try Parameters.selectors(request)
        } catch {
            return .text(error.message + "\n", status: 400)
        }
        let lookback = context.engine.options.lookbackDelta
        let now = context.clock.now()
        var newest: [Labels: (time: Int64, value: Double)] = [:]
        let memory = context.engine.account()
        var count = 0
        do {
            var samples = SampleColumns()
            for matchers in selectors {
                let set = try context.source.select(
                    SelectRequest(matchers: matchers, minTime: now - lookback + 1, maxTime: now, newestOnly: true))
                count += set.count
                try memory.charge(set.heldBytes + set.count * Self.bytesPerSeries)
                for index in 0..<set.count {
                    if index & 1023 == 0, request.isPeerGone() { return .text("client is gone\n", status: 499) }
                    try set.read(index, into: &samples)
                    // Native histograms have no place in the text format.
                    guard samples.count > 0, samples.histograms.isEmpty else { continue }
                    let value = samples.values[samples.count - 1]
                    if !Staleness.isMarker(value) {
                        newest[set.labels(index)] = (samples.timestamps[samples.count - 1], value)
                    }
                }
            }
        } catch let excess as BudgetExcess {
            return .text(excess.message(series: count) + "\n", status: 503)
        } catch {
            return .text("\(error)\n", status: 500)
        }
        let external = context.externalLabels().pairs
        let negotiation = ExpositionNegotiation(accept: request.header("Accept") ?? "", allowsOpenMetrics: false)
        var writer = ExpositionWriter(isOpenMetrics: false, escaping: negotiation.escaping)
        var family = ""
        let ordered = newest.sorted { a, b in
            let (x, y) = (a.key.metricName, b.key.metricName)
            return x != y ? x.utf8.lexicographicallyPrecedes(y.utf8) : a.key < b.key
        }
        for (labels, sample) in ordered {
            let name = labels.metricName
            if name.isEmpty { continue }
            if name != family {
                writer.family(name, .unknown)
                family = name
            }
            var builder = LabelsBuilder(labels)
            for label in external where builder.get(label.name).isEmpty { builder.set(label.name, label.value) }
            var shown = builder.labels().pairs.filter { $0.name != Labels.nameLabel }.map {
                (name: $0.name, value: $0.value)
            }
            // An empty instance tells the scraper that honours labels not to put its own there.
            if !shown.contains(where: { $0.name == "instance" }) { shown.append((name: "instance", value: "")) }
            writer.sample(name, shown, value: sample.value, timestamp: sample.time)
        }
        var response = HTTPResponse(headers: [("Content-Type", negotiation.contentType)], body: writer.finish())
        memory.settle(response.body.count)
        response.keeps = memory
        return response
    }
}
