import Glibc
import Model
import Platform
import TestSupport
import Testing

@testable import Notify

@Suite("Ledger")
struct LedgerTests {
    static let records: [LedgerRecord] = [
        .alert(
            NotifiedAlert(
                Alert(
                    labels: Labels([("a", "1")]), annotations: Labels([("s", String(repeating: "x", count: 300))]),
                    startsAt: -1, endsAt: 1 << 50, generatorURL: "http://ä", updatedAt: 7), endIsAssumed: true)),
        .extended(Fingerprint(raw: .max), endsAt: 5, updatedAt: 6), .alertRemoved(Fingerprint(raw: 3)),
        .notified(
            NotificationEntry(
                groupKey: "{}:{}", receiver: "r/webhook/0", time: 9,
                firing: [Fingerprint(raw: 1), Fingerprint(raw: 2)],
                resolved: [], expiresAt: 99)),
        .delivery(
            Delivery(
                time: 1, groupID: "g", groupKey: "k", receiver: "r", integration: "i", reason: "x", outcome: .failed,
                status: 500, attempts: 3, duration: 12, error: "e", firing: [Fingerprint(raw: 1)], resolved: [])),
        .delivery(LedgerFormatTests.delivery),
        .changed(LedgerFormatTests.change, [Fingerprint(raw: 1)]),
        .history(
            AlertHistory(
                labels: Labels([("job", "a")]), startsAt: 3, endsAt: 4,
                changes: [LedgerFormatTests.change, AlertChange(time: 5, state: .notified, groupKey: "k", target: "i")])
        ),
        .silence(
            Silence(
                id: "s", matchers: [Matcher(name: "a", equals: "b")], startsAt: 1, endsAt: 2, updatedAt: 3,
                createdBy: "me", comment: "c")),
        .silenceRemoved("t"),
    ]

    /// Facts that leave something in memory.
    static let kept: [LedgerRecord] = records.filter {
        switch $0 {
        case .alert, .notified, .delivery, .silence, .history: true
        default: false
        }
    }

    /// The facts of ``kept`` that are in a state.
    private static func count(_ state: LedgerState) -> Int { state.records.count }

    @Test("every record is read back as it was written", arguments: records)
    func roundTrip(_ record: LedgerRecord) {
        #expect(LedgerRecord(record.encode()) == record)
    }

    @Test("a record cut short or with a flipped bit is no record, and never a crash", arguments: records)
    func damage(_ record: LedgerRecord) {
        let bytes = record.encode()
        for length in 0..<bytes.count { #expect(LedgerRecord(Array(bytes.prefix(length))) == nil) }
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 0x80
            _ = LedgerRecord(changed)
        }
    }

    @Test(
        "nothing is added to a file that has lost its name", arguments: [false, true])
    func lostName(isFolder: Bool) throws {
        let temporary = try TemporaryFolder()
        let folder = temporary.path
        let files = RealFileSystem()
        let (ledger, _) = try Ledger.open(folder: folder + "/l", files)
        try ledger.append(Self.records)
        let path = isFolder ? folder + "/l" : folder + "/l/ledger"
        try files.rename(path, to: folder + "/away")
        if isFolder { try files.replace(path, with: [1]) }
        let more = [LedgerRecord.silenceRemoved("u")]
        #expect(throws: FileError.self) { try ledger.append(more) }
        #expect(ledger.isBehind)
        let (other, state) = try Ledger.open(folder: isFolder ? folder + "/away" : folder + "/other", files)
        if !isFolder { try other.append(Self.records) }
        if isFolder {
            #expect(throws: FileError.self) { try ledger.compact(state) }
            try files.remove(path)
        }
        try ledger.compact(state)
        #expect(!ledger.isBehind)
        try ledger.append(more)
        let (_, again) = try Ledger.open(folder: folder + "/l", files)
        #expect(again.deliveries.count == (isFolder ? 2 : 0))
    }

    @Test("a file with other names keeps its content under those")
    func otherNames() throws {
        let temporary = try TemporaryFolder()
        let folder = temporary.path
        let files = RealFileSystem()
        let (path, other) = (folder + "/ledger", folder + "/other")
        try Ledger.open(folder: folder, files).0.append(Self.records)
        try files.link(path, to: other)
        let before = try files.read(other)
        try Ledger.open(folder: folder, files).0.append([.silenceRemoved("u")])
        #expect(try files.read(other) == before)
        #expect(try files.read(path).count > before.count)
    }

