import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// Files that somebody removes under a running store: writes to them do not fail, and what they hold is lost.
@Suite struct RemovedLogTests {
    private static let start: Int64 = 1_700_000_000_000

    private static func open(_ files: FaultyFileSystem) throws -> TimeSeriesStore {
        try .open(files, now: start) { ($0.blockDuration, $0.walSegmentSize) = (600_000, 1 << 20) }
    }

    private static func push(_ store: TimeSeriesStore, _ step: Int) throws {
        try store.push(series: 3, at: start + Int64(step) * 1000) { _ in Double(step) }
    }

    private static func removeAll(_ path: String, _ files: FaultyFileSystem) throws {
        for name in try files.list(path) {
            let inner = path + "/" + name
            if try files.status(inner).isDirectory { try removeAll(inner, files) } else { try files.remove(inner) }
        }
        try files.removeDirectory(path)
    }

    @Test(arguments: ["segment", "directory", "replaced", "moved", "emptied", "cut", "checkpoint"], [false, true])
    func `what a removed log or checkpoint held is written anew`(what: String, hasCheckpoint: Bool) throws {
        let files = FaultyFileSystem()
        let store = try Self.open(files)
        for step in 0..<5 { try Self.push(store, step) }
        if hasCheckpoint { try store.checkpoint() }
        for step in 5..<10 { try Self.push(store, step) }
        switch what {
        case "segment": for name in try files.list("data/wal") { try files.remove("data/wal/" + name) }
        case "directory": try Self.removeAll("data/wal", files)
        case "replaced":
            try Self.removeAll("data/wal", files)
            try files.createDirectory("data/wal")
        case "moved": try files.rename("data/wal", to: "elsewhere")
        case "emptied", "cut":
            for name in try files.list("data/wal") {
                files.damage("data/wal/" + name) { $0.removeLast(what == "cut" ? min($0.count, 20) : $0.count) }
            }
        default: if hasCheckpoint { try files.remove("data/checkpoint") }
        }
        let isLogGone = what != "checkpoint"
        try Self.push(store, 10)
        // The sync notices it, and what comes from now on goes to a new segment.
        store.syncLog()
        #expect((store.unhealthyReason != nil) == isLogGone)
        try Self.push(store, 11)
        store.runMaintenance()
        #expect(store.unhealthyReason == nil)
        try Self.push(store, 12)
        // As after a kill: all that was acknowledged is there.
        let after = try Self.open(files.afterPowerCut(.kept))
        #expect(try after.stored().map(\.times.count) == [13, 13, 13])
        #expect(after.damagedRecords == 0)
    }

    @Test(arguments: ["removed", "replaced", "moved away"])
    func `without its directory the store acknowledges nothing and says so`(what: String) throws {
        let files = FaultyFileSystem()
        let store = try Self.open(files)
        for step in 0..<5 { try Self.push(store, step) }
        if what == "moved away" { try files.rename("data", to: "away") } else { try Self.removeAll("data", files) }
        if what == "replaced" { try files.createDirectory("data") }
        for round in 0..<3 {
            store.syncLog()
            store.runMaintenance()
            let reason = try #require(store.unhealthyReason)
            #expect(reason.contains("stat data: "), "\(reason)")
            #expect(throws: StorageError.self) { try Self.push(store, 5 + round) }
        }
        #expect(throws: (any Error).self) { try store.close() }
        if what == "replaced" { #expect(try files.list("data").isEmpty) } else { #expect(try !files.exists("data")) }
    }

    @Test(arguments: ["wal", "blocks", "spill", "checkpoint"])
    func `what has become a file or directory is said until it is right again`(what: String) throws {
        let files = FaultyFileSystem()
        let store = try Self.open(files)
        for step in 0..<5 { try Self.push(store, step) }
        let path = "data/" + what
        if what == "checkpoint" {
            try files.createDirectory(path)
        } else {
            try files.rename(path, to: "away")
            try files.replace(path, with: [1, 2, 3])
        }
        for round in 0..<3 {
            store.syncLog()
            store.runMaintenance()
            let reason = try #require(store.unhealthyReason)
            #expect(reason.contains(path), "\(reason)")
            if what == "wal" {
                #expect(throws: StorageError.self) { try Self.push(store, 5 + round) }
            } else {
                try Self.push(store, 5 + round)
            }
        }
        if what == "checkpoint" { try files.removeDirectory(path) } else { try files.remove(path) }
        for _ in 0..<2 {
            store.runMaintenance()
            store.syncLog()
        }
        #expect(store.unhealthyReason == nil)
        try Self.push(store, 8)
        let after = try Self.open(files.afterPowerCut(.kept))
        #expect(try after.stored().map(\.times.count) == (what == "wal" ? [6, 6, 6] : [9, 9, 9]))
    }

    @Test(arguments: ["wal", "blocks", "spill"])
    func `a store does not open where a file is in the place of a directory`(what: String) throws {
        let files = FaultyFileSystem()
        try Self.open(files).close()
        let path = "data/" + what
        try files.rename(path, to: "away")
        try files.replace(path, with: [1, 2, 3])
        do {
            try Self.open(files).close()
            Issue.record("\(path) is not seen")
        } catch { #expect("\(error)".contains(path), "\(error)") }
    }

    @Test func `a directory that comes back is used again`() throws {
        let files = FaultyFileSystem()
        let store = try Self.open(files)
        for step in 0..<5 { try Self.push(store, step) }
        try files.rename("data", to: "away")
        store.syncLog()
        #expect(throws: StorageError.self) { try Self.push(store, 5) }
        try files.rename("away", to: "data")
        store.runMaintenance()
        store.syncLog()
        #expect(store.unhealthyReason == nil)
        for step in 5..<8 { try Self.push(store, step) }
        let after = try Self.open(files.afterPowerCut(.kept))
        #expect(try after.stored().map(\.times.count) == [8, 8, 8])
    }
}
