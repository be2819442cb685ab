import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Storage

/// Files of another store in the directory of a store.
@Suite struct OtherStoreTests {
    private static let start: Int64 = 1_700_000_400_000
    private static let seriesCount = 3

    /// A store with as many series as the other one, whose numbers are the same, and with other labels and values.
    private struct Made {
        let name: String
        let files: FaultyFileSystem
        /// Its samples by instance and time.
        var truth: [String: [Int64: Double]] = [:]
        /// The segment of the log that has the samples of a step; 0 for those before the checkpoint.
        var segments: [Int: UInt64] = [:]
    }

    private static func open(_ files: any FileSystem, _ id: UInt64 = 0) throws -> TimeSeriesStore {
        try .open(files, now: start + 2_000_000) {
            $0.blockDuration = 600_000
            if id != 0 { $0.makeIdentity = { id } }
        }
    }

    private static func instance(_ name: String, _ series: Int) -> String { "\(name)\(series)" }

    private static func push(_ made: inout Made, _ store: TimeSeriesStore, _ step: Int) throws {
        let time = start + Int64(step) * 15_000
        let group = store.openGroup("g")
        var batch = SampleBatch(timestamp: time)
        for series in 0..<seriesCount {
            let value = Double(step * 10 + series) * (made.name == "a" ? 1 : -1.5) - 1
            let instance = instance(made.name, series)
            batch.append(try store.resolve(Labels([("instance", instance), ("name", made.name)]), in: group), value)
            made.truth[instance, default: [:]][time] = value
        }
        _ = try store.commit(batch, in: group, durability: .synced)
        made.segments[step] = store.log.segment
    }

    /// Steps 0…59 are in the checkpoint, some of them in a spill file; the rest is in two segments of the log.
    private static func make(_ name: String, _ id: UInt64, isClosed: Bool, hasCheckpoint: Bool) throws -> Made {
        var made = Made(name: name, files: FaultyFileSystem())
        let store = try open(made.files, id)
        if hasCheckpoint {
            for step in 0..<60 { try push(&made, store, step) }
            try store.checkpoint()
            for step in 0..<60 { made.segments[step] = 0 }
        }
        for step in 60..<70 { try push(&made, store, step) }
        _ = try store.log.rotate()
        for step in 70..<80 { try push(&made, store, step) }
        if isClosed {
            try store.close()
            for step in made.segments.keys { made.segments[step] = 0 }
        } else {
            store.abandon()
        }
        return made
    }

    private static func put(_ path: String, _ content: [UInt8], _ files: FaultyFileSystem) throws {
        let file = try files.open(path, .replace)
        try file.write(content)
        try file.syncData()
        file.close()
    }

    private static func names(_ made: Made) throws -> [String] {
        ["store.martlet"] + (try made.files.exists("data/checkpoint") ? ["checkpoint"] : [])
            + (try made.files.list("data/wal").sorted().map { "wal/" + $0 })
    }

