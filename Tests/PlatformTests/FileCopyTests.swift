import Glibc
import Platform
import TestSupport
import Testing

@Suite("Copies of files")
struct FileCopyTests {
    private static let mebibyte = 1 << 20

    /// Bytes that differ at all distances that a copy in parts could confuse.
    private static func bytes(_ count: Int) -> [UInt8] { Array(most.prefix(count)) }
    private static let most = (0..<3 * mebibyte + 1).map { UInt8($0 % 251) }

    /// A file system with the file `a` and the empty file `b`.
    private static func files(_ content: [UInt8]) throws -> (FaultyFileSystem, from: any File, to: any File) {
        let files = FaultyFileSystem()
        let from = try files.open("a", .create)
        try from.write(content)
        return (files, from, try files.open("b", .create))
    }

    @Test(
        "a copy has the content, also of a file whose end is that of a part",
        arguments: [0, 1, mebibyte - 1, mebibyte, mebibyte + 1, 3 * mebibyte])
    func sizes(_ size: Int) throws {
        let content = Self.bytes(size)
        let (files, from, to) = try Self.files(content)
        let before = files.operations.count
        try from.copy(to: to)
        #expect(try files.read("b") == content)
        #expect(files.operations.count - before == (size + Self.mebibyte - 1) / Self.mebibyte)
    }

    @Test("holes are extended, not written")
    func holes() throws {
        var content = Self.bytes(5000)
        let holes = [0..<100, 2000..<3000, 3000..<3500, 4500..<5000]
        for hole in holes { content.replaceSubrange(hole, with: repeatElement(0, count: hole.count)) }
        let (files, from, to) = try Self.files(content)
        let before = files.operations.count
        try from.copy(to: to, keeping: holes)
        #expect(try files.read("b") == content)
        #expect(
            files.operations[before...].map(\.name) == [
                "truncate", "write", "truncate", "truncate", "write", "truncate",
            ])
    }

    @Test("a file that has become shorter is copied to its end")
    func shorter() throws {
        for size in [0, 50, 100] {
            let (files, from, to) = try Self.files(Self.bytes(size))
            try from.copy(to: to, keeping: [200..<300, 400..<500])
            #expect(try files.read("b") == Self.bytes(size))
        }
    }

    @Test("an error in the middle is that of the copy", arguments: 0..<4)
    func errors(_ number: Int) throws {
        let content = Self.bytes(3 * Self.mebibyte + 1)
        let written = min(number, 3) * Self.mebibyte
        let (reads, from, to) = try Self.files(content)
        reads.failReads(of: "a", code: EIO, after: number)
        #expect(throws: FileError("read", "a", code: EIO)) { try from.copy(to: to) }
        reads.heal()
        #expect(try reads.read("b") == Array(content[..<written]))
        let (writes, source, target) = try Self.files(content)
        writes.inject(.fail(ENOSPC), at: writes.operations.count + number + 1)
        #expect(throws: FileError("write", "b", code: ENOSPC)) { try source.copy(to: target) }
        #expect(try writes.read("b") == Array(content[..<written]))
    }

    /// A file of 16 MiB of which 2 bytes are not a hole.
    private static func sparse(_ path: String) throws {
        let file = try RealFileSystem().open(path, .create)
        defer { file.close() }
        try file.write([1])
        try file.truncate(to: 8 * mebibyte)
        try file.write([2])
        try file.truncate(to: 16 * mebibyte)
        try file.syncData()
    }

    @Test("a file that loses its other names keeps its holes")
    func otherNames() throws {
        let folder = try TemporaryFolder()
        let (own, other) = (folder.path + "/own", folder.path + "/other")
        let files = RealFileSystem()
        try Self.sparse(other)
        try files.link(other, to: own)
        try files.open(own, .append).close()
        let (copy, old) = (try files.status(own), try files.status(other))
        #expect(copy.identity != old.identity && copy.size == old.size)
        // A file system without holes has none in the old file either.
        #expect(copy.allocated <= old.allocated + Self.mebibyte)
        #expect(try files.read(own, limit: .max) == files.read(other, limit: .max))
    }

    @Test("a file that is changed in an overlay keeps its holes")
    func overlay() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/a"
        try Self.sparse(path)
        let overlay = try OverlayFileSystem(folder.path)
        let file = try overlay.open(path, .append)
        try file.write([3])
        let mapping = try overlay.map(path)
        #expect(mapping.bytes.count == 16 * Self.mebibyte + 1)
        #expect(mapping.bytes[0] == 1 && mapping.bytes[8 * Self.mebibyte] == 2 && mapping.bytes.last == 3)
        let known = try RealFileSystem().map(path).holes.reduce(0) { $0 + $1.count }
        #expect(mapping.holes.reduce(0) { $0 + $1.count } >= known - Self.mebibyte)
    }
}
