import Glibc
import Platform

/// Reads configuration files, and the files with secrets, certificates and targets that a configuration names.
package enum ConfigFile {
    /// The size of the largest file that is read.
    static let maxSize = 64 << 20
    /// The time limit of ``readOnce(_:)``, s.
    private static let readOnceTime = 30

    /// The bytes of the file at `path`, which must be a regular file: others could block the reader for ever.
    ///
    /// A file that does not answer within ``FileReads/timeout`` is an error.
    package static func read(_ path: String) throws(ConfigError) -> [UInt8] {
        do throws(FileError) {
            return content(try FileReads.shared.waitForAnswer(question, path))
        } catch {
            throw mistake(error, path)
        }
    }

    /// Reads a file from a task without blocking a thread.
    package static func content(of path: String) async throws(ConfigError) -> [UInt8] {
        do throws(FileError) {
            return content(try await FileReads.shared.answer(question, path))
        } catch {
            throw mistake(error, path)
        }
    }

    private static let question = FileQuestion.content(limit: maxSize)

    private static func content(_ answer: FileQuestion.Answer) -> [UInt8] {
        if case .content(let bytes) = answer { bytes } else { [] }
    }

    /// The version of the file at `path`, which changes with the file; nil if there is none.
    package static func version(of path: String) async throws(ConfigError) -> FileStamp? {
        do throws(FileError) {
            return if case .version(let stamp) = try await FileReads.shared.answer(.version, path) { stamp } else {
                nil
            }
        } catch {
            throw mistake(error, path)
        }
    }

    /// The version of a file, for a thread that may block.
    package static func versionNow(of path: String) throws(ConfigError) -> FileStamp? {
        do throws(FileError) {
            return if case .version(let stamp) = try FileReads.shared.waitForAnswer(.version, path) { stamp } else {
                nil
            }
        } catch {
            throw mistake(error, path)
        }
    }

    /// Checks that the file at `path` may be read.
    package static func checkAccess(_ path: String) throws(FileError) {
        _ = try FileReads.shared.waitForAnswer(.access, path)
    }

    /// The bytes of a file on a command line, which may be a pipe; waits at most half a minute for its end.
    package static func readOnce(_ path: String) throws(ConfigError) -> [UInt8] {
        do throws(FileError) {
            return try RegularFile.contentOfAnyKind(path, limit: maxSize, seconds: readOnceTime)
        } catch {
            throw mistake(error, path)
        }
    }

    /// Whether the file at `path` exists and can only be read once, for example a pipe.
    package static func isReadOnce(_ path: String) -> Bool {
        guard case .isSpecial(true) = try? FileReads.shared.waitForAnswer(.isSpecial, path) else { return false }
        return true
    }

    static func mistake(_ error: FileError, _ path: String) -> ConfigError {
        let reason =
            switch error.code {
            case EFBIG: "larger than 64 MiB"
            case FileError.slow, FileError.crowded: "reading \(FileError.text(error.code))"
            default: "\(error.operation): \(FileError.text(error.code))"
            }
        var mistake = ConfigError(file: path, message: reason)
        mistake.isUnanswered = [FileError.slow, FileError.crowded].contains(error.code)
        return mistake
    }
}
