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
    private let temporary: TemporaryFolder
    private var directory: String { temporary.path }

    init() throws {
        temporary = try TemporaryFolder()
    }

    private func open() throws -> TimeSeriesStore {
        try .open(files, clock) {
            ($0.directory, $0.blockDuration, $0.walSegmentSize) = (directory + "/data", 600_000, 256)
        }
    }

    private func commit(_ store: TimeSeriesStore, _ step: Int) throws {
        try store.push(series: 5, at: start + Int64(step) * 10_000) { Double(step * $0) / 7 }
    }

    /// A store with blocks, a log and spill files; the name of its first block.
    private func fill(isKilled: Bool = false) throws -> String {
        let store = try open()
        for step in 0..<400 {
            try commit(store, step)
            if step % 100 == 99, step < 300 { store.runMaintenance() }
            if step == 360 { try store.maintenanceLock.withLock { try store.writeCheckpoint() } }
        }
        let name = try #require(store.blocks.first).meta.id
        guard isKilled else {
            try store.close()
            return name
        }
        try store.deleteSeries([Matcher(name: "s", equals: "1")], minTime: start, maxTime: start + 20_000)
        store.abandon()
        #expect(try files.list(directory + "/data/wal").count > 2)
        #expect(try !files.list(directory + "/data/spill").isEmpty)
        return name
    }

    private func replaceByPipe(_ path: String) throws {
        try files.remove(path)
        try #require(mkfifo(path, 0o600) == 0)
    }

    @Test("a block with a pipe in it is left out and said", arguments: ["data", "index", "meta.json"])
    func block(_ name: String) throws {
        let block = try fill()
        try replaceByPipe(directory + "/data/blocks/" + block + "/" + name)
        let store = try open()
        #expect(store.leftOut.map(\.name) == [block])
        #expect(store.leftOut.first?.reason.hasSuffix(": not a regular file") == true)
        try store.close()
    }

    /// Something that is no regular file.
    enum Thing: String, CaseIterable {
        case pipe, socket, device, directory, deadLink, loop, foreignLink
        /// A link to the file that was there.
        case movedLink

        /// Puts it in the place of a file; `away` and `foreign` are paths outside of the data directory.
        func put(_ path: String, away: String, foreign: String) throws {
            var address = sockaddr_un()
            switch self {
            case .pipe: try #require(mkfifo(path, 0o600) == 0)
            case .device: try #require(symlink("/dev/zero", path) == 0)
            case .directory:
                try RealFileSystem().createDirectory(path)
                try RealFileSystem().replace(path + "/inside", with: [1])
            case .deadLink: try #require(symlink(path + ".nothing", path) == 0)
            case .loop: try #require(symlink(path, path) == 0)
            case .foreignLink: try #require(symlink(foreign, path) == 0)
            case .movedLink: try #require(symlink(away, path) == 0)
            case .socket:
                // A path may be too long for its address: it is bound by a short name first.
                let folder = try TemporaryFolder()
                let short = folder.path + "/socket"
                address.sun_family = sa_family_t(AF_UNIX)
                withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: short.utf8) }
                let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
                defer { close(descriptor) }
                let result = withUnsafePointer(to: &address) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                    }
                }
                try #require(result == 0)
                try RealFileSystem().rename(short, to: path)
            }
        }
    }

    /// Names of the files of a store that was killed, as patterns: the first that matches is taken.
    static let names = [
        "store.martlet", "store.martlet.tmp", "lock", "reserve", "probe", "probe.tmp", "checkpoint", "checkpoint.tmp",
        "damage.json", "damage.json.tmp", "damage.copy.json", "wal/first", "wal/last", "wal/next.tmp", "spill/first",
        "spill/first.tmp", "blocks/manifest.log", "blocks/manifest.log.tmp", "blocks/pending-deletions",
        "blocks/pending-deletions.tmp", "blocks/ID/data", "blocks/ID/index", "blocks/ID/meta.json", "blocks/ID/deleted",
        "blocks/ID/deleted.tmp", "blocks/01HF7GZ8M00000000000000000", "blocks/01HF7GZ8M00000000000000000.tmp",
    ]

    /// The name that a pattern stands for, and what is reported if its file is lost.
    private func resolve(_ name: String, _ block: String) throws -> (name: String, reported: String?) {
        let data = directory + "/data/"
        let log = try #require(try files.list(data + "wal").compactMap(WriteAheadLog.number).sorted().last)
        let spill = try #require(try files.list(data + "spill").first)
        let from = try #require(try files.list(data + "wal").first)
        switch name {
        case "checkpoint": return (name, name)
        case "wal/first": return ("wal/" + from, "wal/" + from)
        case "wal/last":
            let last = FilePath.name(WriteAheadLog.path("", log))
            return ("wal/" + last, "wal/" + last)
        case "wal/next.tmp": return ("wal/" + FilePath.name(WriteAheadLog.path("", log + 1)) + ".tmp", nil)
        case "spill/first": return ("spill/" + spill, "spill/" + spill)
        case "spill/first.tmp": return ("spill/" + spill + ".tmp", nil)
        default:
            let isLost = name.hasPrefix("blocks/ID/") && !name.hasSuffix(".tmp")
            return (name.replacing("/ID/", with: "/\(block)/"), isLost ? block : nil)
        }
    }

    @Test("no start is refused and nothing is lost beside the file, whatever is in its place", arguments: names)
    func own(_ pattern: String) throws {
        let block = try fill(isKilled: true)
        let whole = directory + "/whole"
        try copy(directory + "/data", to: whole)
        let foreign = directory + "/foreign"
        for thing in Thing.allCases {
            try files.removeAll(directory + "/data")
            try copy(whole, to: directory + "/data")
            let (name, lost) = try resolve(pattern, block)
            let (path, away) = (directory + "/data/" + name, directory + "/away")
            if try files.exists(path) { try files.rename(path, to: away) } else if thing == .movedLink { continue }
            try files.replace(foreign, with: Array("foreign".utf8))
            try thing.put(path, away: away, foreign: foreign)
            let kind = try files.kind(path)
            let isReadable = thing == .movedLink && !pattern.hasPrefix("spill")
            for round in 0..<3 {
                let store = try open()
                let parts = store.leftOut.map(\.name)
                #expect(parts.contains { lost == $0 } == (lost != nil && !isReadable), "\(thing) \(round): \(parts)")
                #expect(parts.isEmpty || lost != nil, "\(thing) \(round): \(parts)")
                try commit(store, 400 + round)
                store.runMaintenance()
                if round == 1 { store.abandon() } else { try store.close() }
            }
            #expect(try files.read(foreign) == Array("foreign".utf8), "\(thing)")
            // It is still there, under its name or another one; a link to a file may have been read.
            let isGone = try !files.exists(FilePath.parent(path))
            let kept = isGone ? [] : try files.list(FilePath.parent(path)).filter { $0.hasPrefix(FilePath.name(path)) }
            let kinds = try kept.map { try files.kind(FilePath.parent(path) + "/" + $0) }
            #expect(isGone || kinds.contains(kind) || isReadable || thing == .foreignLink, "\(thing): \(kept)")
            try? files.remove(away)
        }
    }

    @Test(
        "what is in the place of a directory is an error, is not changed, and blocks no start",
        arguments: ["", "/wal", "/spill", "/blocks"], [Thing.pipe, .socket, .device, .deadLink, .loop])
    func directories(_ name: String, _ thing: Thing) throws {
        _ = try fill(isKilled: true)
        let (path, away) = (directory + "/data" + name, directory + "/away")
        try files.rename(path, to: away)
        try thing.put(path, away: away, foreign: directory + "/foreign")
        let kind = try files.kind(path)
        let error = #expect(throws: FileError.self) { _ = try open() }
        #expect(error?.path == path || error?.path.hasPrefix(path) == true, "\(String(describing: error))")
        #expect(try files.kind(path) == kind)
        try files.remove(path)
        try files.rename(away, to: path)
        let store = try open()
        #expect(store.leftOut.isEmpty)
        try store.close()
    }

    private func copy(_ from: String, to: String) throws {
        guard try files.status(from).isDirectory else { return try files.replace(to, with: try files.read(from)) }
        try files.createDirectory(to)
        for name in try files.list(from) { try copy(from + "/" + name, to: to + "/" + name) }
    }

    @Test(
        "a file of much size and little content costs neither time nor memory", .timeLimit(.minutes(3)),
        arguments: [false, true])
    func sparse(isBehind: Bool) throws {
        let block = try fill(isKilled: true)
        let whole = directory + "/whole"
        try copy(directory + "/data", to: whole)
        for pattern in Self.names where !pattern.hasSuffix("0.tmp") && !pattern.hasSuffix("0") {
            try files.removeAll(directory + "/data")
            try copy(whole, to: directory + "/data")
            let (name, _) = try resolve(pattern, block)
            let path = directory + "/data/" + name
            let isThere = try files.exists(path)
            // Content, a hole of 64 GiB, and content again; or a hole only.
            let content = isThere && isBehind ? try files.read(path) : []
            try files.replace(path, with: content)
            let file = try files.open(path, .append)
            try file.truncate(to: content.count + 1 << 36)
            try file.write(content)
            file.close()
            for round in 0..<2 {
                let store = try open()
                try commit(store, 400 + round)
                store.runMaintenance()
                try store.close()
            }
        }
    }

    @Test(
        "names that are no files and not ours stop no start", arguments: ["wal/xyz", "blocks/xyz", "ledger/xyz", "xyz"])
    func foreign(_ name: String) throws {
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
