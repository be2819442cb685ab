import Config
import Model
@testable import Notify
import Platform
import Synchronization
import TestSupport
import Testing

@Suite("Groups of the notifier")
struct NotifierGroupTests {
    static let receivers = """
        receivers:
          - name: team
            webhook_configs: [{url: 'http://hook'}]
        """
    static let plain = "route: {receiver: team, group_wait: 30s, group_interval: 5m, repeat_interval: 1h}\n" + receivers

    @Test("a resolution that its sender repeats is part of later notifications of its group, and is no news by itself")
    func repeatedResolution() async throws {
        let time = try Timeline(Self.plain)
        await time.push(at: 0, [("a", "1")])
        await time.push(at: 1, [("a", "2")])
        await time.push(at: 100, [("a", "1")], resolved: true)
        await time.push(at: 200, [("a", "2")])
        #expect(await time.received(until: 350) == ["30: +1 +2", "330: -1 +2"])
        // The sender repeats both; the flush at 630 s tells nothing.
        for at in [400.0, 520] {
            await time.push(at: at, [("a", "1")], resolved: true)
            await time.push(at: at, [("a", "2")])
        }
        #expect(await time.received(until: 650) == [])
        await time.push(at: 700, [("a", "1")], resolved: true)
        await time.push(at: 701, [("a", "2")])
        await time.push(at: 702, [("a", "3")])
        #expect(await time.received(until: 950) == ["930: -1 +2 +3"])
    }

    @Test("as in Alertmanager, a resolution that the last notification does not have is told to a group that lives")
    func resolutionAfterGap() async throws {
        let time = try Timeline(Self.plain)
        await time.push(at: 0, [("a", "1")])
        await time.push(at: 100, [("a", "2")])
        await time.push(at: 101, [("a", "1")], resolved: true)
        #expect(await time.received(until: 350) == ["30: +1", "330: -1 +2"])
        await time.push(at: 360, [("a", "2")])
        await time.push(at: 361, [("a", "3")])
        #expect(await time.received(until: 640) == ["630: +2 +3"])
        await time.push(at: 650, [("a", "1")], resolved: true)
        // Nobody knows this one.
        await time.push(at: 651, [("a", "4")], resolved: true)
        for a in ["2", "3"] { await time.push(at: 655, [("a", a)]) }
        #expect(await time.received(until: 940) == ["930: -1 +2 +3 -4"])
        for a in ["2", "3"] { await time.push(at: 945, [("a", a)]) }
        #expect(await time.received(until: 1240) == [])
    }

    @Test("a repeated resolution makes no group, and none is told that nobody has heard of")
    func resolutionWithoutGroup() async throws {
        let time = try Timeline(Self.plain)
        await time.push(at: 0, [("a", "1")], resolved: true)
        #expect(time.notifier.groups().isEmpty)
        #expect(await time.received(until: 1000) == [])
    }

    @Test("routes that come, go or move beside the path of an alert repeat no notification")
    func movedRoutes() async throws {
        func text(_ before: String) -> String {
            """
            route:
              receiver: team
              group_wait: 30s
              routes:
            \(before)
                - match_re: {a: "1|2"}
                  routes: [{matchers: ['b="x"']}]
            \(Self.receivers)
            """
        }
        let time = try Timeline(text(""))
        for at in stride(from: 0.0, to: 200, by: 60) { await time.push(at: at, [("a", "1"), ("b", "x")]) }
        #expect(await time.received(until: 200) == ["30: +1"])
        try time.reload(text("    - {matchers: [c=d]}\n    - {matchers: [c=e]}"))
        for at in stride(from: 201.0, to: 1000, by: 60) { await time.push(at: at, [("a", "1"), ("b", "x")]) }
        #expect(await time.received(until: 1000) == [])
        try time.reload(text(""))
        for at in stride(from: 1001.0, to: 2000, by: 60) { await time.push(at: at, [("a", "1"), ("b", "x")]) }
        #expect(await time.received(until: 2000) == [])
    }

    @Test("the group key shows match_re with its anchors, and an entry of an older ledger still counts")
    func oldEntries() async throws {
        let text = """
            route: {receiver: team, group_wait: 30s, routes: [{match_re: {a: "m.*"}}]}
            \(Self.receivers)
            """
        let labels = Labels([("a", "m1")])
        let folder = try TemporaryFolder()
        let (ledger, _) = try Ledger.open(folder: folder.path, RealFileSystem())
        try ledger.append([
            .notified(
                NotificationEntry(
                    groupKey: #"{}/{a=~"m.*"}/0:{}"#, receiver: "team/webhook/0", time: Timeline.start - 1000,
                    firing: [Fingerprint(labels)], resolved: [], expiresAt: Timeline.time(20_000)))
        ])
        let time = try Timeline(text, folder: folder.path)
        await time.push(at: 0, [("a", "m1")])
        #expect(await time.received(until: 100) == [])
        await time.push(at: 101, [("a", "m2")])
        await time.run(until: 400)
        let body = try #require(time.transport.takeCalls().first?.body)
        #expect(body.contains(#""groupKey":"{}/{a=~\"^(?:m.*)$\"}:{}""#))
    }

    @Test("the repeat interval counts from the success, not from the beginning of the flush")
    func repeatAfterSuccess() async throws {
        let time = try Timeline(Self.plain)
        // The attempts at 30, 30.5 and 31.25 s fail; the one at 32.375 s succeeds.
        time.transport.answer([500, 500, 500])
        await time.push(at: 0, [("a", "1")])
        await time.run(until: 60)
        let entry = time.notifier.state.withLock {
            $0.memory.log.entry(groupKey: "{}:{}", groupID: "", receiver: "team/webhook/0")
        }
        #expect(entry?.time == Timeline.time(32.375))
    }
}
