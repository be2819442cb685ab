import Glibc
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// Whose directories are whose, and what is never touched.
@Suite struct DirectoryOwnerTests {
    private let now: Int64 = 1_700_000_000_000

    private func options(_ directory: String = "data") -> StoreOptions {
        StoreOptions(directory: directory, retentionTime: 0, runsInBackground: false)
    }

    private func open(_ files: FaultyFileSystem, _ directory: String = "data") throws -> TimeSeriesStore {
        try TimeSeriesStore.open(options: options(directory), fileSystem: files, clock: ManualClock(now: now))
    }

    private func put(_ files: FaultyFileSystem, _ path: String, _ content: String = "x") throws {
        try files.createDirectory(FilePath.parent(path))
        let file = try files.open(path, .replace)
        try file.write(Array(content.utf8))
        try file.syncData()
    }

    /// Everything below a directory: paths, and contents of files.
    private func tree(_ files: any FileSystem, _ path: String) throws -> [String: [UInt8]] {
        var result: [String: [UInt8]] = [:]
        for name in try files.list(path) {
            let child = path + "/" + name
            if try files.status(child).isDirectory {
                result[child + "/"] = []
                result.merge(try tree(files, child)) { $1 }
            } else {
                result[child] = try files.read(child)
            }
        }
        return result
    }

    private func write(_ store: TimeSeriesStore, _ samples: Range<Int>) throws {
        for step in samples { try store.push("m", at: [now + Int64(step) * 1000]) }
    }

    @Test(arguments: [
        ["wal/00000000"], ["wal/00000007", "lock"], ["chunks_head/000001"], ["wbl/00000000"],
        ["01HF00000000000000000000AB/meta.json", "01HF00000000000000000000AB/index"],
        ["wal/checkpoint.00000002/00000000"], ["wal/checkpoint.00000002.tmp/00000000"],
        ["chunk_snapshot.000003.0000000123/00000000", "queries.active"],
        ["01HF00000000000000000000AB.tmp-for-creation/index"],
    ])
    func `a directory of Prometheus is refused with what to do, and not a byte of it is touched`(names: [String]) throws
    {
        let files = FaultyFileSystem()
        for name in names { try put(files, "data/" + name) }
        let (before, operations) = (try tree(files, "data"), files.operations.count)
        do {
            _ = try open(files)
            Issue.record("it was opened")
        } catch StorageError.unusable(let why) {
            #expect(why.contains("martlet tsdb import data") && why.contains("--storage.tsdb.path"), "\(why)")
        }
        #expect(try tree(files, "data") == before)
        #expect(files.operations.count == operations)
    }

    @Test(arguments: [
        "notes.txt", "photos/one.jpg", "blocks/x", "wal/notes", "checkpoint", "store.martlet",
        "spill/1700006400000-1.spill", "wal/00000001.tmp", "wal/00000001.damaged", "wal/00000001 copy",
    ])
    func `a directory of strangers is refused, and not a byte of it is touched`(name: String) throws {
        let files = FaultyFileSystem()
        try put(files, "data/" + name)
        let (before, operations) = (try tree(files, "data"), files.operations.count)
        #expect(throws: StorageError.self) { _ = try open(files) }
        #expect(try tree(files, "data") == before)
        #expect(files.operations.count == operations)
    }

    @Test(arguments: ["", "MLT", "MLTWAL1\n", "MLTWAL1\n\u{1}\0\0", "MLTWAL2\n"])
    func `a segment that was begun before its header was complete is no reason to refuse a directory`(
        content: String
    ) throws {
        let files = FaultyFileSystem()
        try put(files, "data/wal/00000001.tmp", content)
        #expect(try open(files).stored().times.count == 0)
    }

    /// The names that a store's small files have; a store's own are told by their content.
    private static let smallNames = [
        "lock", "queries.active", "reserve", "probe", "probe.tmp", "checkpoint.tmp", "store.martlet.tmp", "damage.json",
        "damage.json.tmp", "damage.copy.json", "damage.copy.json.tmp",
    ]

