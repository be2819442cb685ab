import Glibc
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// Pipes and links in the data directory: each test would hang if one was opened without care.
@Suite("Irregular files in the data directory")
struct IrregularFileTests {
    private let start: Int64 = 1_699_999_200_000
    private let clock = ManualClock(now: 1_700_004_000_000)
    private let files = RealFileSystem()
    private let directory: String

    init() throws {
        directory = "/tmp/martlet-irregular-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        try files.createDirectory(directory)
    }

    private func open() throws -> TimeSeriesStore {
        try TimeSeriesStore.open(
            options: StoreOptions(
                directory: directory + "/data", retentionTime: 0, blockDuration: 600_000, runsInBackground: false),
            fileSystem: files, clock: clock)
    }

    /// A store with blocks and a log; the name of its first block.
    private func fill() throws -> String {
        let store = try open()
        let group = store.openGroup("g")
        for step in 0..<400 {
            var batch = SampleBatch(timestamp: start + Int64(step) * 10_000)
            var builder = LabelsBuilder()
            builder.set("__name__", "m")
            batch.append(try store.resolve(builder.labels(), in: group), Double(step))
            _ = try store.commit(batch, in: group, durability: .written)
            if step % 100 == 99 { store.runMaintenance() }
        }
        let name = try #require(store.blocks.first).meta.id
        try store.close()
        return name
    }

    private func replaceByPipe(_ path: String) throws {
        try files.remove(path)
        try #require(mkfifo(path, 0o600) == 0)
    }

    @Test("a block with a pipe in it is left out and said", arguments: ["data", "index", "meta.json"])
    func block(_ name: String) throws {
        defer { try? files.removeAll(directory) }
        let block = try fill()
        try replaceByPipe(directory + "/data/blocks/" + block + "/" + name)
        let store = try open()
        #expect(store.leftOut.map(\.name) == [block])
        #expect(store.leftOut.first?.reason.hasSuffix(": not a regular file") == true)
        try store.close()
    }

    @Test("a store whose own files are pipes does not open, and says why")
    func own() throws {
        defer { try? files.removeAll(directory) }
        _ = try fill()
        let data = directory + "/data"
        let log = try files.list(data + "/wal").map { "wal/" + $0 }
        let names = try (files.list(data) + log).filter { try !files.status(data + "/" + $0).isDirectory }
        for name in ["store.martlet"] + names where name != DiskReserve.name {
            let (path, kept) = (data + "/" + name, directory + "/kept")
            guard try files.exists(path) else { continue }
            try files.rename(path, to: kept)
            try #require(mkfifo(path, 0o600) == 0)
            // A file that may be made anew need not stop the start; none may block it.
            do {
                try open().close()
            } catch {
                #expect("\(error)".contains("not a regular file"), "\(name): \(error)")
            }
            try files.remove(path)
            try files.rename(kept, to: path)
        }
        try open().close()
    }

    @Test(
        "names that are no files and not ours stop no start", arguments: ["wal/xyz", "blocks/xyz", "ledger/xyz", "xyz"])
    func foreign(_ name: String) throws {
        defer { try? files.removeAll(directory) }
        _ = try fill()
        let path = directory + "/data/" + name
        try files.createDirectory(FilePath.parent(path))
        for make in [
            { mkfifo(path, 0o600) }, { symlink("/dev/zero", path) }, { symlink(directory + "/none", path) },
            { symlink(path, path) },
        ] {
            try #require(make() == 0)
            let store = try open()
            store.runMaintenance()
            #expect(store.leftOut.isEmpty)
            try store.close()
            try files.remove(path)
        }
    }

    @Test("the reserve is not written through a link")
    func reserve() throws {
        defer { try? files.removeAll(directory) }
        _ = try fill()
        let (target, reserve) = (directory + "/target", directory + "/data/" + DiskReserve.name)
        try files.replace(target, with: [1, 2, 3])
        try? files.remove(reserve)
        try #require(symlink(target, reserve) == 0)
        let store = try open()
        store.runMaintenance()
        try store.close()
        #expect(try files.read(target) == [1, 2, 3])
    }
}
