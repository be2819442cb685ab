import Model
@testable import Notify
import Synchronization
import TestSupport
import Testing

@Suite("Inhibition that is kept while the same alerts fire")
struct KeptInhibitorTests {
    static func rule(_ source: String, _ target: String) -> InhibitRule {
        func matcher(_ name: String) -> Matcher {
            do { return try Matcher(name, .equal, "1") } catch { fatalError("\(error)") }
        }
        return InhibitRule(sourceMatchers: [matcher(source)], targetMatchers: [matcher(target)], equal: ["e"])
    }

    /// The alerts that may be named as those that mute `target`, found by a search through all alerts.
    static func expected(
        _ source: String, _ target: String, of labels: Labels, _ alerts: some Sequence<NotifiedAlert>, at now: Int64
    ) -> Set<Fingerprint> {
        guard labels[target] == "1" else { return [] }
        let isBoth = labels[source] == "1"
        let found = alerts.filter { alert in
            let own = alert.alert.labels
            return !alert.isResolved(at: now) && own[source] == "1" && own["e"] == labels["e"]
                && !(isBoth && own[target] == "1")
        }
        return Set(found.map(\.fingerprint))
    }

    @Test("a thousand flushes without a change look at all alerts once, also when senders repeat their alerts")
    func builds() async throws {
        let time = try Timeline(
            """
            route: {receiver: team, group_wait: 1s, group_interval: 1s, repeat_interval: 1s}
            receivers: [{name: team, webhook_configs: [{url: 'http://hook'}]}]
            inhibit_rules: [{source_matchers: [s=1], target_matchers: [t=1]}]
            """)
        func send(_ name: String, end: Double) {
            let labels = Labels([("a", name), ("s", "1")])
            time.notifier.send([Alert(labels: labels, startsAt: Timeline.start, endsAt: Timeline.time(end))])
        }
        var kept: KeptInhibitor { time.notifier.state.withLock { $0.inhibition } }
        for name in 0..<3 { send("\(name)", end: 2400) }
        await time.run(until: 2100)
        #expect(time.transport.takeCalls().count > 1000)
        let (changes, work) = (kept.changes, kept.work)
        #expect(kept.builds == 1 && work < 20)
        for round in 0..<10 {
            for name in 0..<3 { send("\(name)", end: 2401 + Double(round)) }
            await time.run(until: 2110 + Double(round) * 10)
        }
        #expect(time.transport.takeCalls().count > 40)
        #expect(kept.changes == changes)
        send("new", end: 3000)
        await time.run(until: 2405)
        #expect(kept.changes == changes + 1)
        // The other alerts end at once.
        await time.run(until: 2450)
        #expect(kept.changes == changes + 4 && kept.builds == 1)
        #expect(kept.work < work + 100)
    }

