import Config
import Model
import Platform
import Scrape
import Telemetry
import TestSupport
import Testing

/// Scrapes pages that change at random and compares what is stored with a naive reading.
@Suite("Scrape template")
struct ScrapeTemplateTests {
    @Test("whatever moves, comes or goes, the store holds what the pages said", arguments: [UInt64(1), 2, 3, 4])
    func random(_ seed: UInt64) throws { try check(seed, try ScrapeManagerTests.Rig(""), typed: false) }

    @Test(
        "types that come, go and change are nothing to series that do not show them", arguments: [UInt64(5), 6, 7, 8])
    func randomTypes(_ seed: UInt64) throws {
        var options = ScrapeOptions()
        options.features.typeAndUnitLabels = true
        let job = "    metric_relabel_configs: [{action: labeldrop, regex: __type__}]"
        try check(seed, try ScrapeManagerTests.Rig("", job: job, options: options), typed: true)
    }

    private func check(_ seed: UInt64, _ rig: ScrapeManagerTests.Rig, typed: Bool) throws {
        var random = SeededRandom(seed: seed)
        var present = (0..<40).map { "s\($0)" }
        var expected: [String: [Double?]] = [:]
        var before: Set<String> = []
        var nextName = 40
        for round in 0..<25 {
            switch Int.random(in: 0..<6, using: &random) {
            case 0: present.shuffle(using: &random)
            case 1: present.removeAll { _ in Int.random(in: 0..<5, using: &random) == 0 }
            case 2:
                for _ in 0..<5 {
                    present.insert("s\(nextName)", at: Int.random(in: 0...present.count, using: &random))
                    nextName += 1
                }
            case 3:
                // Some that were there long ago come back.
                for name in expected.keys.sorted().shuffled(using: &random).prefix(3) where !present.contains(name) {
                    present.append(name)
                }
            case 4 where present.count > 2: present.swapAt(0, present.count - 1)
            default: break
            }
            let fails = Int.random(in: 0..<8, using: &random) == 0
            var page = ""
            for (index, name) in present.enumerated() {
                if typed, Int.random(in: 0..<3, using: &random) == 0 {
                    let type = ["counter", "gauge", "untyped"].randomElement(using: &random) ?? "gauge"
                    page += "# TYPE \(Bool.random(using: &random) ? name : "other") \(type)\n"
                }
                page += "\(name){l=\"v\"} \(round * 1000 + index)\n"
                if !fails { expected[name, default: []].append(Double(round * 1000 + index)) }
            }
            if fails { page += "broken{\n" }
            for name in before where fails || !present.contains(name) { expected[name, default: []].append(nil) }
            before = fails ? [] : Set(present)
            rig.scrape(page)
        }
        for (name, values) in expected {
            let found = rig.values("\(name){instance=\"here\", job=\"test\", l=\"v\"}")
            #expect(found == values, "seed \(seed), series \(name)")
        }
    }
}
