import Glibc
import Platform

/// Reads configuration files, and those with secrets, certificates and targets that a configuration names.
package enum ConfigFile {
    /// The largest file that is read.
    static let maxSize = 64 << 20
    /// How long ``readOnce(_:)`` waits in all, s.
    private static let patience = 30

    /// The bytes of the file at `path`, which must be a regular file: others could block the reader for ever.
    package static func read(_ path: String) throws(ConfigError) -> [UInt8] {
        do throws(FileError) {
            return try RegularFile.content(path, limit: maxSize)
        } catch {
            throw mistake(error, path)
        }
    }

    /// The bytes of a file that a command line names, which may be a pipe; waits half a minute at most for its end.
    package static func readOnce(_ path: String) throws(ConfigError) -> [UInt8] {
        do throws(FileError) {
            return try RegularFile.contentOfAnyKind(path, limit: maxSize, seconds: patience)
        } catch {
            throw mistake(error, path)
        }
    }

    /// Whether there is something at `path` that is no file to be read again and again, a pipe for instance.
    package static func isReadOnce(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && ![S_IFREG, S_IFDIR].contains(info.st_mode & S_IFMT)
    }

    private static func mistake(_ error: FileError, _ path: String) -> ConfigError {
        let reason = error.code == EFBIG ? "larger than 64 MiB" : "\(error.operation): \(FileError.text(error.code))"
        return ConfigError(file: path, message: reason)
    }
}