    @Test("a change of one of ten thousand alerts costs a few comparisons with fifty rules; a copy keeps its answers")
    func work() throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        let rules = try (0..<50).map { number in
            InhibitRule(
                sourceMatchers: [try Matcher("rule", number < 45 ? .equal : .regex, number < 45 ? "\(number)" : ".+1")],
                targetMatchers: [Matcher(name: "target", equals: "\(number)")], equal: number % 2 == 0 ? ["e"] : [])
        }
        func labels(_ number: Int) -> Labels {
            Labels([("e", "\(number % 700)"), ("n", "\(number)"), ("rule", "\(number % 60)")])
        }
        var (alerts, kept, now) = (ActiveAlerts(), KeptInhibitor(), Int64(1000))
        for number in 0..<10_000 {
            let end = now + 10_000 + Int64(number)
            _ = alerts.update(Alert(labels: labels(number), startsAt: 1, endsAt: end), now: now, resolveTimeout: 1)
        }
        func inhibitor() -> Inhibitor { kept.inhibitor(rules, &alerts, at: now) }
        let first = inhibitor()
        #expect(kept.builds == 1 && kept.work > 10_000)
        let target = Labels([("e", "3"), ("target", "4")])
        func check(_ found: Inhibitor) {
            let fresh = Inhibitor(rules: rules, alerts: alerts.byFingerprint.values, now: now)
            for number in 0..<50 {
                let labels = Labels([("e", "\(Int.random(in: 0..<700, using: &random))"), ("target", "\(number)")])
                #expect(found.inhibits(labels) == fresh.inhibits(labels))
            }
        }
        let before = first.inhibits(target)
        for round in 0..<400 {
            let work = kept.work
            let number = Int.random(in: 0..<10_000, using: &random)
            switch round % 4 {
            case 0: alerts.remove(Fingerprint(labels(number)))
            case 1:
                let new = Alert(labels: labels(number + 10_000), startsAt: 1, endsAt: now + 90_000)
                _ = alerts.update(new, now: now, resolveTimeout: 1)
            case 2:
                let longer = Alert(labels: labels(number), startsAt: 1, endsAt: now + 20_000)
                _ = alerts.update(longer, now: now, resolveTimeout: 1)
            default: now = round == 3 ? 11_000 : now + 1
            }
            let found = inhibitor()
            // One or two alerts, the five rules with regular expressions and the one of the label; twice for a queue.
            #expect(kept.work - work < 20)
            if round % 100 == 0 { check(found) }
        }
        #expect(kept.builds == 1)
        #expect(first.inhibits(target) == before)
        let all = kept.work
        now -= 5000
        check(inhibitor())
        #expect(kept.work - all < 300)
    }

    @Test("random changes of alerts, rules and time mute what a search through all alerts says")
    func random() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<60 {
            var alerts = ActiveAlerts()
            var kept = KeptInhibitor()
            var (source, target) = ("s", "t")
            var now: Int64 = 1000
            func labels() -> Labels {
                Labels(["s", "t", "e"].map { ($0, "\(Int.random(in: 0...1, using: &random))") })
            }
            for _ in 0..<60 {
                let ends: [Int64] = [0, now - 5, now, now + 1, now + 20, .max]
                let end = ends.randomElement(using: &random) ?? 0
                let alert = Alert(labels: labels(), startsAt: now - 10, endsAt: end)
                switch Int.random(in: 0..<12, using: &random) {
                case 0..<4: _ = alerts.update(alert, now: now, resolveTimeout: 30)
                case 4: alerts.restore(NotifiedAlert(alert))
                case 5: alerts.remove(Fingerprint(alert.labels))
                case 6: for alert in alerts.resolved(before: now - 3) { alerts.remove(alert.fingerprint) }
                case 7: now -= Int64.random(in: 1...30, using: &random)
                case 8:
                    (source, target) = (target, source)
                    kept = KeptInhibitor()
                default: now += Int64.random(in: 0...10, using: &random)
                }
                let inhibitor = kept.inhibitor([Self.rule(source, target)], &alerts, at: now)
                for _ in 0..<4 {
                    let labels = labels()
                    let found = inhibitor.inhibitors(of: labels)
                    let all = Self.expected(source, target, of: labels, alerts.byFingerprint.values, at: now)
                    #expect(found.isEmpty == all.isEmpty && all.isSuperset(of: found), "at \(now)")
                }
            }
        }
    }

    @Test("random histories of many rules give what a new look at all alerts gives")
    func histories() throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<20 {
            let rules = try (0..<Int.random(in: 0...4, using: &random)).map { _ in
                try InhibitRule(
                    sourceMatchers: [SilenceIndexTests.Model.matcher(&random)],
                    targetMatchers: [SilenceIndexTests.Model.matcher(&random)],
                    equal: [[], ["a"], ["b", "c"]].randomElement(using: &random) ?? [])
            }
            var (alerts, kept, now) = (ActiveAlerts(), KeptInhibitor(), Int64(1000))
            var copies: [(Inhibitor, [Labels: Bool])] = []
            func check(_ inhibitor: Inhibitor) -> [Labels: Bool] {
                var answers: [Labels: Bool] = [:]
                // Rule by rule: the one that is named must be one that alone mutes.
                let each = rules.map { Inhibitor(rules: [$0], alerts: alerts.byFingerprint.values, now: now) }
                for _ in 0..<6 {
                    let labels = SilenceIndexTests.Model.labels(&random)
                    let found = inhibitor.inhibitors(of: labels)
                    answers[labels] = !found.isEmpty
                    let muting = each.indices.filter { each[$0].inhibits(labels) }
                    #expect(found.count == muting.count, "at \(now)")
                    for (rule, fingerprint) in zip(muting, found) {
                        let alone = alerts.byFingerprint[fingerprint].map { [$0] } ?? []
                        let named = Inhibitor(rules: [rules[rule]], alerts: alone, now: now)
                        #expect(named.inhibitors(of: labels) == [fingerprint])
                    }
                }
                return answers
            }
            for _ in 0..<50 {
                let ends: [Int64] = [0, now - 5, now, now + 1, now + 20, .max, .min]
                let alert = Alert(
                    labels: SilenceIndexTests.Model.labels(&random), startsAt: now - 10,
                    endsAt: ends.randomElement(using: &random) ?? 0)
                switch Int.random(in: 0..<12, using: &random) {
                case 0..<4: _ = alerts.update(alert, now: now, resolveTimeout: 30)
                case 4: alerts.restore(NotifiedAlert(alert))
                case 5: alerts.remove(Fingerprint(alert.labels))
                case 6: for alert in alerts.resolved(before: now - 3) { alerts.remove(alert.fingerprint) }
                case 7: now -= Int64.random(in: 1...30, using: &random)
                case 8:
                    var other = KeptInhibitor()
                    var all = alerts
                    _ = other.inhibitor(rules, &all, at: now)
                    kept.replace(by: other)
                default: now += Int64.random(in: 0...10, using: &random)
                }
                let inhibitor = kept.inhibitor(rules, &alerts, at: now)
                let answers = check(inhibitor)
                if copies.count < 10 { copies.append((inhibitor, answers)) }
            }
            for (copy, answers) in copies {
                #expect(answers.allSatisfy { copy.inhibits($0.key) == $0.value })
            }
        }
    }

    @Test("a notifier mutes what a search says, with random alerts, silences, clock steps and reloads between flushes")
    func notifier() async throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        func text(_ source: String, _ target: String) -> String {
            """
            route: {receiver: team, group_by: [e], group_wait: 1s, group_interval: 1s, repeat_interval: 1s}
            receivers: [{name: team, webhook_configs: [{url: 'http://hook'}]}]
            inhibit_rules: [{source_matchers: [\(source)=1], target_matchers: [\(target)=1], equal: [e]}]
            """
        }
        var (source, target) = ("s", "t")
        let time = try Timeline(text(source, target))
        for _ in 0..<1000 {
            let now = time.clock.now()
            let labels = Labels(["s", "t", "e"].map { ($0, "\(Int.random(in: 0...1, using: &random))") })
            switch Int.random(in: 0..<12, using: &random) {
            case 0..<5:
                let ends: [Int64] = [0, now - 1000, now + 500, now + 3000]
                let end = ends.randomElement(using: &random) ?? 0
                time.notifier.send([Alert(labels: labels, startsAt: now - 2000, endsAt: end)])
            case 5:
                _ = try time.notifier.setSilence(
                    Silence(matchers: [Matcher("s", .equal, "1")], startsAt: now, endsAt: now + 2000))
            case 6:
                (source, target) = (target, source)
                try time.reload(text(source, target))
            case 7:
                time.notifier.followClock()
                time.clock.set(by: Int64.random(in: -20_000...20_000, using: &random))
                time.notifier.followClock()
            default:
                let seconds = Double(now - Timeline.start) / 1000
                await time.run(until: seconds + Double.random(in: 0...2, using: &random))
            }
            _ = time.notifier.step(at: time.clock.now())
            await time.notifier.settle()
            let alerts = time.notifier.alerts()
            for alert in alerts {
                let found = alert.muting.inhibitedBy
                let all = Self.expected(
                    source, target, of: alert.alert.alert.labels, alerts.map(\.alert), at: time.clock.now())
                #expect(found.isEmpty == all.isEmpty && all.isSuperset(of: found))
            }
        }
    }
}
