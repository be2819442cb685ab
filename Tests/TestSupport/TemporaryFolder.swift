import Glibc
import Platform

/// A directory in the one for temporary files.
///
/// It is removed with this object, whether the test succeeds or fails.
package final class TemporaryFolder {
    package let path: String

    package init() throws {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? ""
        var template = Array(((parent.isEmpty ? "/tmp" : parent) + "/martlet-test-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw FileError("mkdtemp", parent, code: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        // A program of the test may write for a moment longer.
        for _ in 0..<100 {
            if (try? RealFileSystem().removeAll(path)) != nil { return }
            usleep(20_000)
        }
    }
}
