import Glibc
import Platform
import TestSupport
import Testing

@testable import Config

@Suite("Files of a pattern")
struct FileGlobTests {
    /// The files that a search finds among directories, which it asks for one after the other.
    private func find(
        _ pattern: String, _ directories: [String: [String]], errors: [String: Int32] = [:]
    ) throws -> [String] {
        var search = try FileSearch(pattern)
        while let (question, path) = search.question {
            if let code = errors[path] {
                try search.fail(FileError("open", path, code: code))
            } else if question == .isThere {
                try search.take(.isThere(directories[path] != nil))
            } else if let names = directories[path] {
                try search.take(.names(names))
            } else {
                try search.fail(FileError("open", path, code: ENOTDIR))
            }
        }
        return search.files
    }

    @Test("each level of a pattern is looked for in the directories of the level above it")
    func levels() throws {
        let tree = [
            ".": ["a", "b", "c.yml"], "a": [".x.yml", "x.yml", "y.json"], "b": ["é.yml"], "/": ["r"], "/r": ["s.yml"],
        ]
        #expect(try find("?/*.yml", tree) == ["a/.x.yml", "a/x.yml", "b/é.yml"])
        #expect(try find("./*.yml", tree) == ["c.yml"])
        #expect(try find("[b]/[é].yml", tree) == ["b/é.yml"])
        #expect(try find("/[r]/s.yml", tree) == ["/r/s.yml"])
        #expect(try find("nothing/*", tree) == [])
        #expect(try find("a", tree) == ["a"])
        #expect(try find("nothing", tree) == [])
        #expect(try find("?/", tree) == [])
        #expect(throws: ConfigError.self) { try find("[", tree) }
    }

    @Test("what may not be read is passed over; what does not answer, and a lack of files, are errors")
    func errors() throws {
        let tree = [".": ["a", "b"], "a": ["x"], "b": ["y"]]
        for code in [ENOENT, ENOTDIR, EACCES, EPERM, ELOOP, ENAMETOOLONG] {
            #expect(try find("?/*", tree, errors: ["a": code]) == ["b/y"])
        }
        for code in [EMFILE, EIO, FileError.slow, FileError.crowded, FileError.tooMany] {
            #expect(throws: ConfigError.self) { try find("?/*", tree, errors: ["a": code]) }
        }
    }

    @Test("the number of files has a bound")
    func bound() throws {
        var names = (0..<FileSearch.mostFiles).map { "\($0)" }
        #expect(try find("*", [".": names]).count == names.count)
        names.append("x")
        var search = try FileSearch("*")
        #expect(throws: FileError.self) { try search.take(.names(names)) }
    }

    @Test("files of the disk are found in order, those with a leading dot too")
    func disk() async throws {
        let temporary = try TemporaryFolder()
        let folder = temporary.path
        let names = [".b.yml", "a-1.yml", "a-2.yml", "é.yml"]
        for name in names { close(open("\(folder)/\(name)", O_CREAT | O_WRONLY, 0o600)) }
        symlink("nowhere", "\(folder)/link")
        func paths(_ names: [String]) -> [String] { names.map { "\(folder)/\($0)" } }
        #expect(try FileGlob.expand("\(folder)/*.yml") == paths(names))
        #expect(try await FileGlob.matches(of: "\(folder)/a*.yml") == paths(["a-1.yml", "a-2.yml"]))
        #expect(try FileGlob.expand("\(folder)/?.yml") == paths(["é.yml"]))
        #expect(try FileGlob.expand("\(folder)/link") == paths(["link"]))
        #expect(try FileGlob.expand("\(folder)/none") == [])
        #expect(try FileGlob.expand("\(folder)/a-1.yml/*") == [])
    }
}
