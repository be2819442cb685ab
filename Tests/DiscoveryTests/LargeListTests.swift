import Config
import Model
import Platform
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Discovery

/// Lists of targets that a broken or hostile server sends.
@Suite("Large lists of targets")
struct LargeListTests {
    private static func parse(_ text: String, _ cost: TargetListCost) throws -> [TargetGroup] {
        try TargetGroupList.parse(Array(text.utf8), isJSON: true, place: "f", labels: [], cost: cost)
    }

    private static func targets(_ count: Int) -> String {
        let all = (0..<count).map { "\"h\($0):1\"" }.joined(separator: ",")
        return #"[{"targets":["# + all + #"],"labels":{}}]"#
    }

    private static func labels(_ count: Int, targets: String = "\"a:1\"") -> String {
        let all = (0..<count).map { "\"l\($0)\":\"v\"" }.joined(separator: ",")
        return #"[{"targets":["# + targets + #"],"labels":{"# + all + #"}}]"#
    }

    @Test("the memory of a list is limited, whatever its text is")
    func memory() throws {
        let budget = TargetListBudget(limit: 8 << 20)
        let cost = TargetListCost(budget, replacing: nil)
        #expect(try Self.parse(Self.targets(500), cost).first?.targets.count == 500)
        #expect(budget.inUse >= 500 * 4096 && budget.inUse < 4 << 20)
        for text in [
            Self.targets(2000), "[" + String(repeating: "{},", count: 20_000) + "{}]",
            "[" + String(repeating: #"{"targets":[""]},"#, count: 2000) + "{}]",
            "[" + String(repeating: #"{"labels":{"a":""}},"#, count: 20_000) + "{}]",
            // Each target gets all labels.
            Self.labels(5000, targets: Array(repeating: "\"\"", count: 100).joined(separator: ",")),
        ] {
            let other = TargetListCost(budget, replacing: cost)
            let error = #expect(throws: ConfigError.self) { try Self.parse(text, other) }
            #expect(error?.description.contains("the targets of the list would take more than the 4 MiB") == true)
        }
        // What was charged for refused lists is free again.
        #expect(budget.inUse < 4 << 20)
        #expect(try Self.parse(Self.targets(900), TargetListCost(budget, replacing: cost)).count == 1)
    }

    @Test("values of another kind are refused where they begin")
    func kinds() throws {
        let budget = TargetListBudget(limit: 8 << 20)
        let many = String(repeating: "[],", count: 1_000_000)
        for (text, reason) in [
            ("[\(many)[]]", "target group 0: expected an object, got an array"),
            (#"[{"targets":[\#(many)[]]}]"#, "target group 0: targets: expected a string, got an array"),
            (#"[{"labels":{"a":[\#(many)[]]}}]"#, "target group 0: label a: expected a string, got an array"),
            (#"[{},{"more":[\#(many)[]]}]"#, "target group 1: unknown field \"more\""),
            ("{\"a\":[\(many)[]]}", "expected a list of target groups, got an object"),
        ] {
            let error = #expect(throws: ConfigError.self) {
                try Self.parse(text, TargetListCost(budget, replacing: nil))
            }
            #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
        }
        #expect(budget.inUse == 0)
    }

    @Test("a list takes at most half of what the others leave, so that there is room for one more")
    func room() throws {
        let budget = TargetListBudget(limit: 16 << 20)
        var held: [TargetListCost] = []
        var sizes: [Int] = []
        for _ in 0..<3 {
            let cost = TargetListCost(budget, replacing: nil)
            let before = budget.inUse
            #expect(throws: ConfigError.self) { try Self.parse(Self.targets(10_000), cost) }
            sizes.append(budget.inUse - before)
            held.append(cost)
        }
        #expect(sizes == [8 << 20, 4 << 20, 2 << 20])
        let small = TargetListCost(budget, replacing: nil)
        #expect(try Self.parse(Self.targets(100), small).count == 1)
        held = []
        withExtendedLifetime(small) {}
    }

    @Test("a group with more labels than any real one has is refused")
    func manyLabels() throws {
        let budget = TargetListBudget(limit: 256 << 20)
        let most = TargetListCost.mostLabels
        #expect(try Self.parse(Self.labels(most), TargetListCost(budget, replacing: nil)).first?.labels.count == most)
        let error = #expect(throws: ConfigError.self) {
            try Self.parse(Self.labels(most + 1), TargetListCost(budget, replacing: nil))
        }
        #expect(error?.description.contains("a target group has more than 10000 labels") == true)
        // A file is the operator's own.
        #expect(
            try TargetGroupList.parse(
                Array(Self.labels(most + 1).utf8), isJSON: true, place: "f", labels: []
            ).first?.labels.count == most + 1)
    }

    @Test("a server whose list is refused keeps its last good one, and others are not affected")
    func lastGood() async throws {
        let text = Mutex(Self.targets(10))
        let stub = try #require(
            HTTPStub { _ in .init(contentType: "application/json", text: text.withLock { $0 }) })
        defer { stub.stop() }
        let config = try #require(try HTTPDiscovererTests.job(stub.port).httpDiscovery.first)
        let metrics = MetricRegistry()
        let budget = TargetListBudget(limit: 4 << 20)
        let discoverer = HTTPDiscoverer(config, job: "a", metrics: metrics, lists: budget)
        let good = await discoverer.refresh()
        #expect(good.first?.targets.count == 10)
        for bad in [Self.targets(5000), Self.labels(20_000)] {
            text.withLock { $0 = bad }
            #expect(await discoverer.refresh() == good)
            #expect(discoverer.lastError != "")
            let other = HTTPDiscoverer(config, job: "b", metrics: metrics, lists: budget)
            #expect(await other.refresh().isEmpty)
        }
        #expect(metrics.families().first { $0.name == "prometheus_sd_http_failures_total" }?.samples.first?.value == 4)
        text.withLock { $0 = Self.targets(20) }
        #expect(await discoverer.refresh().first?.targets.count == 20)
        #expect(discoverer.lastError == "")
    }
}
