import Model
import Platform
import TestSupport
import Testing

@testable import Notify

/// The example of the notification log in `docs/formats/`.
@Suite("Page of the ledger's format")
struct LedgerFormatTests {
    private static let start: Int64 = 1_700_006_400_000

    static let delivery: Delivery = {
        var delivery = Delivery(
            time: start, groupID: "g", groupKey: "k", receiver: "r", integration: "r/webhook/0", reason: "x",
            outcome: .failed, status: 0, attempts: 0, duration: 12, error: "e", firing: [Fingerprint(raw: 1)],
            resolved: [])
        delivery.add(
            DeliveryAttempt(time: start, outcome: .refused, status: 404, latency: 12, error: "e", answer: "no"))
        return delivery
    }()
    static let change = AlertChange(
        time: start, state: .silenced, groupKey: "k", target: "r", causes: ["s1"])

    private static func records() throws -> [LedgerRecord] {
        [
            .silence(
                Silence(
                    id: "s1", matchers: [try Matcher("job", .equal, "a")], startsAt: start, endsAt: start + 3_600_000,
                    updatedAt: start, createdBy: "me", comment: "")),
            .silence(noted),
            .silenceRemoved("s0"), .delivery(delivery), .changed(change, [Fingerprint(raw: 1)]),
            .history(AlertHistory(labels: Labels([("job", "a")]), startsAt: start, changes: [change])),
        ]
    }

    /// A silence with annotations.
    private static var noted: Silence {
        var silence = Silence(
            id: "s2", matchers: [Matcher(name: "job", equals: "b")], startsAt: start, endsAt: start + 3_600_000,
            updatedAt: start, createdBy: "me", comment: "")
        silence.annotations = Labels(keepingEmpty: [("ticket", "7"), ("note", "")])
        return silence
    }

    @Test("a silence of an older version, which has no annotations, is read; others keep them")
    func annotations() throws {
        let records = try Self.records()
        let old = records[0].encode()
        #expect(LedgerRecord(old) == records[0])
        #expect(LedgerRecord(records[1].encode()) == records[1])
        // The record of an older version is a beginning of the new one.
        var plain = Self.noted
        plain.annotations = .empty
        #expect(records[1].encode().starts(with: LedgerRecord.silence(plain).encode()))
        #expect(LedgerRecord(Array(records[1].encode().dropLast())) == nil)
        let files = FaultyFileSystem()
        let (ledger, _) = try Ledger.open(folder: "ledger", files)
        try ledger.append(records)
        let (_, state) = try Ledger.open(folder: "ledger", files)
        #expect(state.silences.byID["s2"] == Self.noted)
        #expect(state.silences.byID["s2"]?.annotations["note"] == "")
    }

    @Test("a dot in a silence's expression matches no line feed, after a start too")
    func dots() throws {
        let files = FaultyFileSystem()
        let (ledger, _) = try Ledger.open(folder: "ledger", files)
        let matcher = try Matcher("a", .regex, "x.*", dot: .noLineFeed)
        try ledger.append([
            .silence(Silence(id: "s", matchers: [matcher], startsAt: Self.start, endsAt: Self.start + 1000))
        ])
        let (_, state) = try Ledger.open(folder: "ledger", files)
        let read = try #require(state.silences.byID["s"]?.matchers.first)
        #expect(read.matches("xy"))
        #expect(!read.matches("x\ny"))
    }

    @Test("the page shows what is written, and what is shown is read")
    func example() throws {
        let files = FaultyFileSystem()
        let (ledger, _) = try Ledger.open(folder: "ledger", files)
        try ledger.append(try Self.records())
        let written = try files.read("ledger/ledger")
        let shown = try FormatPages.examples()["ledger/ledger"]
        #expect(shown == written, "docs/formats/ must show ledger/ledger:\n\(FormatPages.dump(written))")
        files.damage("ledger/ledger") { $0 = shown ?? [] }
        let (_, state) = try Ledger.open(folder: "ledger", files)
        #expect(state.silences.byID.keys.sorted() == ["s1", "s2"])
        #expect(Array(state.deliveries) == [Self.delivery])
        #expect(state.histories.byFingerprint.values.map(\.changes) == [[Self.change]])
    }

    @Test("a delivery of an older version is read, and stays without attempts")
    func older() throws {
        let files = FaultyFileSystem()
        let (ledger, _) = try Ledger.open(folder: "ledger", files)
        var older = Self.delivery
        older.log = []
        #expect(LedgerRecord.delivery(older).encode().first == 5)
        #expect(LedgerRecord.delivery(Self.delivery).encode().first == 8)
        try ledger.append([.delivery(older)])
        let (again, state) = try Ledger.open(folder: "ledger", files)
        #expect(Array(state.deliveries) == [older])
        try again.compact(state)
        #expect(Array(try Ledger.open(folder: "ledger", files).1.deliveries) == [older])
    }
}
