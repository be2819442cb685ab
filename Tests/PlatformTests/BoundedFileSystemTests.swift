import Glibc
import Platform
import TestSupport
import Testing

@Suite struct BoundedFileSystemTests {
    private func bounded(_ base: FaultyFileSystem, pages: Int) throws -> BoundedFileSystem {
        try BoundedFileSystem(base, root: "data", limit: pages * BoundedFileSystem.page)
    }

    @Test func `counts pages, and refuses what goes over the limit without writing any of it`() throws {
        let base = FaultyFileSystem()
        let files = try bounded(base, pages: 4)
        #expect(files.used == BoundedFileSystem.page)
        let file = try files.open("data/a", .create)
        try file.write([UInt8](repeating: 1, count: 4096))
        try file.write([UInt8](repeating: 1, count: 1))
        #expect(files.used == 3 * 4096)
        let refusal = #expect(throws: FileError.self) { try file.write([UInt8](repeating: 2, count: 8192)) }
        #expect(refusal?.code == EDQUOT && refusal?.isFull == true)
        #expect(try file.size() == 4097)
        try file.write([UInt8](repeating: 3, count: 4095 + 4096))
        #expect(files.spaceLeft == 0)
        try file.truncate(to: 10)
        #expect(files.used == 2 * 4096)
    }

    @Test func `a file counts once however many names it has, until the last is removed`() throws {
        let files = try bounded(FaultyFileSystem(), pages: 100)
        let file = try files.open("data/a", .create)
        try file.write([UInt8](repeating: 1, count: 9000))
        try files.createDirectory("data/d/e")
        let before = files.used
        try files.link("data/a", to: "data/d/e/b")
        #expect(files.used == before)
        try files.remove("data/a")
        #expect(files.used == before)
        try files.rename("data/d", to: "data/f")
        try files.remove("data/f/e/b")
        #expect(files.used == 3 * 4096)
        try files.removeAll("data/f")
        #expect(files.used == 4096)
    }

    @Test func `takes stock of what is there, and lets essential files go on beyond the limit until it is kept`() throws
    {
        let base = FaultyFileSystem()
        try base.createDirectory("data")
        let old = try base.open("data/old", .create)
        try old.write([UInt8](repeating: 1, count: 40_960))
        let files = try BoundedFileSystem(base, root: "data", limit: 20_000, slack: 8192) { $0.hasSuffix(".log") }
        #expect(files.used == 45_056)
        #expect(files.spaceLeft == 0)
        let log = try files.open("data/manifest.log", .append)
        try log.write([UInt8](repeating: 1, count: 5000))
        let other = try files.open("data/other", .append)
        #expect(throws: FileError.self) { try other.write([1]) }
        try files.remove("data/old")
        #expect(throws: FileError.self) { try other.write([UInt8](repeating: 1, count: 8192)) }
        try log.write([UInt8](repeating: 1, count: 1000))
        #expect(files.used == 12_288)
        #expect(throws: FileError.self) { try log.write([UInt8](repeating: 1, count: 9000)) }
    }

    @Test func `a failed write counts what is there`() throws {
        let base = FaultyFileSystem()
        let files = try bounded(base, pages: 100)
        let file = try files.open("data/a", .create)
        base.inject(.tear, at: base.operations.count + 1)
        #expect(throws: FileError.self) { try file.write([UInt8](repeating: 1, count: 20_000)) }
        let size = try file.size()
        #expect(size > 0 && size < 20_000)
        #expect(files.used == 4096 + (size + 4095) / 4096 * 4096)
    }

    @Test func `a directory that is left out of the count may hold anything`() throws {
        let base = FaultyFileSystem()
        for round in 0..<2 {
            let files = try BoundedFileSystem(
                base, root: "data", limit: 6 * BoundedFileSystem.page, uncounted: "kept")
            let before = files.used
            #expect(before == (round + 1) * 4096)
            try files.createDirectory("data/kept/a")
            let file = try files.open("data/kept/a/large", .replace)
            try file.write([UInt8](repeating: 1, count: 100_000))
            #expect(files.used == before)
            // What has a name inside and one outside counts until the one outside goes.
            let own = try files.open("data/own", .replace)
            try own.write([UInt8](repeating: 1, count: 5000))
            try files.link("data/own", to: "data/kept/a/own\(round)")
            #expect(files.used == before + 8192)
            try files.remove("data/own")
            #expect(files.used == before)
            // Only this one, whole names only.
            let other = try files.open("data/kept2", .replace)
            try other.write([1])
            #expect(files.used == 8192)
        }
    }
}
