import Glibc
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// Files of a data directory that have names elsewhere, too: nothing is written to them under any of their names.
@Suite("Hard links in the data directory")
struct HardLinkTests {
    private let start: Int64 = 1_699_999_200_000
    private let clock = ManualClock(now: 1_700_004_000_000)
    private let files = RealFileSystem()
    private let temporary: TemporaryFolder
    private var directory: String { temporary.path }
    private var data: String { directory + "/data" }

    init() throws {
        temporary = try TemporaryFolder()
    }

    private func open() throws -> TimeSeriesStore {
        try .open(files, clock) { ($0.directory, $0.blockDuration) = (data, 600_000) }
    }

    /// Stores a sample of two hundred series every ten seconds, for `steps`, so that chunks are sealed and blocks are cut.
    private func push(_ store: TimeSeriesStore, _ steps: Range<Int>) throws {
        for step in steps {
            try store.push(series: 200, at: start + Int64(step) * 10_000) { _ in Double(step) }
            if step % 50 == 49 { store.runMaintenance() }
        }
    }

    /// All files below a directory.
    private func all(_ path: String) throws -> [String] {
        try files.list(path).flatMap { name in
            let inner = path + "/" + name
            return try files.status(inner).isDirectory ? all(inner) : [inner]
        }
    }

    @Test("what a copy made of links holds does not change when the store goes on", arguments: [false, true])
    func copy(isKilled: Bool) throws {
        let first = try open()
        try push(first, 0..<450)
        _ = try first.snapshot()
        if isKilled { first.abandon() } else { try first.close() }
        var kept: [String: [UInt8]] = [:]
        for (index, path) in try all(data).enumerated() {
            let other = directory + "/copy-\(index)"
            try files.link(path, to: other)
            kept[other] = try files.read(path)
        }
        let parts = Set(kept.keys.compactMap { try? files.read($0).prefix(6) })
        #expect(parts.count > 4)
        let second = try open()
        #expect(try second.stored().times.count == 450 * 200)
        try push(second, 450..<700)
        _ = try second.deleteSeries([], minTime: start, maxTime: start + 5000)
        try second.checkpoint()
        try second.close()
        for (other, content) in kept { #expect(try files.read(other) == content, "\(other)") }
        let third = try open()
        #expect(try third.stored().times.count == 699 * 200)
        try third.close()
    }

    @Test("a file of somebody else that waits under a name of the store stays as it is")
    func planted() throws {
        let first = try open()
        try push(first, 0..<150)
        try first.close()
        let spill = try all(data + "/spill").map { $0 + ".tmp" }
        let names =
            [
                DiskReserve.name, "probe", "probe.tmp", "checkpoint.tmp", "store.martlet.tmp",
                "blocks/manifest.log.tmp",
                "blocks/pending-deletions.tmp",
            ].map { data + "/" + $0 } + spill
        let foreign = directory + "/foreign"
        // Larger than the reserve, which must not pass for it.
        let content = [UInt8](repeating: 7, count: DiskReserve.size + 1)
        try files.replace(foreign, with: content)
        for path in names {
            try? files.remove(path)
            try files.link(foreign, to: path)
        }
        let second = try open()
        try push(second, 150..<450)
        second.runMaintenance()
        try second.close()
        #expect(try files.read(foreign) == content)
        #expect(try files.status(data + "/" + DiskReserve.name).names == 1)
        let third = try open()
        #expect(try third.stored().times.count == 450 * 200)
        try third.close()
    }
}
