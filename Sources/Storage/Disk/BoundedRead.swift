import Glibc
import Platform

extension FileSystem {
    /// The content of a file of the store.
    ///
    /// - Parameter limit: The most bytes of such a file: a longer one is damaged, and is not read.
    func content(_ path: String, section: String, limit: Int) throws -> [UInt8] {
        do throws(FileError) { return try read(path, limit: limit) } catch {
            guard error.code == EFBIG else { throw error }
            throw BlockError(
                file: path, section: section, offset: limit, reason: "expected at most \(limit) bytes")
        }
    }
}
