import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// Files of the log, the checkpoint and the spill that are gone, emptied or replaced: it is said wherever people look,
/// for as long as it is so, and nothing that may be the last copy is removed.
@Suite struct LostFileTests {
    private static let start: Int64 = 1_700_000_400_000

    private static func open(_ files: FaultyFileSystem, now: Int64 = start + 6_000_000) throws -> TimeSeriesStore {
        try .open(files, now: now) { ($0.blockDuration, $0.walSegmentSize) = (600_000, 4096) }
    }

    /// A store as a kill leaves it: blocks, a checkpoint, spill files of two windows, several segments of the log.
    private static func specimen() throws -> FaultyFileSystem {
        let files = FaultyFileSystem()
        let store = try open(files)
        for step in 0..<280 {
            try store.push(series: 20, at: start + Int64(step) * 15_000, durability: .synced) { Double(step * $0) / 7 }
            if step == 150 { store.runMaintenance() }
            if step == 200 { try store.checkpoint() }
        }
        _ = store.head.close(windowEnd: start + 600_000 * 7)
        for file in store.head.spill.files { _ = try file.sync() }
        try store.maintenanceLock.withLock { try store.blockSet.noteSegment(store.log.newestWithFrame) }
        store.abandon()
        return files
    }

    private static func warnings(_ store: TimeSeriesStore, at time: Int64) throws -> [String] {
        let warnings = SourceWarnings()
        var request = SelectRequest(matchers: [], minTime: time, maxTime: time)
        request.warn = { warnings.add($0) }
        _ = try store.select(request)
        return warnings.texts
    }

    /// Opens the store three times, the second time after a kill, and expects the same report each time.
    private static func expectReport(
        _ files: FaultyFileSystem, _ name: String, _ kind: LeftOutPart.Kind, _ comment: Comment
    ) throws {
        for round in 0..<3 {
            // Later starts are so late that the lost times are not those of the head any more.
            let store = try open(files, now: start + 6_000_000 + Int64(round) * 90_000_000)
            let isReported = store.leftOut.contains { $0.name == name && $0.kind == kind && !$0.isBlock }
            #expect(isReported, "\(comment), \(round)")
            #expect((store.damagedRecords > 0) == (round == 0), "\(comment), \(round)")
            #expect(try !warnings(store, at: start + 280 * 15_000 - 1).isEmpty, "\(comment), \(round)")
            #expect(try warnings(store, at: start - 1).isEmpty, "\(comment), \(round)")
            #expect(try warnings(store, at: start + 6_000_001).isEmpty, "\(comment), \(round)")
            if round == 0 { store.abandon() } else { try store.close() }
        }
    }

    private static func spills(_ files: FaultyFileSystem) throws -> [String: [UInt8]] {
        var result: [String: [UInt8]] = [:]
        for name in try files.list("data/spill") { result[name] = try files.read("data/spill/" + name) }
        return result
    }

