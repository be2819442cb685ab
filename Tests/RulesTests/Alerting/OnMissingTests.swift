import Config
import Model
import Rules
import TestSupport
import Testing

@Suite("Alerts whose series are missing")
struct OnMissingTests {
    private static func rules(_ mode: String, _ expression: String = "m > 5", more: String = "") -> String {
        "groups: [{name: g, rules: [{alert: A, expr: '\(expression)', on_missing: \(mode), "
            + "labels: {severity: page}, annotations: {s: 'is {{ $value }}'}\(more)}]}]"
    }

    /// Two instances, of which the first fires at 60 s.
    private static func firing(_ mode: String, _ expression: String = "m > 5", more: String = "") throws -> RuleFiles {
        let files = try RuleFiles(rules(mode, expression, more: more))
        for second in [Int64(0), 30, 60] {
            try files.put([("__name__", "m"), ("i", "a")], 7, at: second)
            try files.put([("__name__", "m"), ("i", "b")], 1, at: second)
        }
        files.evaluate(at: 0)
        files.evaluate(at: 60)
        #expect(files.alerts.map(\.labels) == [Labels([("alertname", "A"), ("i", "a"), ("severity", "page")])])
        return files
    }

    @Test(
        "with keep an alert whose series went stale fires on, with the evidence, and ends when its condition is false")
    func keep() throws {
        let files = try Self.firing("keep")
        try files.put([("__name__", "m"), ("i", "a")], nil, at: 90)
        try files.put([("__name__", "m"), ("i", "b")], 1, at: 90)
        files.evaluate(at: 120)
        var alert = try #require(files.alerts.first)
        #expect(alert.state == .firing && alert.firedAt == 0 && alert.resolvedAt == 0)
        #expect(alert.annotations["s"] == "is 7")
        #expect(alert.annotations["martlet_evidence"] == "no series of m since 1970-01-01T00:01:00Z")
        #expect(try files.values("ALERTS", at: 120).count == 1)
        for minute in Int64(3)..<30 { files.evaluate(at: minute * 60) }
        alert = try #require(files.alerts.first)
        #expect(alert.state == .firing)
        #expect(alert.annotations["martlet_evidence"] == "no series of m since 1970-01-01T00:01:00Z")
        #expect(files.sink.take().allSatisfy { $0.endsAt > $0.updatedAt })
        try files.put([("__name__", "m"), ("i", "a")], 9, at: 1800)
        files.evaluate(at: 1800)
        #expect(files.alerts.map(\.annotations) == [Labels([("s", "is 9")])])
        try files.put([("__name__", "m"), ("i", "a")], 1, at: 1860)
        files.evaluate(at: 1860)
        #expect(files.alerts.isEmpty)
    }

    @Test("a condition that becomes false ends the alert in every mode", arguments: OnMissing.allCases)
    func conditionFalse(_ mode: OnMissing) throws {
        let files = try Self.firing(mode.rawValue)
        try files.put([("__name__", "m"), ("i", "a")], 1, at: 90)
        files.evaluate(at: 120)
        #expect(files.alerts.isEmpty)
    }

    @Test("without the key, and with resolve, an alert whose series are missing ends")
    func resolve() throws {
        let files = try Self.firing("resolve")
        try files.put([("__name__", "m"), ("i", "a")], nil, at: 90)
        files.evaluate(at: 120)
        #expect(files.alerts.isEmpty)
    }

    @Test("series that only end are missing when the lookback is over")
    func absent() throws {
        let files = try Self.firing("keep")
        for minute in Int64(2)..<10 {
            try files.put([("__name__", "m"), ("i", "b")], 1, at: minute * 60)
            files.evaluate(at: minute * 60)
            #expect(files.alerts.count == 1, "\(minute)")
        }
        #expect(files.alerts.first?.annotations["martlet_evidence"] != nil)
    }

