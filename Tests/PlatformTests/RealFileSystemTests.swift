import Glibc
import Platform
import Testing

@Suite struct RealFileSystemTests {
    let files = RealFileSystem()
    let directory: String

    init() throws {
        directory = "/tmp/martlet-files-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        try files.createDirectory(directory + "/a/b")
    }

    private func cleanUp() { try? files.removeAll(directory) }

    @Test func `appends, reads, cuts and syncs`() throws {
        defer { cleanUp() }
        let path = directory + "/f"
        let file = try files.open(path, .create)
        try file.write(Array("hello ".utf8))
        try file.write(Array("world".utf8))
        try file.syncData()
        try files.syncDirectory(directory)
        #expect(try files.read(path) == Array("hello world".utf8))
        try file.truncate(to: 5)
        try file.write(Array("!".utf8))
        #expect(try file.size() == 6)
        let mapped = try files.map(path).withBytes { Array($0) }
        #expect(mapped == Array("hello!".utf8))
        var buffer = [UInt8](repeating: 0, count: 10)
        let got = try buffer.withUnsafeMutableBytes { try file.read(at: 4, into: $0) }
        #expect(got == 2)
        file.close()
        #expect(throws: FileError("write", path, code: EBADF)) { try file.write([1]) }
    }

    @Test func `errors name the operation, the path and the reason`() throws {
        defer { cleanUp() }
        let path = directory + "/missing"
        let error = #expect(throws: FileError.self) { try files.open(path, .read) }
        #expect(error?.description == "open \(path): no such file or directory")
        #expect(error?.isNotFound == true)
        #expect(try !files.exists(path))
        try files.replace(path, with: [1, 2])
        #expect(throws: FileError("open", path, code: EEXIST)) { try files.open(path, .create) }
    }

    @Test func `lists in bytewise order, links, renames and removes trees`() throws {
        defer { cleanUp() }
        for name in ["B", "é", "a1"] { try files.replace(directory + "/a/" + name, with: Array(name.utf8)) }
        #expect(try files.list(directory + "/a") == ["B", "a1", "b", "é"])
        try files.link(directory + "/a/B", to: directory + "/linked")
        try files.rename(directory + "/linked", to: directory + "/renamed")
        #expect(try files.read(directory + "/renamed") == [UInt8(ascii: "B")])
        #expect(try files.usage(directory) > 0)
        try files.removeAll(directory)
        #expect(try !files.exists(directory))
        try files.removeAll(directory)
    }

    @Test func `a lock is taken once`() throws {
        defer { cleanUp() }
        let lock = try files.lock(directory + "/lock")
        #expect(throws: FileError("lock", directory + "/lock", code: EWOULDBLOCK)) {
            try files.lock(directory + "/lock")
        }
        lock.release()
        try files.lock(directory + "/lock").release()
        #expect(try files.freeSpace(directory) > 0)
    }
}
