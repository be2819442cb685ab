import Glibc
import TestSupport
import Testing

@testable import Platform

/// Files that would block whoever opens or reads them: each test would hang if one did.
@Suite("Regular files")
struct RegularFileTests {
    private let temporary: TemporaryFolder
    private var folder: String { temporary.path }

    init() throws {
        temporary = try TemporaryFolder()
    }

    private func pipe() throws -> String {
        let path = folder + "/pipe"
        try #require(mkfifo(path, 0o600) == 0)
        return path
    }

    @Test(
        "what root makes in a directory of another user belongs to that user",
        .enabled(if: geteuid() == 0, "needs root"))
    func ownership() throws {
        let files = RealFileSystem()
        try #require(chown(folder, 65534, 65534) == 0)
        try files.createDirectory(folder + "/blocks/one")
        for mode in [FileMode.append, .create, .replace] {
            let path = folder + "/blocks/one/\(mode)"
            try files.open(path, mode).close()
            #expect(try files.status(path).owner == 65534)
        }
        try files.lock(folder + "/lock").release()
        _ = try PlacedFile(path: folder + "/queries.active")
        for name in ["blocks", "blocks/one", "lock", "queries.active"] {
            #expect(try files.status(folder + "/" + name).owner == 65534, "\(name)")
        }
    }

    @Test("what a file with other names holds is never written over", arguments: [FileMode.append, .replace])
    func otherNames(_ mode: FileMode) throws {
        let files = RealFileSystem()
        let (own, other) = (folder + "/own", folder + "/other")
        try files.replace(other, with: [1, 2, 3])
        try files.link(other, to: own)
        let file = try files.open(own, mode)
        try file.write([4])
        file.close()
        #expect(try files.read(own) == (mode == .append ? [1, 2, 3, 4] : [4]))
        #expect(try files.read(other) == [1, 2, 3])
        #expect(try files.status(other).names == 1)
        #expect(try files.list(folder) == ["other", "own"])
    }

    @Test("a placed file takes the name from a file with others, and reads nothing of it")
    func placedOtherNames() throws {
        let files = RealFileSystem()
        let (own, other) = (folder + "/own", folder + "/other")
        try files.replace(other, with: [1, 2, 3])
        try files.link(other, to: own)
        #expect(PlacedFile.content(own, atMost: 10, isOwn: true) == [])
        let file = try PlacedFile(path: own)
        file.write([9], at: 0)
        #expect(try files.read(own) == [9])
        #expect(try files.read(other) == [1, 2, 3])
        #expect(PlacedFile.content(own, atMost: 10, isOwn: true) == [9])
        try #require(symlink(other, folder + "/link") == 0)
        #expect(PlacedFile.content(folder + "/link", atMost: 10, isOwn: true) == [])
    }

    @Test(
        "root gives a file with other names to nobody", .enabled(if: geteuid() == 0, "needs root"))
    func ownershipOfOtherNames() throws {
        let files = RealFileSystem()
        try files.createDirectory(folder + "/data")
        try files.replace(folder + "/other", with: [1])
        try #require(chown(folder + "/data", 65534, 65534) == 0)
        try files.link(folder + "/other", to: folder + "/data/lock")
        try files.lock(folder + "/data/lock").release()
        #expect(try files.status(folder + "/other").owner == 0)
    }

    @Test("a pipe is refused by everything that opens files, and nobody waits")
    func pipes() throws {
        let path = try pipe()
        let refused = FileError("open", path, code: FileError.notRegular)
        let files = RealFileSystem()
        for mode in [FileMode.read, .append, .replace] {
            #expect(throws: refused, "\(mode)") { try files.open(path, mode) }
        }
        #expect(throws: refused) { try files.read(path) }
        #expect(throws: refused) { try files.map(path) }
        #expect(throws: refused) { try files.lock(path) }
        #expect(throws: refused) { try RegularFile.content(path, limit: 100) }
        #expect(throws: refused) { try PlacedFile(path: path) }
        #expect(throws: FileError("open", path, code: ENXIO)) { try AppendedFile(path: path) }
        #expect(PlacedFile.content(path, atMost: 10) == [])
        #expect("\(refused)" == "open \(path): not a regular file")
    }

    @Test("a log may be a pipe that somebody reads; when it is full, lines are lost and nobody waits")
    func fullPipe() throws {
        let path = try pipe()
        let reader = open(path, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        let file = try AppendedFile(path: path)
        var written = 0
        while written < 1000, file.append([UInt8](repeating: 65, count: 4096)) { written += 1 }
        #expect(written > 0 && written < 1000)
    }

    @Test("other things that are no regular files are refused; the null device is an empty file to read")
    func devices() throws {
        #expect(throws: FileError("open", "/dev/zero", code: FileError.notRegular)) {
            try RegularFile.content("/dev/zero", limit: 100)
        }
        #expect(throws: FileError.self) { try RealFileSystem().open("/dev/null", .append) }
        #expect(throws: FileError("open", folder, code: EISDIR)) { try RegularFile.content(folder, limit: 100) }
        #expect(try RegularFile.content("/dev/null", limit: 100) == [])
    }

    @Test("no file of ours is written through a link", arguments: [FileMode.append, .create, .replace])
    func links(_ mode: FileMode) throws {
        let (files, target, link) = (RealFileSystem(), folder + "/target", folder + "/link")
        try files.replace(target, with: [1, 2, 3])
        try #require(symlink(target, link) == 0)
        #expect(throws: FileError.self) { try files.open(link, mode) }
        #expect(throws: FileError.self) { try PlacedFile(path: link) }
        #expect(throws: FileError.self) { try files.lock(link) }
        #expect(try files.read(target) == [1, 2, 3])
        #expect(try files.read(link) == [1, 2, 3])
    }

    @Test("a file of any size up to the limit is read, and of a size that nobody knows before")
    func sizes() throws {
        let path = folder + "/file"
        for size in [0, 1, 4095, 4096, 4097, 100_000] {
            try RealFileSystem().replace(path, with: [UInt8](repeating: 7, count: size))
            #expect(try RegularFile.content(path, limit: size).count == size)
            if size > 0 {
                #expect(throws: FileError("read", path, code: EFBIG)) { try RegularFile.content(path, limit: size - 1) }
            }
        }
        #expect(try !RegularFile.content("/proc/self/status", limit: 1 << 20).isEmpty)
    }

    @Test("a pipe that may be read once is read to its end, and waited for no longer than asked")
    func once() throws {
        let path = try pipe()
        #expect(throws: FileError("read", path, code: ETIMEDOUT)) {
            try RegularFile.contentOfAnyKind(path, limit: 100, seconds: 0)
        }
        let text = [UInt8](repeating: 65, count: 300_000)
        let writer = Thread.start("pipe-writer") {
            let descriptor = open(path, O_WRONLY)
            var sent = 0
            while sent < text.count {
                let count = write(descriptor, Array(text[sent...]), text.count - sent)
                guard count > 0 else { break }
                sent += count
            }
            close(descriptor)
        }
        #expect(try RegularFile.contentOfAnyKind(path, limit: 1 << 20, seconds: 60) == text)
        writer?.join()
        var ends: [Int32] = [0, 0]
        try #require(Glibc.pipe(&ends) == 0)
        _ = write(ends[1], "left", 4)
        close(ends[1])
        #expect(
            try RegularFile.contentOfAnyKind("/dev/fd/\(ends[0])", limit: 10, seconds: 60) == Array("left".utf8))
        close(ends[0])
    }
}
