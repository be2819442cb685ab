import Glibc
import Platform
import TestSupport
import Testing

@Suite("Overlay file system")
struct OverlayFileSystemTests {
    private let temporary: TemporaryFolder
    private let real = RealFileSystem()
    private let overlay: OverlayFileSystem
    private var root: String { temporary.path + "/root" }

    init() throws {
        temporary = try TemporaryFolder()
        overlay = try OverlayFileSystem(temporary.path + "/root")
        try real.createDirectory(root + "/sub/deep")
        for (name, text) in [("a", "one"), ("sub/b", "two"), ("sub/deep/c", "three")] {
            try put(real, name, text, .create)
        }
    }

    private func put(_ files: any FileSystem, _ name: String, _ text: String, _ mode: FileMode) throws {
        let file = try files.open(root + "/" + name, mode)
        defer { file.close() }
        try file.write(Array(text.utf8))
        try file.syncData()
    }

    private func text(_ files: any FileSystem, _ name: String) throws -> String {
        let read = String(decoding: try files.read(root + "/" + name, limit: 1 << 20), as: UTF8.self)
        let mapped = try files.map(root + "/" + name).withBytes { String(decoding: $0, as: UTF8.self) }
        #expect(read == mapped)
        return read
    }

    /// Every path with its text; directories with none.
    private func tree(_ files: any FileSystem, _ name: String = "") throws -> [String: String] {
        var result: [String: String] = [:]
        for entry in try files.list(root + name) {
            let path = name + "/" + entry
            if try files.kind(root + path) == .directory {
                result[path] = ""
                result.merge(try tree(files, path)) { $1 }
            } else {
                result[path] = try text(files, String(path.dropFirst()))
            }
        }
        return result
    }

    @Test("a change is seen here, and not on the disk")
    func changes() throws {
        let before = try tree(real)
        #expect(try tree(overlay) == before)
        try put(overlay, "a", " more", .append)
        try put(overlay, "new", "n", .create)
        try put(overlay, "sub/b", "B", .replace)
        try overlay.rename(root + "/sub/deep", to: root + "/moved")
        try put(overlay, "moved/c", "!", .append)
        try overlay.link(root + "/new", to: root + "/sub/second")
        try put(overlay, "new", "n", .append)
        try overlay.createDirectory(root + "/x/y")
        #expect(
            try tree(overlay) == [
                "/a": "one more", "/new": "nn", "/sub": "", "/sub/b": "B", "/sub/second": "nn", "/moved": "",
                "/moved/c": "three!", "/x": "", "/x/y": "",
            ])
        try overlay.remove(root + "/a")
        try overlay.removeAll(root + "/sub")
        try overlay.replace(root + "/new", with: Array("again".utf8))
        #expect(try tree(overlay) == ["/new": "again", "/moved": "", "/moved/c": "three!", "/x": "", "/x/y": ""])
        #expect(try tree(real) == before)
    }

    @Test("what cannot be done fails as on the disk")
    func failures() throws {
        try put(overlay, "new", "", .create)
        func code(_ body: (any FileSystem) throws -> Void) -> Set<Int32> {
            Set(
                [real, overlay].map { (files: any FileSystem) -> Int32 in
                    do { try body(files) } catch { return (error as? FileError)?.code ?? -1 }
                    return 0
                })
        }
        #expect(code { _ = try $0.open(root + "/none", .read) } == [ENOENT])
        #expect(code { _ = try $0.open(root + "/none/x", .append) } == [ENOENT])
        #expect(code { _ = try $0.open(root + "/a/x", .read) } == [ENOTDIR])
        #expect(code { _ = try $0.open(root + "/a", .create) } == [EEXIST])
        #expect(code { _ = try $0.open(root + "/sub", .read) } == [EISDIR])
        #expect(code { try $0.remove(root + "/none") } == [ENOENT])
        #expect(code { try $0.removeDirectory(root + "/sub") } == [ENOTEMPTY])
        #expect(code { try $0.rename(root + "/none", to: root + "/b") } == [ENOENT])
        #expect(code { try $0.rename(root + "/a", to: root + "/none/b") } == [ENOENT])
        #expect(code { try $0.link(root + "/a", to: root + "/sub/b") } == [EEXIST])
        #expect(code { try $0.createDirectory(root + "/a") } == [ENOTDIR])
        #expect(throws: FileError.self) { try overlay.open(temporary.path + "/outside", .create) }
        #expect(try real.list(temporary.path) == ["root"])
    }

    @Test("a directory is locked without a lock file, and an existing one is not changed")
    func locks() throws {
        let held = try overlay.lock(root + "/lock")
        #expect(try !real.exists(root + "/lock"))
        #expect(throws: FileError.self) { try OverlayFileSystem(root).lock(root + "/lock") }
        held.release()
        try real.lock(root + "/lock").release()
        let again = try overlay.lock(root + "/lock")
        #expect(throws: FileError.self) { try real.lock(root + "/lock") }
        again.release()
    }
}
