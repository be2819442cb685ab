import Glibc
import HTTP
import Platform

/// The files of a directory that the daemon serves at `/user`.
package struct UserAssets: Sendable {
    private let folder: String
    /// The size of the largest file that is served, bytes.
    private static let maxSize = 64 << 20

    package init(folder: String) { self.folder = folder }

    /// The file at a decoded path below the directory; for a directory its `index.html`.
    package func answer(_ path: String) -> HTTPResponse {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        let missing = HTTPResponse.text("404 page not found\n", status: 404)
        // No parent directories, no hidden files, and no NUL, which would truncate the path.
        guard parts.allSatisfy({ !$0.hasPrefix(".") && !$0.utf8.contains(0) }) else { return missing }
        let name = parts.joined(separator: "/")
        // A directory without a slash at the end also returns its page.
        for name in name.isEmpty ? ["index.html"] : [name, name + "/index.html"] {
            do throws(FileError) {
                let answer = try FileReads.shared.waitForAnswer(
                    .contentBelow(name: name, limit: Self.maxSize), folder)
                guard case .content(let bytes) = answer else { return missing }
                return HTTPResponse(
                    headers: [("Content-Type", WebPages.contentType(name)), ("X-Content-Type-Options", "nosniff")],
                    body: bytes)
            } catch {
                if error.code == FileError.slow || error.code == FileError.crowded {
                    return HTTPResponse.text("\(error)\n", status: 503)
                }
                if error.code != EISDIR { return missing }
            }
        }
        return missing
    }
}
