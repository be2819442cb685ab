import Model
import PromQL
import TestSupport
import Testing

@Suite("Printed series")
struct SeriesPrintingTests {
    @Test("whatever a series is called, its text is an expression that selects it")
    func roundTrip() throws {
        let seed = SeededRandom.runSeed
        var random = SeededRandom(seed: seed)
        for round in 0..<2000 {
            let labels = SeriesNames.any(using: &random)
            #expect(
                try PromQLParser.parseSeries(labels.metricDescription) == labels,
                "seed \(seed), round \(round): \(labels.metricDescription)")
            #expect(try PromQLParser.parseSeries(labels.description) == labels, "seed \(seed), round \(round)")
            let matchers = labels.pairs.map { Matcher(name: $0.name, equals: $0.value) }
            let text = "{" + matchers.map(\.description).joined(separator: ",") + "}"
            #expect(try PromQLParser.parseSelector(text) == matchers, "seed \(seed), round \(round): \(text)")
        }
    }
}
