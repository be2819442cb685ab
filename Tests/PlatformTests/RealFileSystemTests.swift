import Glibc
import Platform
import TestSupport
import Testing

@Suite struct RealFileSystemTests {
    let files = RealFileSystem()
    private let temporary: TemporaryFolder
    private var directory: String { temporary.path }

    init() throws {
        temporary = try TemporaryFolder()
        try files.createDirectory(directory + "/a/b")
    }

    @Test func `appends, reads, cuts and syncs`() throws {
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
        let path = directory + "/missing"
        let error = #expect(throws: FileError.self) { try files.open(path, .read) }
        #expect(error?.description == "open \(path): no such file or directory")
        #expect(error?.isNotFound == true)
        #expect(try !files.exists(path))
        try files.replace(path, with: [1, 2])
        #expect(throws: FileError("open", path, code: EEXIST)) { try files.open(path, .create) }
    }

    @Test func `lists in bytewise order, links, renames and removes trees`() throws {
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

    @Test func `a lock is taken once, also without its file`() throws {
        let path = directory + "/lock"
        let lock = try files.lock(path)
        #expect(throws: FileError("lock", path, code: EWOULDBLOCK)) { try files.lock(path) }
        try files.remove(path)
        #expect(throws: FileError("lock", directory, code: EWOULDBLOCK)) { try files.lock(path) }
        #expect(files.lockHolder(directory).map { $0.process == Int(getpid()) } ?? true)
        lock.release()
        try files.lock(path).release()
        #expect(try files.freeSpace(directory) > 0)
    }

    @Test func `a name stands for what lies there, not for what a link leads to`() throws {
        let path = directory + "/x"
        #expect(try files.kind(path) == nil && !files.exists(path))
        for (make, kind) in [
            ({ mkfifo(path, 0o600) }, .other), ({ symlink("/dev/zero", path) }, .link),
            ({ symlink(path + "none", path) }, .link), ({ symlink(path, path) }, .link),
            ({ symlink(directory + "/a", path) }, .link), ({ mkdir(path, 0o700) }, .directory),
            ({ open(path, O_CREAT, 0o600) }, .file),
        ] as [(() -> Int32, FileKind)] {
            let result = make()
            try #require(result >= 0)
            if kind == .file { close(result) }
            #expect(try files.kind(path) == kind && files.exists(path))
            try files.removeAll(path)
            #expect(try !files.exists(path))
        }
        #expect(try files.kind(directory + "/a/b") == .directory)
    }

    @Test func `a file longer than the limit is not read`() throws {
        let path = directory + "/f"
        try files.replace(path, with: [1, 2, 3])
        #expect(try files.read(path, limit: 3) == [1, 2, 3])
        #expect(throws: FileError("read", path, code: EFBIG)) { try files.read(path, limit: 2) }
    }

    @Test func `holes are known, skipped, and not mapped at the end`() throws {
        let path = directory + "/f"
        let mebibyte = 1 << 20
        let file = try files.open(path, .create)
        try file.write([1])
        try file.truncate(to: 4 * mebibyte)
        try file.write([2])
        try file.truncate(to: 1 << 40)
        try file.syncData()
        let whole = try files.map(path)
        #expect(whole.bytes.count == 1 << 40 && !whole.isPartial)
        var budget = 1 << 20
        #expect(whole.skipZeros(from: 0, budget: &budget) == 0)
        #expect(whole.skipZeros(from: 1, budget: &budget) == 4 * mebibyte)
        // Without knowledge of holes the budget ends it.
        #expect(whole.holes.isEmpty || whole.skipZeros(from: 4 * mebibyte + 1, budget: &budget) == 1 << 40)
        #expect(budget > 0 || whole.holes.isEmpty)
        let part = try files.map(path, limit: 8 * mebibyte)
        #expect(part.isPartial && part.bytes.count <= 8 * mebibyte && part.bytes[4 * mebibyte] == 2)
        #expect(whole.holes.isEmpty || part.bytes.count < 5 * mebibyte)
        #expect(try files.map(path, limit: 1).withBytes { Array($0) } == [1])
        try file.truncate(to: 0)
        try file.truncate(to: mebibyte)
        #expect(try files.map(path, limit: 2 * mebibyte).withBytes { $0.allSatisfy { $0 == 0 } })
    }

    @Test func `zeros are skipped to the first other byte, whatever the place`() {
        for count in [0, 1, 7, 8, 9, 63, 64, 65, 200] {
            for value in 0..<count {
                let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
                bytes.initializeMemory(as: UInt8.self, repeating: 0)
                bytes[value] = 1
                let mapping = FileMapping(UnsafeRawBufferPointer(bytes)) { $0.deallocate() }
                for start in 0...count {
                    var budget = 100
                    #expect(mapping.skipZeros(from: start, budget: &budget) == (start <= value ? value : count))
                }
            }
        }
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 10, alignment: 8)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        let mapping = FileMapping(UnsafeRawBufferPointer(bytes), holes: [0..<256]) { $0.deallocate() }
        var budget = 6
        #expect(mapping.skipZeros(from: 0, budget: &budget) == 640 && budget == 0)
        bytes[600] = 1
        budget = 3
        #expect(mapping.skipZeros(from: 0, budget: &budget) == 640 && budget == 0)
        budget = 7
        #expect(mapping.skipZeros(from: 0, budget: &budget) == 600)
    }

    @Test func `what is below a directory is found through links, dots and names that do not exist`() throws {
        let temporary = try TemporaryFolder()
        let folder = temporary.path
        let files = RealFileSystem()
        for name in ["/store/blocks", "/store2"] { try files.createDirectory(folder + name) }
        #expect(symlink("\(folder)/store", "\(folder)/link") == 0)
        let store = folder + "/store"
        for path in ["/store", "/store/", "/store/new/x", "/store/blocks", "/link/x", "/store2/../store/x"] {
            #expect(FilePath.isBelow(store, folder + path), "\(path)")
        }
        for path in ["", "/store2", "/store2/x", "/storex", "/new", "/store/../new"] {
            #expect(!FilePath.isBelow(store, folder + path), "\(path)")
        }
        #expect(FilePath.isBelow(folder + "/link", store + "/x"))
        #expect(!FilePath.isBelow(folder + "/missing", folder + "/missing/x"))
    }
}