    @Test("an aggregation is missing when the last of its series is")
    func aggregation() throws {
        let files = try RuleFiles(Self.rules("keep", "sum(m) > 5"))
        for name in ["a", "b"] { try files.put([("__name__", "m"), ("i", name)], 7, at: 0) }
        files.evaluate(at: 0)
        try files.put([("__name__", "m"), ("i", "a")], nil, at: 60)
        try files.put([("__name__", "m"), ("i", "b")], 1, at: 60)
        files.evaluate(at: 60)
        #expect(files.alerts.isEmpty)
        try files.put([("__name__", "m"), ("i", "b")], 7, at: 120)
        files.evaluate(at: 120)
        try files.put([("__name__", "m"), ("i", "b")], nil, at: 180)
        files.evaluate(at: 180)
        #expect(files.alerts.count == 1)
    }

    @Test("one missing side of an operator is enough, and names its selector")
    func join() throws {
        let files = try RuleFiles(Self.rules("keep", "m > on (i) n{x=\"1\"}"))
        try files.put([("__name__", "m"), ("i", "a")], 7, at: 0)
        try files.put([("__name__", "n"), ("i", "a"), ("x", "1")], 5, at: 0)
        files.evaluate(at: 0)
        try files.put([("__name__", "m"), ("i", "a")], 7, at: 60)
        try files.put([("__name__", "n"), ("i", "a"), ("x", "1")], nil, at: 60)
        files.evaluate(at: 60)
        #expect(
            files.alerts.first?.annotations["martlet_evidence"]
                == "no series of n{x=\"1\"} since 1970-01-01T00:00:00Z")
    }

    @Test("a rate whose counter ends is missing, not false", arguments: [true, false])
    func rate(_ isMarked: Bool) throws {
        let files = try RuleFiles(Self.rules("keep", "rate(c[2m]) > 0.5"))
        for step in Int64(0)...8 { try files.put([("__name__", "c"), ("i", "a")], Double(step) * 30, at: step * 15) }
        files.evaluate(at: 120)
        #expect(files.alerts.count == 1)
        if isMarked { try files.put([("__name__", "c"), ("i", "a")], nil, at: 135) }
        for step in Int64(9)...40 {
            files.evaluate(at: step * 15)
            #expect(files.alerts.count == 1, "\(step * 15)")
        }
    }

    @Test("a series that was never there is not missing: absent() ends when the series comes")
    func neverThere() throws {
        let files = try RuleFiles(Self.rules("keep", "absent(m)"))
        files.evaluate(at: 0)
        #expect(files.alerts.count == 1)
        try files.put([("__name__", "m")], 1, at: 60)
        files.evaluate(at: 60)
        #expect(files.alerts.isEmpty)
    }

    @Test("a pending alert whose series vanish is removed with keep, and fires with fire", arguments: ["keep", "fire"])
    func pending(_ mode: String) throws {
        let files = try Self.firing(mode, more: ", for: 5m")
        try files.put([("__name__", "m"), ("i", "a")], nil, at: 90)
        for minute in Int64(2)...6 { files.evaluate(at: minute * 60) }
        if mode == "keep" {
            #expect(files.alerts.isEmpty)
        } else {
            #expect(files.alerts.map(\.state) == [.firing])
            #expect(files.alerts.first?.activeAt == 0)
        }
    }

    @Test("with fire a rule without an alert whose selector loses all series starts its `for`, and ends with a series")
    func fire() throws {
        let files = try RuleFiles(Self.rules("fire", "m{job=\"j\"} > 5", more: ", for: 2m"))
        files.evaluate(at: 0)
        #expect(files.alerts.isEmpty, "a series that never was is not missing")
        try files.put([("__name__", "m"), ("job", "j"), ("i", "a")], 1, at: 60)
        files.evaluate(at: 60)
        try files.put([("__name__", "m"), ("job", "j"), ("i", "a")], nil, at: 90)
        files.evaluate(at: 120)
        #expect(files.alerts.map(\.state) == [.pending])
        #expect(files.alerts.first?.labels == Labels([("alertname", "A"), ("job", "j"), ("severity", "page")]))
        files.evaluate(at: 180)
        files.evaluate(at: 240)
        #expect(files.alerts.map(\.state) == [.firing])
        #expect(
            files.alerts.first?.annotations["martlet_evidence"]
                == "no series of m{job=\"j\"} since 1970-01-01T00:01:00Z")
        try files.put([("__name__", "m"), ("job", "j"), ("i", "b")], 1, at: 300)
        files.evaluate(at: 300)
        #expect(files.alerts.isEmpty)
    }

    @Test("a kept alert survives a restart with its times and its evidence", arguments: ["keep", "fire"])
    func restart(_ mode: String) async throws {
        let files = try Self.firing(mode)
        try files.put([("__name__", "m"), ("i", "a")], nil, at: 90)
        try files.put([("__name__", "m"), ("i", "b")], 1, at: 90)
        for minute in Int64(2)...20 { files.evaluate(at: minute * 60) }
        let before = try #require(files.alerts.first)
        let next = try RuleFiles(Self.rules(mode), store: files.store, at: 1500, restores: true)
        try next.put([("__name__", "m"), ("i", "b")], 1, at: 1500)
        await next.restore()
        let after = try #require(next.alerts.first)
        #expect(next.alerts.count == 1)
        #expect(after.labels == before.labels && after.annotations == before.annotations)
        #expect(after.state == .firing && after.activeAt == before.activeAt)
        try next.put([("__name__", "m"), ("i", "a")], 1, at: 1800)
        next.evaluate(at: 1800)
        #expect(next.alerts.isEmpty)
    }

    @Test("an alert whose condition was false before the restart does not come back")
    func restartAfterEnd() async throws {
        let files = try Self.firing("keep")
        try files.put([("__name__", "m"), ("i", "a")], 1, at: 90)
        files.evaluate(at: 120)
        try files.put([("__name__", "m"), ("i", "a")], nil, at: 130)
        let next = try RuleFiles(Self.rules("keep"), store: files.store, at: 300, restores: true)
        await next.restore()
        #expect(next.alerts.isEmpty)
    }

    @Test("rules without the key ask nothing more, and those with keep only when an alert is not in the result")
    func cost() throws {
        for (mode, most) in [("resolve", 10), ("keep", 10)] {
            let files = try Self.firing(mode)
            let before = files.store.selects
            for minute in Int64(2)..<12 {
                try files.put([("__name__", "m"), ("i", "a")], 7, at: minute * 60)
                files.evaluate(at: minute * 60)
            }
            #expect(files.store.selects - before == most, "\(mode)")
        }
    }

    @Test("the key is unknown without the feature, as promtool says, and its values are checked with it")
    func key() {
        func mistake(_ rule: String, _ readsOwnKeys: Bool) -> String {
            let text = "groups: [{name: g, rules: [\(rule)]}]"
            do {
                _ = try RuleFileLoader.parse(text: Array(text.utf8), path: "f.yml", readsOwnKeys: readsOwnKeys)
                return ""
            } catch { return "\(error)" }
        }
        #expect(
            mistake("{alert: a, expr: m, on_missing: keep}", false)
                == "f.yml:1:48: field on_missing not found in type rulefmt.Rule")
        #expect(mistake("{alert: a, expr: m, on_missing: keep}", true) == "")
        #expect(
            mistake("{alert: a, expr: m, on_missing: kept}", true)
                == "f.yml:1:48: group \"g\", rule 1, \"a\": invalid value \"kept\" of on_missing: expected resolve, keep or fire"
        )
        #expect(
            mistake("{record: a, expr: m, on_missing: keep}", true)
                == "f.yml:1:49: group \"g\", rule 1, \"a\": invalid field 'on_missing' in recording rule")
    }
}
