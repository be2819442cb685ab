import Glibc
import HTTP

/// The files of a directory that the operator serves at `/user`.
package struct UserAssets: Sendable {
    private let folder: String
    /// Largest file that is served, bytes.
    private static let maxSize = 64 << 20

    package init(folder: String) { self.folder = folder }

    /// The file at a path below the directory, decoded; a directory gives its `index.html`.
    package func answer(_ path: String) -> HTTPResponse {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        let missing = HTTPResponse.text("404 page not found\n", status: 404)
        // No way up, no hidden files, no NUL that cuts the path.
        guard parts.allSatisfy({ !$0.hasPrefix(".") && !$0.utf8.contains(0) }) else { return missing }
        var file = folder + "/" + parts.joined(separator: "/")
        var status = stat()
        guard stat(file, &status) == 0 else { return missing }
        if status.st_mode & S_IFMT == S_IFDIR {
            file += "/index.html"
            guard stat(file, &status) == 0 else { return missing }
        }
        guard status.st_mode & S_IFMT == S_IFREG, isInside(file), let bytes = Self.content(file) else {
            return missing
        }
        return HTTPResponse(
            headers: [("Content-Type", WebPages.contentType(file)), ("X-Content-Type-Options", "nosniff")],
            body: bytes)
    }

    /// Whether a file lies below the directory when all links are followed.
    private func isInside(_ file: String) -> Bool {
        guard let root = realpath(folder, nil) else { return false }
        defer { free(root) }
        guard let target = realpath(file, nil) else { return false }
        defer { free(target) }
        return String(cString: target).hasPrefix(String(cString: root) + "/")
    }

    private static func content(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= maxSize else {
            return nil
        }
        let size = Int(status.st_size)
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size {
                let n = read(descriptor, buffer.baseAddress.map { $0 + count }, size - count)
                guard n > 0 else { return }
                count += n
            }
        }
    }
}