    /// Contents of other programs, some of which begin as ours do.
    private static let foreign = [
        "x", "[{\"query\":\"up\"}", "one hundred years of solitude", "two ways", "MARTLEX", "MARTLETS and more",
        "MARTLETS\u{2}\0\0\0\u{2}\0\0\0 and more and more",
        "MLTCKPxyz",
        "{\"damages\"", "{\"damage\": 12}", "{\"damage\":[{\"file\":1}]}", "ZZZZZZZZZZZZZZZZ and text", "\0\0\0text",
        "{\"query\": \"select 1\"}",
    ]

    @Test(arguments: smallNames, foreign)
    func `a directory with another program's file of a small name is refused, and not a byte of it is touched`(
        name: String, content: String
    ) throws {
        let files = FaultyFileSystem()
        try put(files, "data/" + name, content)
        if name != "lock" { try put(files, "data/lock", "") }
        let (before, operations) = (try tree(files, "data"), files.operations.count)
        #expect(throws: StorageError.self) { _ = try open(files) }
        #expect(try tree(files, "data") == before)
        #expect(files.operations.count == operations)
    }

    @Test(arguments: smallNames) func `an empty file of a small name is no reason to refuse a directory`(name: String)
        throws
    {
        let files = FaultyFileSystem()
        try put(files, "data/" + name, "")
        try write(try open(files), 0..<3)
        #expect(StoreMarker.id(in: try files.read("data/store.martlet")) != nil)
    }

    @Test func `the small files of a store that was killed at once do not keep it from starting`() throws {
        let files = FaultyFileSystem()
        var store = try open(files)
        try write(store, 0..<3)
        store.abandon()
        let reserve = try files.read("data/reserve")
        for (name, content) in [
            ("reserve", reserve), ("probe.tmp", Array("two".utf8)), ("probe", Array("one".utf8)),
            ("store.martlet.tmp", StoreMarker.first), ("store.martlet.tmp", StoreMarker.bytes(7)),
            ("store.martlet.tmp", Array(StoreMarker.bytes(7).prefix(20))),
            ("checkpoint.tmp", Array(CheckpointWriter.magic)),
            (
                "queries.active",
                Array("{\"query\":\"up\",\"timestamp_sec\":1},\n".utf8) + [UInt8](repeating: 0, count: 2014)
            ), ("damage.json", Array("{\"damage\":[]}".utf8)),
        ] {
            let directory = "small-\(name)-\(content.count)"
            try files.createDirectory(directory)
            let file = try files.open(directory + "/" + name, .replace)
            try file.write(content)
            file.close()
            store = try TimeSeriesStore.open(
                options: StoreOptions(directory: directory, runsInBackground: false), fileSystem: files,
                clock: ManualClock(now: 1_800_000_000_000))
            store.abandon()
        }
    }