    /// The samples that are found; each has the value that its own store has.
    private static func found(_ store: TimeSeriesStore, _ made: [Made]) throws -> [String: Set<Int64>] {
        let truth = made.reduce(into: [:]) { $0.merge($1.truth) { $1 } }
        var result: [String: Set<Int64>] = [:]
        let set = try store.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max, warn: { _ in }))
        var columns = SampleColumns()
        for index in 0..<set.count {
            try set.read(index, into: &columns)
            let instance = set.labels(index)["instance"] ?? ""
            for at in 0..<columns.count {
                let (time, value) = (columns.timestamps[at], columns.values[at])
                #expect(truth[instance]?[time] == value, "\(instance) at \(time)")
                result[instance, default: []].insert(time)
            }
        }
        return result
    }

    /// The samples that must be found when these files are of the other store.
    private static func served(_ made: Made, without exchanged: Set<String>) -> [String: Set<Int64>] {
        var result: [String: Set<Int64>] = [:]
        for (step, segment) in made.segments
        where segment == 0 || !exchanged.contains("wal" + WriteAheadLog.path("", segment)) {
            for series in 0..<seriesCount {
                result[instance(made.name, series), default: []].insert(start + Int64(step) * 15_000)
            }
        }
        return result
    }

    /// What files of the other store lead to.
    private static func check(_ a: Made, _ b: Made, _ exchanged: Set<String>, _ all: [String]) throws {
        let files = a.files.afterPowerCut(.kept)
        for name in exchanged { try put("data/" + name, try b.files.read("data/" + name), files) }
        let stated = try StoreIdentity.stated(in: "data", files)
        let identity = StoreIdentity.decide(stated)
        let left = Set(
            all.filter { name in
                switch name {
                case "checkpoint": identity.isCheckpointOther
                case "store.martlet": stated.marker != identity.id
                default: identity.otherSegments.contains { name == "wal" + WriteAheadLog.path("", $0) }
                }
            })
        let store = try open(files)
        let reported = Set(store.leftOut.filter { $0.isOther && $0.description.contains("another store") }.map(\.name))
        #expect(reported == left.subtracting(["store.martlet"]))
        #expect((store.damagedRecords > 0) == !reported.isEmpty)
        let found = try found(store, [a, b])
        // The file with the labels of the series.
        let labels = all.contains("checkpoint") ? "checkpoint" : all[1]
        if identity.id == 1, !exchanged.contains(labels) {
            #expect(found == served(a, without: exchanged))
        } else if identity.id == 1 {
            // Without their labels, samples of the log belong to nobody.
            #expect(found.keys.allSatisfy { $0.hasPrefix("a") })
        }
        try push(store)
        #expect(store.brokenInvariant == nil)
        try store.close()
        for name in left {
            #expect(
                try files.read("data/\(name).damaged") == (exchanged.contains(name) ? b : a).files.read("data/" + name))
        }
        #expect(StoreMarker.id(in: try files.read("data/store.martlet")) == identity.id)
        let again = try open(files)
        #expect(again.damagedRecords == 0)
        #expect(Set(again.leftOut.filter(\.isOther).map(\.name)) == reported)
        #expect(try again.stored(named: "new").times.count == 1)
        #expect(try self.found(again, [a, b, new]).filter { $0.key != "new" } == found)
    }

    private static let new = Made(name: "new", files: FaultyFileSystem(), truth: ["new": [start + 1_500_000: 1]])

    private static func push(_ store: TimeSeriesStore) throws {
        let group = store.openGroup("new")
        var batch = SampleBatch(timestamp: start + 1_500_000)
        batch.append(try store.resolve(Labels([("__name__", "new"), ("instance", "new")]), in: group), 1)
        _ = try store.commit(batch, in: group, durability: .synced)
    }

    @Test(arguments: [false, true], [false, true])
    func `files of another store never give their values to a series`(isClosed: Bool, hasCheckpoint: Bool) throws {
        let a = try Self.make("a", 1, isClosed: isClosed, hasCheckpoint: hasCheckpoint)
        let b = try Self.make("b", 2, isClosed: isClosed, hasCheckpoint: hasCheckpoint)
        let all = try Self.names(a)
        #expect(try Self.names(b) == all && (hasCheckpoint || isClosed) == all.contains("checkpoint"))
        #expect(all.count == (isClosed ? 3 : hasCheckpoint ? 4 : 3), "\(all)")
        for bits in 0..<(1 << all.count) {
            try Self.check(a, b, Set(all.indices.filter { bits >> $0 & 1 == 1 }.map { all[$0] }), all)
        }
    }

    @Test func `a file of another store beside the log is left out, whatever its number`() throws {
        let a = try Self.make("a", 1, isClosed: false, hasCheckpoint: true)
        let b = try Self.make("b", 2, isClosed: false, hasCheckpoint: true)
        let other = try #require(try b.files.list("data/wal").max())
        for number in [1, 9] as [UInt64] {
            let files = a.files.afterPowerCut(.kept)
            let name = WriteAheadLog.path("wal", number)
            #expect(try !files.exists("data/" + name))
            try Self.put("data/" + name, try b.files.read("data/wal/" + other), files)
            let store = try Self.open(files)
            #expect(store.leftOut.map(\.name) == [name] && store.leftOut.first?.isOther == true)
            #expect(try Self.found(store, [a, b]) == Self.served(a, without: []))
            try store.close()
            #expect(try files.exists("data/\(name).damaged") && !files.exists("data/" + name))
        }
    }

    @Test func `the block duration of another store's checkpoint does not count`() throws {
        let a = try Self.make("a", 1, isClosed: false, hasCheckpoint: true)
        let other = FaultyFileSystem()
        let store = try TimeSeriesStore.open(other, now: Self.start) {
            ($0.blockDuration, $0.makeIdentity) = (300_000, { 2 })
        }
        try store.push("b", at: [Self.start])
        try store.close()
        try Self.put("data/checkpoint", try other.read("data/checkpoint"), a.files)
        #expect(try TimeSeriesStore.blockDuration(of: "data", a.files) == nil)
        let opened = try Self.open(a.files)
        #expect(opened.leftOut.contains { $0.name == "checkpoint" && $0.isOther })
        #expect(try Self.found(opened, [a]).isEmpty)
        try opened.close()
        #expect(try a.files.read("data/checkpoint.damaged") == other.read("data/checkpoint"))
    }

    @Test func `the spill files of another store give no values`() throws {
        let a = try Self.make("a", 1, isClosed: true, hasCheckpoint: true)
        let b = try Self.make("b", 2, isClosed: true, hasCheckpoint: true)
        let names = try a.files.list("data/spill")
        #expect(try !names.isEmpty && b.files.list("data/spill") == names)
        for name in names { try Self.put("data/spill/" + name, try b.files.read("data/spill/" + name), a.files) }
        let store = try Self.open(a.files)
        let warnings = Mutex(0)
        let set = try store.select(
            SelectRequest(
                matchers: [], minTime: .min, maxTime: .max, warn: { _ in warnings.withLock { $0 += 1 } }))
        var columns = SampleColumns()
        for index in 0..<set.count { try set.read(index, into: &columns) }
        #expect(warnings.withLock { $0 } > 0)
        let count = try Self.found(store, [a]).values.reduce(0) { $0 + $1.count }
        #expect(count > 0 && count < 80 * Self.seriesCount)
        store.abandon()
    }

    @Test func `what reads a directory reports files of another store, and changes nothing`() throws {
        let temporary = try TemporaryFolder()
        let real = RealFileSystem()
        for (name, id) in [("a", 1), ("b", 2)] as [(String, UInt64)] {
            var options = StoreOptions(directory: temporary.path + "/" + name, runsInBackground: false)
            options.makeIdentity = { id }
            let store = try TimeSeriesStore.open(options: options)
            try store.push(name, at: [Self.start])
            try store.close()
        }
        let (a, b) = (temporary.path + "/a", temporary.path + "/b")
        try real.replace(a + "/checkpoint", with: try real.read(b + "/checkpoint"))
        let before = try Self.tree(a, real)
        let store = try TimeSeriesStore.open(
            options: StoreOptions(directory: a, usesLockFile: false, runsInBackground: false),
            fileSystem: try OverlayFileSystem(a))
        #expect(store.leftOut.map(\.description) == ["samples of checkpoint are missing: it is of another store"])
        #expect(try store.stored().isEmpty)
        store.abandon()
        #expect(try Self.tree(a, real) == before)
    }

    private static func tree(_ path: String, _ files: any FileSystem) throws -> [String: [UInt8]] {
        try files.list(path).reduce(into: [:]) { result, name in
            let child = path + "/" + name
            if try files.status(child).isDirectory {
                result.merge(try tree(child, files)) { $1 }
            } else {
                result[child] = try files.read(child)
            }
        }
    }

    @Test func `a snapshot is whole, and becomes a store of its own`() throws {
        var made = Made(name: "a", files: FaultyFileSystem())
        let store = try Self.open(made.files, 1)
        for step in 0..<80 { try Self.push(&made, store, step) }
        let name = try store.snapshot()
        try Self.push(&made, store, 80)
        store.abandon()
        var options = StoreOptions(
            directory: "data/snapshots/" + name, retentionTime: 0, blockDuration: 600_000, runsInBackground: false)
        options.makeIdentity = { 7 }
        let clock = ManualClock(now: Self.start + 2_000_000)
        var again = try TimeSeriesStore.open(options: options, fileSystem: made.files, clock: clock)
        let whole = try Self.found(again, [made])
        #expect(whole.count == Self.seriesCount && whole.values.allSatisfy { $0.count == 80 })
        try again.close()
        // Numbers of series begin anew in a snapshot: the log of the store does not fit it.
        for segment in try made.files.list("data/wal") {
            let path = "data/snapshots/\(name)/wal/\(segment)"
            try Self.put(path, try made.files.read("data/wal/" + segment), made.files)
        }
        again = try TimeSeriesStore.open(options: options, fileSystem: made.files, clock: clock)
        #expect(!again.leftOut.isEmpty && again.leftOut.allSatisfy(\.isOther))
        #expect(try Self.found(again, [made]) == whole)
        try again.close()
    }
}
