import Model
import Rules
import TestSupport
import Testing

/// What a generator of alerts has to do by the public compliance specification, sentence by sentence.
@Suite("Alert generator")
struct AlertGeneratorTests {
    @Test("what a rule writes is there for the next rules of the same pass", arguments: [0, 4])
    func order(_ concurrent: Int) throws {
        let files = try RuleFiles(
            """
            groups: [{name: g, rules: [
              {record: r, expr: 'm * 2'},
              {alert: A, expr: 'r > 3'},
              {record: firing, expr: 'count by (alertname, alertstate) (ALERTS)'},
              {alert: B, expr: 'firing > 0'}]}]
            """, concurrent: concurrent)
        try files.put([("__name__", "m")], 2, at: 60)
        files.evaluate(at: 60)
        #expect(try files.values("r", at: 60) == ["r 4"])
        #expect(
            files.alerts.map(\.labels) == [
                Labels([("alertname", "A")]), Labels([("alertname", "B"), ("alertstate", "firing")]),
            ])
    }

    @Test("rule labels are over those of the element, alertname is over all, and templates see those of the element")
    func labels() throws {
        let files = try RuleFiles(
            """
            groups: [{name: g, labels: {team: x, group: '{{ $labels.i }}'}, rules: [{alert: A, expr: 'm > 0',
              labels: {i: 'rule {{ $labels.i }}', alertname: other, team: '{{ $labels.team }}y', empty: ''},
              annotations: {a: '{{ $labels.i }} {{ $labels.alertname }} {{ $externalLabels.site }}', none: ''}}]}]
            """)
        try files.put([("__name__", "m"), ("i", "1"), ("alertname", "mine"), ("empty", "no")], 1, at: 0)
        files.evaluate(at: 0)
        let alert = try #require(files.alerts.first)
        #expect(
            alert.labels
                == Labels([("alertname", "A"), ("group", "1"), ("i", "rule 1"), ("team", "y")]))
        #expect(alert.annotations == Labels(keepingEmpty: [("a", "1 mine here"), ("none", "")]))
    }

    @Test("two alerts with equal labels make the rule fail: nothing is sent, nothing is written")
    func equalLabels() throws {
        let files = try RuleFiles("groups: [{name: g, rules: [{alert: A, expr: 'm > 0', labels: {i: x}}]}]")
        try files.put([("__name__", "m"), ("i", "1")], 1, at: 0)
        try files.put([("__name__", "m"), ("i", "2")], 1, at: 0)
        files.evaluate(at: 0)
        #expect(files.rules[0].health.state == .bad)
        #expect(
            files.rules[0].health.lastError
                == "vector contains metrics with the same labelset after applying alert labels")
        #expect(files.alerts.isEmpty && files.sink.take().isEmpty)
        #expect(try files.values("ALERTS", at: 0) == [])
    }

    @Test("an alert is pending while it is active for less than `for`, which is looked at in evaluations only")
    func hold() throws {
        let files = try RuleFiles(
            """
            groups: [{name: g, rules: [{alert: None, expr: 'm > 0'}, {alert: Short, expr: 'm > 0', for: 1s},
              {alert: Long, expr: 'm > 0', for: 2m}]}]
            """)
        func states() -> [AlertState] { files.rules.map { $0.alerts.first?.state ?? .inactive } }
        for minute in Int64(0)..<4 { try files.put([("__name__", "m")], Double(minute) + 1, at: minute * 60) }
        files.evaluate(at: 0)
        #expect(states() == [.firing, .pending, .pending])
        files.evaluate(at: 60)
        #expect(states() == [.firing, .firing, .pending])
        files.evaluate(at: 120)
        #expect(states() == [.firing, .firing, .firing])
        #expect(files.alerts.map(\.value) == [3, 3, 3])
        try files.put([("__name__", "m")], 0, at: 240)
        files.evaluate(at: 240)
        #expect(states() == [.inactive, .inactive, .inactive])
        try files.put([("__name__", "m")], 9, at: 300)
        files.evaluate(at: 300)
        #expect(files.alerts.map(\.activeAt) == [300_000, 300_000, 300_000])
        #expect(files.alerts.map(\.firedAt) == [300_000, 0, 0])
    }

    @Test("ALERTS has the active alerts only, and its own name and state")
    func series() throws {
        let files = try RuleFiles(
            "groups: [{name: g, rules: [{alert: A, expr: 'm > 0', for: 1m, labels: {alertstate: mine}}]}]")
        try files.put([("__name__", "m"), ("i", "1")], 1, at: 0)
        files.evaluate(at: 0)
        #expect(try files.values("ALERTS", at: 0) == [#"ALERTS{alertname="A", alertstate="pending", i="1"} 1"#])
        files.evaluate(at: 60)
        #expect(try files.values("ALERTS", at: 60) == [#"ALERTS{alertname="A", alertstate="firing", i="1"} 1"#])
        try files.put([("__name__", "m"), ("i", "1")], 0, at: 120)
        files.evaluate(at: 120)
        #expect(try files.values("ALERTS", at: 120) == [])
    }

    @Test("firing alerts are sent again not before the resend delay, resolved ones for a quarter of an hour")
    func sending() throws {
        let files = try RuleFiles("groups: [{name: g, interval: 25s, rules: [{alert: A, expr: 'm > 0'}]}]")
        var sent: [(at: Int64, alert: Alert)] = []
        for step in Int64(0)..<60 {
            let second = 1000 + step * 25
            try files.put([("__name__", "m")], step < 8 ? 1 : 0, at: second)
            files.evaluate(at: second)
            sent += files.sink.take().map { (second, $0) }
        }
        let firing = sent.filter { $0.alert.endsAt > $0.at * 1000 }
        #expect(firing.map(\.at) == [1000, 1075, 1150])
        // The resend delay is longer than the interval.
        #expect(firing.map(\.alert.endsAt) == [1_240_000, 1_315_000, 1_390_000])
        let resolved = sent.filter { $0.alert.endsAt <= $0.at * 1000 }
        #expect(resolved.map(\.at).first == 1200)
        #expect(zip(resolved.map(\.at), resolved.map(\.at).dropFirst()).allSatisfy { $1 - $0 == 75 })
        #expect(resolved.map(\.at).last ?? 0 > 1200 + 800 && resolved.map(\.at).last ?? 0 <= 1200 + 900)
        #expect(sent.allSatisfy { $0.alert.startsAt == 1_000_000 })
        #expect(resolved.allSatisfy { $0.alert.endsAt == 1_200_000 })
        #expect(
            sent.allSatisfy { $0.alert.generatorURL == "http://martlet:9090/graph?g0.expr=m+%3E+0&g0.tab=1" })
    }

    @Test("a new alert with the labels of a resolved one ends the repetitions of the resolution")
    func again() throws {
        let files = try RuleFiles("groups: [{name: g, rules: [{alert: A, expr: 'm > 0'}]}]")
        for (minute, value) in [1.0, 0, 1, 1].enumerated() {
            try files.put([("__name__", "m")], value, at: Int64(minute) * 60)
            files.evaluate(at: Int64(minute) * 60)
        }
        #expect(
            files.sink.take().map { [$0.startsAt, $0.endsAt] } == [[0, 240_000], [0, 60_000], [120_000, 360_000]])
    }

    @Test("a rule shows what is written in its file and the highest state of its alerts")
    func overview() throws {
        let files = try RuleFiles(
            """
            groups: [{name: g, interval: 30s, rules: [{alert: A, expr: 'm>0', for: 1m,
              labels: {a: '{{ $value }}', empty: ''}, annotations: {b: '{{ $labels.i }}'}}, {record: r, expr: m}]}]
            """)
        #expect(files.rules.map(\.health.state) == [.unknown, .unknown])
        try files.put([("__name__", "m"), ("i", "1")], 1, at: 0)
        files.evaluate(at: 0)
        try files.put([("__name__", "m"), ("i", "2")], 1, at: 60)
        files.evaluate(at: 60)
        let group = files.manager.status()[0]
        #expect(group.name == "g" && group.interval == 30_000 && group.lastEvaluation == 60_000)
        let rule = group.rules[0]
        #expect(rule.query == "m > 0" && rule.holdDuration == 60_000)
        #expect(rule.labels == Labels(keepingEmpty: [("a", "{{ $value }}"), ("empty", "")]))
        #expect(rule.annotations == Labels([("b", "{{ $labels.i }}")]))
        #expect(rule.state == .firing && rule.alerts.map(\.state) == [.firing, .pending])
        #expect(rule.health.state == .good && rule.health.lastEvaluation == 60_000)
    }

    @Test("functions that need consoles do not make a rule fail")
    func consoles() throws {
        let files = try RuleFiles(
            """
            groups: [{name: g, rules: [{alert: A, expr: 'm > 0', annotations: {
              a: '{{ graphLink "m" }}', b: '{{ tableLink "m" }}', c: '{{ safeHtml "<" }}'}}]}]
            """)
        try files.put([("__name__", "m")], 1, at: 0)
        files.evaluate(at: 0)
        #expect(files.alerts.count == 1 && files.rules[0].health.state == .good)
    }
}