    @Test(arguments: [[], ["lost+found/x"], [".snapshot/x"]])
    func `a directory that holds nothing becomes a store, with a marker`(names: [String]) throws {
        let files = FaultyFileSystem()
        try files.createDirectory("data")
        for name in names { try put(files, "data/" + name) }
        try write(try open(files), 0..<3)
        #expect(StoreMarker.id(in: try files.read("data/store.martlet")) != nil)
        for name in names where name != "lock" { #expect(try files.read("data/" + name) == Array("x".utf8)) }
    }

    @Test(arguments: [["checkpoint"], ["wal"], ["blocks"], ["checkpoint", "wal"], []])
    func `a store without a marker is taken, whichever of its files is left`(without: [String]) throws {
        let files = FaultyFileSystem()
        var store = try open(files)
        try write(store, 0..<30)
        store.runMaintenance()
        store.abandon()
        if without != ["wal"] {
            store = try open(files)
            try store.close()
        }
        for name in without + ["store.martlet"] { try files.removeAll("data/" + name) }
        let again = try open(files.afterPowerCut(.kept))
        if without.isEmpty { #expect(try again.stored().times.count == 30) }
        #expect(try again.fileSystem.exists("data/store.martlet"))
    }

    @Test func `in a store, files that are not its own stay, wherever they lie`() throws {
        let files = FaultyFileSystem()
        var store = try open(files)
        try write(store, 0..<10)
        try store.close()
        let strangers = [
            "data/notes", "data/wal/00000000", "data/wal/notes", "data/wal/00000009", "data/wal/checkpoint.00000001/0",
            "data/spill/notes", "data/spill/x.spill", "data/blocks/notes", "data/blocks/01HF00000000000000000000AB/x",
            "data/blocks/01HF00000000000000000000AC.tmp/x", "data/blocks/01HF00000000000000000000AD/chunks/000001",
            "data/snapshots/notes", "data/01HF00000000000000000000AB/index", "data/chunks_head/000001",
        ]
        for name in strangers { try put(files, name, "content of \(name)") }
        for round in 1...3 {
            store = try open(files)
            try write(store, round * 10..<(round * 10 + 10))
            store.runMaintenance()
            #expect(try store.stored().times.count == round * 10 + 10)
            try store.close()
        }
        for name in strangers { #expect(try files.read(name) == Array("content of \(name)".utf8)) }
    }

    @Test func `a store in a later format is refused untouched; a damaged marker is no later format`() throws {
        let files = FaultyFileSystem()
        let store = try open(files)
        try write(store, 0..<100)
        try store.close()
        for (version, check, isNewer) in [
            (3, 3, true), (0x0101, 0x0101, true), (3, 0, false), (2, 0, false), (0, 0, false), (1, 1, false),
        ]
            as [(UInt32, UInt32, Bool)]
        {
            let copy = files.afterPowerCut(.kept)
            copy.damage("data/store.martlet") { bytes in
                bytes.removeLast(20)
                for number in [version, check] {
                    bytes += (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
                }
            }
            let before = try tree(copy, "data")
            if isNewer {
                let error = #expect(throws: StorageError.self) { try open(copy) }
                #expect("\(try #require(error))".contains("later version of martlet"))
                #expect(try tree(copy, "data") == before)
            } else {
                #expect(try open(copy).statistics(limit: 0).series == 1)
            }
        }
    }

    @Test func `a damaged segment of the log is set aside, not removed`() throws {
        let files = FaultyFileSystem()
        let store = try open(files)
        for part in 0..<20 { try write(store, part * 10..<(part * 10 + 10)) }
        store.abandon()
        let segment = try #require(try files.list("data/wal").first)
        files.damage("data/wal/" + segment) { $0[$0.count / 2] ^= 0xFF }
        let damaged = try files.read("data/wal/" + segment)
        let again = try open(files)
        #expect(again.damagedRecords > 0)
        try again.close()
        #expect(try files.read("data/wal/\(segment).damaged") == damaged)
        #expect(try !files.list("data/wal").contains(segment))
    }

    @Test func `damaged checkpoints and manifests are all kept`() throws {
        let files = FaultyFileSystem()
        var store = try open(files)
        try write(store, 0..<10)
        try store.close()
        var kept: [(String, [UInt8])] = []
        for round in 1...3 {
            for (path, at) in [("data/checkpoint", 30), ("data/blocks/manifest.log", 3)] {
                files.damage(path) { $0[at] ^= 0x55 }
                kept.append((path + (round > 1 ? ".\(round)" : "") + ".damaged", try files.read(path)))
            }
            store = try open(files)
            try store.close()
        }
        for (path, content) in kept { #expect(try files.read(path) == content, "\(path)") }
    }

    @Test func `a directory in use is refused with who uses it and what to do`() throws {
        let temporary = try TemporaryFolder()
        let folder = temporary.path + "/data"
        let files = RealFileSystem()
        let store = try TimeSeriesStore.open(options: options(folder), fileSystem: files)
        let before = try files.list(folder)
        do {
            _ = try TimeSeriesStore.open(options: options(folder), fileSystem: files)
            Issue.record("it was opened")
        } catch StorageError.unusable(let why) {
            let known = (try? files.read("/proc/locks")) != nil
            #expect(why.contains("in use by") && why.contains("stop it") && why.contains("--storage.tsdb.path"))
            if known { #expect(why.contains("process \(getpid())"), "\(why)") }
        }
        #expect(try files.list(folder) == before)
        // Neither without the lock file nor with another one.
        for content in [nil, [], [1]] as [[UInt8]?] {
            try files.remove(folder + "/lock")
            if let content { try files.replace(folder + "/lock", with: content) }
            let error = #expect(throws: StorageError.self) {
                _ = try TimeSeriesStore.open(options: options(folder), fileSystem: files)
            }
            #expect("\(try #require(error))".contains("in use by"))
        }
        try store.close()
        try TimeSeriesStore.open(options: options(folder), fileSystem: files).close()
    }
}