    @Test("what is no regular file is set aside, and the ledger opens", arguments: ["ledger", "ledger.tmp"])
    func irregular(_ name: String) throws {
        let files = RealFileSystem()
        let makers: [(String) throws -> Void] = [
            { #expect(mkfifo($0, 0o600) == 0) }, { try files.createDirectory($0 + "/inside") },
            { #expect(symlink("/dev/zero", $0) == 0) }, { #expect(symlink($0 + ".none", $0) == 0) },
            { #expect(symlink($0, $0) == 0) },
        ]
        for make in makers {
            let temporary = try TemporaryFolder()
            let folder = temporary.path
            let path = folder + "/" + name
            try make(path)
            let kind = try files.kind(path)
            try Ledger.open(folder: folder, files).0.append(Self.records)
            #expect(try files.kind(path + ".damaged") == kind)
            let (again, state) = try Ledger.open(folder: folder, files)
            #expect(state.deliveries.count == 2)
            try again.compact(state)
        }
    }

    @Test("a link to a ledger is read, and nothing is written through it")
    func link() throws {
        let temporary = try TemporaryFolder()
        let folder = temporary.path
        let files = RealFileSystem()
        try Ledger.open(folder: folder + "/other", files).0.append(Self.records)
        let before = try files.read(folder + "/other/ledger")
        try #require(symlink(folder + "/other/ledger", folder + "/ledger") == 0)
        let (ledger, state) = try Ledger.open(folder: folder, files)
        #expect(state.deliveries.count == 2)
        try ledger.append([.silenceRemoved("u")])
        #expect(try files.read(folder + "/other/ledger") == before)
        #expect(try files.kind(folder + "/ledger") == .file)
        #expect(try Ledger.open(folder: folder, files).1.deliveries.count == 2)
    }

    @Test("holes cost neither time nor memory, wherever they are", .timeLimit(.minutes(2)))
    func sparse() throws {
        let files = RealFileSystem()
        for (front, back) in [(false, false), (true, false), (true, true), (false, true)] {
            let temporary = try TemporaryFolder()
            let folder = temporary.path
            let path = folder + "/ledger"
            let ledger = try Ledger.open(folder: folder, files).0
            try ledger.append(Self.records)
            let whole = try files.read(path)
            try files.replace(path, with: front ? whole : [])
            let file = try files.open(path, .append)
            try file.truncate(to: 3 << 30)
            if back { try file.write(whole[16...].map { $0 }) }
            file.close()
            let (again, state) = try Ledger.open(folder: folder, files)
            #expect(state.deliveries.count == (front ? 2 : 0) + (back ? 2 : 0))
            #expect(again.size < 10_000)
            try again.append(Self.records)
        }
    }

    @Test("what is appended is there after opening again, and a torn tail is cut off")
    func tornTail() throws {
        let temporary = try TemporaryFolder()
        let folder = temporary.path
        let files = RealFileSystem()
        let (ledger, empty) = try Ledger.open(folder: folder, files)
        #expect(empty.alerts.byFingerprint.isEmpty)
        try ledger.append(Self.records)
        let whole = try files.read(folder + "/ledger")
        for cut in [1, 5, 9, 20] {
            try files.replace(folder + "/ledger", with: Array(whole.dropLast(cut)))
            let (again, state) = try Ledger.open(folder: folder, files)
            #expect(state.alerts.byFingerprint.count == 1)
            #expect(state.deliveries.count == 2)
            // The cut file can be written on.
            try again.append([.silenceRemoved("u"), .alertRemoved(Fingerprint(Labels([("a", "1")])))])
            #expect(try Ledger.open(folder: folder, files).1.alerts.byFingerprint.isEmpty)
        }
    }

    @Test("a flipped bit anywhere stops nothing: the file is set aside, and the whole records are kept")
    func corruption() throws {
        let files = FaultyFileSystem()
        try Ledger.open(folder: "ledger", files).0.append(Self.kept)
        let whole = try files.read("ledger/ledger")
        let last = whole.count - Ledger.frame(Array(Self.kept.suffix(1))).count
        for at in whole.indices {
            for bit in 0..<8 {
                let copy = files.afterPowerCut(.kept)
                copy.damage("ledger/ledger") { $0[at] ^= 1 << bit }
                let damaged = try copy.read("ledger/ledger")
                let (ledger, state) = try Ledger.open(folder: "ledger", copy)
                let missing = Self.kept.count - Self.count(state)
                // The last record may have been torn: nothing is behind it.
                #expect(missing <= (at < 16 ? 0 : 1), "byte \(at)")
                if at < last {
                    #expect(try copy.read("ledger/ledger.damaged") == damaged, "byte \(at)")
                } else {
                    #expect(try !copy.exists("ledger/ledger.damaged"), "byte \(at)")
                }
                try ledger.append([.silenceRemoved("u")])
                #expect(Self.count(try Ledger.open(folder: "ledger", copy).1) == Self.count(state), "byte \(at)")
            }
        }
    }

    @Test(
        "a file without a whole header is set aside, not overwritten",
        arguments: ["", "MTL", "something else entirely"])
    func foreign(content: String) throws {
        let files = FaultyFileSystem()
        try files.createDirectory("ledger")
        try files.replace("ledger/ledger", with: Array(content.utf8))
        let (ledger, state) = try Ledger.open(folder: "ledger", files)
        #expect(Self.count(state) == 0)
        try ledger.append(Self.kept)
        #expect(try files.read("ledger/ledger.damaged") == Array(content.utf8))
        #expect(Self.count(try Ledger.open(folder: "ledger", files).1) == Self.kept.count)
    }

    @Test("a ledger of a later version is refused untouched")
    func later() throws {
        let files = FaultyFileSystem()
        try Ledger.open(folder: "ledger", files).0.append(Self.kept)
        files.damage("ledger/ledger") { ($0[8], $0[12]) = (2, 2) }
        let before = try files.read("ledger/ledger")
        #expect(throws: LedgerError.self) { try Ledger.open(folder: "ledger", files) }
        #expect(try files.list("ledger") == ["ledger"])
        #expect(try files.read("ledger/ledger") == before)
    }

    @Test(
        "an append after a failed compaction is refused, or is in the file that a start reads",
        arguments: [FaultyFileSystem.Fault.fail(EIO), .fail(ENOSPC), .tear])
    func failedCompaction(fault: FaultyFileSystem.Fault) throws {
        var refused = 0
        for number in 1...6 {
            let files = FaultyFileSystem()
            let (ledger, _) = try Ledger.open(folder: "ledger", files)
            try ledger.append(Self.kept)
            let before = try Ledger.open(folder: "ledger", files.afterPowerCut(.dropped)).1
            files.inject(fault, at: files.operations.count + number)
            #expect(throws: FileError.self, "operation \(number)") { try ledger.compact(before) }
            guard case .silence(var silence) = try #require(Self.kept.last) else { continue }
            silence.id = "new"
            let isAdded = (try? ledger.append([.silence(silence)])) != nil
            if !isAdded { refused += 1 }
            for aftermath in FaultyFileSystem.Aftermath.allCases {
                let after = try Ledger.open(folder: "ledger", files.afterPowerCut(aftermath)).1
                #expect((after.silences.byID["new"] != nil) == isAdded, "operation \(number), \(aftermath)")
                #expect(after.silences.byID["s"] != nil, "operation \(number), \(aftermath)")
            }
            try ledger.compact(before)
            try ledger.append([.silence(silence)])
            let last = try Ledger.open(folder: "ledger", files.afterPowerCut(.dropped)).1
            #expect(last.silences.byID["new"] != nil)
        }
        // The file has got its name, but the directory could not be synced.
        #expect(refused == 1)
    }

    @Test("compaction keeps the state in a smaller file")
    func compaction() throws {
        let temporary = try TemporaryFolder()
        let folder = temporary.path
        let files = RealFileSystem()
        let (ledger, _) = try Ledger.open(folder: folder, files)
        for _ in 0..<200 { try ledger.append(Self.records.filter { if case .delivery = $0 { false } else { true } }) }
        let before = try Ledger.open(folder: folder, files).1
        try ledger.compact(before)
        try ledger.append([.silenceRemoved("none")])
        let after = try Ledger.open(folder: folder, files).1
        #expect(try files.status(folder + "/ledger").size < 1500)
        #expect(after.alerts.byFingerprint == before.alerts.byFingerprint)
        #expect(after.silences.byID == before.silences.byID)
        #expect(
            after.log.entry(groupKey: "{}:{}", groupID: "", receiver: "r/webhook/0")
                == before.log.entry(groupKey: "{}:{}", groupID: "", receiver: "r/webhook/0"))
    }
}