    @Test(arguments: [false, true])
    func `a missing checkpoint is reported, and its spill files are kept`(withLog: Bool) throws {
        let files = try Self.specimen()
        try files.remove("data/checkpoint")
        if !withLog { for name in try files.list("data/wal") { try files.remove("data/wal/" + name) } }
        let before = try Self.spills(files)
        #expect(before.count > 1)
        try Self.expectReport(files, "checkpoint", .missing, "log \(withLog)")
        let after = try Self.spills(files)
        for (name, content) in before { #expect(after[name + SetAside.suffix] == content, "\(name)") }
    }

    @Test func `blocks that are gone with their list are reported`() throws {
        let files = try Self.specimen()
        let store = try Self.open(files)
        #expect(store.blocks.count > 0 && store.leftOut.isEmpty)
        try store.close()
        try files.removeAll("data/blocks")
        for round in 0..<3 {
            let store = try Self.open(files)
            #expect(store.leftOut.map(\.name) == ["blocks"] && store.leftOut.map(\.kind) == [.missing], "\(round)")
            #expect(try !Self.warnings(store, at: Self.start).isEmpty)
            if round == 0 { store.abandon() } else { try store.close() }
        }
        try files.remove("data/" + DamageNotes.fileName)
        #expect(try Self.open(files).leftOut.isEmpty)
        // A store that has none misses none.
        let other = FaultyFileSystem()
        for _ in 0..<3 {
            let store = try Self.open(other)
            #expect(store.leftOut.isEmpty)
            try store.close()
            try other.removeAll("data/blocks")
        }
    }

    @Test func `a kill before the first checkpoint is no damage`() throws {
        let files = FaultyFileSystem()
        let store = try Self.open(files)
        let group = store.openGroup("g")
        for step in 0..<100 {
            var batch = SampleBatch(timestamp: Self.start + Int64(step) * 15_000)
            batch.append(try store.resolve(TimeSeriesStoreTests.labels(["__name__": "m"]), in: group), Double(step) / 7)
            _ = try store.commit(batch, in: group, durability: .synced)
        }
        for file in store.head.spill.files { _ = try file.sync() }
        store.abandon()
        #expect(try !files.list("data/spill").isEmpty && !files.exists("data/checkpoint"))
        let again = try Self.open(files)
        #expect(again.damagedRecords == 0 && again.leftOut.isEmpty)
        #expect(try !files.list("data/spill").contains { $0.hasSuffix(SetAside.suffix) })
    }

    @Test(arguments: ["removed", "emptied", "cut", "foreign"])
    func `each lost segment of the log is reported`(what: String) throws {
        let whole = try Self.specimen()
        let segments = try whole.list("data/wal")
        #expect(segments.count > 2)
        for segment in segments {
            let files = whole.afterPowerCut(.kept)
            let path = "data/wal/" + segment
            switch what {
            case "removed": try files.remove(path)
            case "emptied": files.damage(path) { $0 = [] }
            case "cut": files.damage(path) { $0.removeLast($0.count - 7) }
            default: files.damage(path) { $0 = Array(repeating: UInt8(ascii: "x"), count: 100) }
            }
            let kind: LeftOutPart.Kind = what == "removed" ? .missing : .damaged
            try Self.expectReport(files, "wal/" + segment, kind, "\(segment) \(what)")
            switch what {
            case "removed": #expect(try !files.exists(path))
            case "foreign": #expect(try files.exists(path))
            default: #expect(try files.exists(path + SetAside.suffix))
            }
        }
    }

    /// Where frames end, from the end of the header on.
    private static func borders(_ segment: [UInt8]) -> [Int] {
        var result: [Int] = []
        var at = WriteAheadLog.headerSize
        while at < segment.count {
            result.append(at)
            let length = segment[at..<(at + 4)].reversed().reduce(0) { $0 << 8 | Int($1) }
            at += 8 + length & Int(~WriteAheadLog.packedFlag)
        }
        return result
    }

    @Test func `a segment that ends too early is reported, also if it ends with a whole frame`() throws {
        let whole = try Self.specimen()
        let segments = try whole.list("data/wal")
        var random = SeededRandom(seed: SeededRandom.runSeed)
        #expect(segments.count > 3)
        for segment in segments.dropLast() {
            let borders = Self.borders(try whole.read("data/wal/" + segment))
            for border in Set([borders.first, borders.last, borders.randomElement(using: &random)].compactMap { $0 }) {
                let files = whole.afterPowerCut(.kept)
                files.damage("data/wal/" + segment) { $0.removeLast($0.count - border) }
                try Self.expectReport(files, "wal/" + segment, .damaged, "\(segment) until \(border)")
                #expect(try files.exists("data/wal/" + segment + SetAside.suffix))
            }
        }
        // None hides another.
        let files = whole.afterPowerCut(.kept)
        for segment in segments.dropLast() {
            files.damage("data/wal/" + segment) { $0.removeLast($0.count - WriteAheadLog.headerSize) }
        }
        let found = Set(try Self.open(files).leftOut.map(\.name))
        #expect(found.isSuperset(of: segments.dropLast().map { "wal/" + $0 }))
    }

    @Test(arguments: [true, false])
    func `a process that was killed leaves segments whose size the next one says`(isSynced: Bool) throws {
        let files = FaultyFileSystem()
        for round in 0..<3 {
            let store = try Self.open(files)
            #expect(store.damagedRecords == 0 && store.leftOut.isEmpty)
            let group = store.openGroup("g")
            for step in 0..<4 {
                var batch = SampleBatch(timestamp: Self.start + Int64(round * 100 + step) * 1000)
                let labels = TimeSeriesStoreTests.labels(["__name__": "m\(round)"])
                batch.append(try store.resolve(labels, in: group), Double(step))
                // The last commit syncs all that is there, and the sync is followed by one more frame.
                let durability: Durability = isSynced || step == 2 ? .synced : .written
                _ = try store.commit(batch, in: group, durability: durability)
            }
            store.abandon()
        }
        let segments = try files.list("data/wal")
        #expect(segments.count == 3)
        for segment in segments.dropLast() {
            let copy = files.afterPowerCut(.kept)
            copy.damage("data/wal/" + segment) { $0.removeLast($0.count - Self.borders($0)[1]) }
            let names = try Self.open(copy).leftOut.map(\.name)
            #expect(names == ["wal/" + segment])
        }
        #expect(try Self.open(files.afterPowerCut(.dropped)).damagedRecords == 0)
    }

    @Test(arguments: [true, false])
    func `a missing spill file is reported, though a block has other samples of its window`(
        writesBlock: Bool
    ) throws {
        let files = FaultyFileSystem()
        let start: Int64 = 1_700_000_400_000
        func open() throws -> TimeSeriesStore {
            try .open(files, now: start + 7_200_000) {
                ($0.blockDuration, $0.outOfOrderWindow) = (600_000, 7_200_000)
            }
        }
        var store = try open()
        for step in 0..<100 { try store.push("m", at: [start + Int64(step) * 1000], durability: .synced) }
        if writesBlock { _ = try store.snapshot() }
        for step in 100..<500 { try store.push("m", at: [start + Int64(step) * 1000], durability: .synced) }
        try store.close()
        let names = try files.list("data/spill").filter { $0.hasSuffix(".spill") }
        #expect(!names.isEmpty)
        for name in names { try files.remove("data/spill/" + name) }
        for life in 0..<3 {
            store = try open()
            let missing = store.leftOut.filter { $0.kind == .missing }.map(\.name)
            #expect(Set(missing).isSuperset(of: names.map { "spill/" + $0 }), "life \(life)")
            if life == 1 { try store.checkpoint() }
            store.abandon()
        }
    }

    @Test func `a spill file that a cut has removed is not missing, whenever the process ends`() throws {
        let files = FaultyFileSystem()
        let start: Int64 = 1_700_000_400_000
        func open(_ files: FaultyFileSystem) throws -> TimeSeriesStore {
            try .open(files, now: start + 7_200_000) { $0.blockDuration = 600_000 }
        }
        let store = try open(files)
        for step in 0..<700 {
            try store.push("m", at: [start + Int64(step) * 1000])
            if step == 500 { try store.checkpoint() }
        }
        let end = try #require(store.head.windows().first)
        // The checkpoint that names the file is the last one.
        try store.maintenanceLock.withLock { try store.cutWindows([end]) }
        store.abandon()
        for _ in 0..<3 {
            let again = try open(files)
            #expect(again.leftOut.isEmpty)
            #expect(try again.stored().map(\.times.count) == [700])
            again.abandon()
        }
    }

    @Test func `a damaged chunk of the spill is reported also when a block was written without it`() throws {
        let files = try Self.specimen()
        let name = try #require(try files.list("data/spill").first { $0.hasSuffix(".spill") })
        files.damage("data/spill/" + name) { $0[$0.count / 2] ^= 1 }
        for life in 0..<4 {
            let store = try Self.open(files)
            if life == 0 {
                let windows = store.head.windows()
                try store.maintenanceLock.withLock { for end in windows { try store.cutWindows([end]) } }
                #expect(try !files.exists("data/spill/" + name))
            }
            let own = store.leftOut.filter { $0.name == "spill/" + name }
            #expect(own.count == 1 && own.allSatisfy { $0.kind == .damaged }, "life \(life): \(store.leftOut)")
            #expect(try files.exists("data/spill/" + name + SetAside.suffix), "life \(life)")
            let time = try #require(own.first?.times?.lowerBound)
            #expect(try !Self.warnings(store, at: time).isEmpty, "life \(life)")
            if life % 2 == 0 { store.abandon() } else { try store.close() }
        }
    }

    @Test func `the only segment is named by the checkpoint, and missed if it is gone`() throws {
        let files = try Self.specimen()
        for name in try files.list("data/wal") { try files.remove("data/wal/" + name) }
        let first = try #require(try Self.open(files.afterPowerCut(.kept)).leftOut.first)
        #expect(first.name.hasPrefix("wal/") && first.kind == .missing)
        try Self.expectReport(files, first.name, .missing, "all segments")
    }

    @Test(arguments: ["data/checkpoint", "data/wal/"])
    func `damage is reported until somebody removes the file that is set aside`(place: String) throws {
        let files = try Self.specimen()
        let path = place.hasSuffix("/") ? place + (try #require(try files.list("data/wal").first)) : place
        files.damage(path) { $0[$0.count / 2] ^= 1 }
        let name = String(path.dropFirst("data/".count))
        try Self.expectReport(files, name, .damaged, "\(path)")
        // A second time, beside the first.
        if place == "data/checkpoint" {
            files.damage(path) { $0[$0.count / 2] ^= 1 }
            let store = try Self.open(files)
            #expect(store.leftOut.map(\.name) == ["checkpoint", "checkpoint.2"])
            store.abandon()
            try files.remove("data/checkpoint.2.damaged")
        }
        let clock = ManualClock(now: Self.start + 6_000_000)
        let store = try TimeSeriesStore.open(files, clock) { $0.blockDuration = 600_000 }
        #expect(store.leftOut.map(\.name) == [name])
        store.runMaintenance()
        #expect(!store.leftOut.isEmpty)
        try files.remove(path + SetAside.suffix)
        clock.advance(to: clock.now() + 11_000)
        store.runMaintenance()
        #expect(store.leftOut.isEmpty)
        try store.close()
        #expect(try Self.open(files).leftOut.isEmpty)
        #expect(try !files.exists("data/" + DamageNotes.fileName))
    }

    @Test func `no single damage of the notes loses what they say`() throws {
        let files = try Self.specimen()
        files.damage("data/checkpoint") { $0[$0.count / 2] ^= 1 }
        try files.remove("data/wal/" + (try #require(try files.list("data/wal").last { $0 != "x" })))
        try Self.open(files).close()
        try files.removeAll("data/blocks")
        try Self.open(files).close()
        let before = try Self.open(files)
        before.abandon()
        #expect(Set(before.leftOut.map(\.kind)) == [.damaged, .missing])
        for name in DamageNotes.fileNames {
            let content = try files.read("data/" + name)
            for at in content.indices {
                let copy = files.afterPowerCut(.kept)
                copy.damage("data/" + name) { $0[at] ^= 1 }
                for _ in 0..<2 {
                    let store = try Self.open(copy)
                    #expect(store.leftOut == before.leftOut, "\(name), byte \(at)")
                    store.abandon()
                }
                // The next damage finds two copies again.
                for other in DamageNotes.fileNames where other != name { copy.damage("data/" + other) { $0 = [] } }
                let store = try Self.open(copy)
                #expect(store.leftOut == before.leftOut, "\(name), byte \(at), and the other")
                store.abandon()
            }
            for content in [[], Array(repeating: UInt8(ascii: "["), count: 3 << 20)] {
                let copy = files.afterPowerCut(.kept)
                copy.damage("data/" + name) { $0 = content }
                #expect(try Self.open(copy).leftOut == before.leftOut, "\(name), \(content.count)")
            }
            let copy = files.afterPowerCut(.kept)
            try copy.remove("data/" + name)
            try copy.createDirectory("data/" + name)
            #expect(try Self.open(copy).leftOut == before.leftOut, "\(name)")
        }
    }

    @Test func `who removes the notes has taken notice of what is missing, not of what is set aside`() throws {
        let files = try Self.specimen()
        files.damage("data/checkpoint") { $0[$0.count / 2] ^= 1 }
        try Self.open(files).close()
        try files.removeAll("data/blocks")
        try Self.open(files).close()
        let before = try Self.open(files)
        before.abandon()
        let kept = before.leftOut.filter { $0.kind == .damaged }
        #expect(kept.map(\.name) == ["checkpoint"] && before.leftOut.count == 2)
        for names in [["damage.json"], DamageNotes.fileNames] {
            let copy = files.afterPowerCut(.kept)
            for name in names { try copy.remove("data/" + name) }
            let store = try Self.open(copy)
            #expect(store.leftOut.map(\.name) == ["checkpoint"])
            // Without a copy its times are not known: then each answer warns.
            #expect((store.leftOut == kept) == (names.count == 1))
            #expect(try Self.warnings(store, at: Self.start - 1).isEmpty == (names.count == 1))
            #expect(try !Self.warnings(store, at: Self.start + 280 * 15_000 - 1).isEmpty)
        }
    }

    @Test func `the numbers that a full disk leaves out are not missed`() throws {
        let files = FaultyFileSystem()
        let store = try Self.open(files)
        func push(_ step: Int) throws {
            try store.push("m", at: [Self.start + Int64(step) * 1000], durability: .whenPossible)
        }
        for round in 0..<6 {
            for step in 0..<3 { try push(round * 100 + step) }
            if round % 2 == 1 { try store.maintenanceLock.withLock { _ = try store.log.rotate() } }
            // There is room for a header, but not for a frame.
            files.setCapacity(4096 * files.pages("data") / 4096)
            for step in 3..<20 { try push(round * 100 + step) }
            files.setCapacity(1 << 30)
            try push(round * 100 + 20)
            let after = try Self.open(files.afterPowerCut(.kept))
            #expect(after.damagedRecords == 0 && after.leftOut.isEmpty, "round \(round): \(after.leftOut)")
        }
    }

    @Test(arguments: [1, 7, 300])
    func `a torn end of the log is no damage, however often the store is killed after it`(cut: Int) throws {
        let files = FaultyFileSystem()
        for round in 0..<4 {
            let store = try Self.open(files)
            #expect(store.damagedRecords == 0 && store.leftOut.isEmpty, "\(round): \(store.leftOut)")
            let group = store.openGroup("g")
            for step in 0..<30 {
                var batch = SampleBatch(timestamp: Self.start + Int64(round * 100 + step) * 1000)
                for s in 0..<10 {
                    let labels = TimeSeriesStoreTests.labels(["__name__": "m\(s)"])
                    batch.append(try store.resolve(labels, in: group), Double(step * s) / 7)
                }
                _ = try store.commit(batch, in: group, durability: .synced)
            }
            store.abandon()
            let segment = try #require(try files.list("data/wal").last)
            files.damage("data/wal/" + segment) { $0.removeLast(min($0.count - WriteAheadLog.headerSize, cut)) }
        }
    }

    @Test func `gaps are the numbers without a file that no segment explains`() {
        typealias Gaps = [ClosedRange<UInt64>]
        func gaps(_ all: [UInt64], _ first: UInt64?, _ last: UInt64?, _ unused: [Range<UInt64>] = []) -> Gaps {
            RecoveryPlan.gaps(all, from: first, to: last, unused: unused)
        }
        #expect(gaps([], nil, nil).isEmpty && gaps([3, 4, 5], 3, 5).isEmpty && gaps([1, 2, 7], 7, 7).isEmpty)
        #expect(gaps([], 4, nil) == [4...4] && gaps([2, 3], 4, nil) == [4...4])
        #expect(gaps([3, 5, 9], 3, 9) == [4...4, 6...8])
        #expect(gaps([3, 5, 9], 3, 9, [4..<5, 7..<9]) == [6...6])
        #expect(gaps([3, 5, 9], 3, 9, [2..<5, 6..<9]).isEmpty)
        // Behind the last own segment, a file of somebody else proves nothing.
        #expect(gaps([3, 1 << 60], 3, 3).isEmpty)
        #expect(gaps([1 << 62], 1 << 62, 1 << 62).isEmpty && gaps([], 1 << 62, nil) == [1 << 62...1 << 62])
    }

    @Test func `an emptied segment is not said to be Prometheus's`() throws {
        let files = try Self.specimen()
        let segment = try #require(try files.list("data/wal").last)
        files.damage("data/wal/" + segment) { $0 = [] }
        #expect(try DirectoryOwner.of("data", files) == .store(isMarked: true, foreign: [], strays: []))
        // Nor is one with other content: it is said to have the name of a segment.
        files.damage("data/wal/" + segment) { $0 = Array(repeating: 1, count: 100) }
        try files.createDirectory("data/wal/checkpoint.00000001")
        #expect(
            try DirectoryOwner.of("data", files)
                == .store(isMarked: true, foreign: ["wal/checkpoint.00000001"], strays: ["wal/" + segment]))
        // Beside nothing else, it may be one of Prometheus.
        let other = FaultyFileSystem()
        try other.createDirectory("p")
        try other.createDirectory("p/wal")
        _ = try other.open("p/wal/00000000", .create)
        #expect(try DirectoryOwner.of("p", other) == .prometheus(name: "wal/00000000"))
    }
}
