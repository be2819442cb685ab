import GoCompatibility
import Platform

/// The files that a pattern matches, as Go's `filepath.Glob` finds them; ``GoGlob`` has the syntax of patterns.
package enum FileGlob {
    /// The files that match, in the order of directories and names.
    package static func expand(_ pattern: String) throws(ConfigError) -> [String] {
        var search = try FileSearch(pattern)
        while let (question, path) = search.question {
            do throws(FileError) {
                try search.take(try FileReads.shared.waitForAnswer(question, path))
            } catch {
                try search.fail(error)
            }
        }
        return search.files
    }

    /// Finds the files from a task without blocking a thread.
    package static func matches(of pattern: String) async throws(ConfigError) -> [String] {
        var search = try FileSearch(pattern)
        while let (question, path) = search.question {
            do throws(FileError) {
                try search.take(try await FileReads.shared.answer(question, path))
            } catch {
                try search.fail(error)
            }
        }
        return search.files
    }

    /// The error of an invalid pattern.
    package static let syntaxError = "syntax error in pattern"
}

/// A search for the files of a pattern: it queries directories, one level at a time.
struct FileSearch {
    /// The most paths in memory.
    static let mostFiles = 100_000

    private let pattern: String
    private let names: [GoGlobPattern]
    /// The number of ``names`` that have been searched.
    private var level = 0
    /// The directories of this level, and the number of those that were read.
    private var directories: [String]
    private var read = 0
    private var found: [String] = []

    /// - Throws: ``ConfigError`` if the pattern is invalid.
    init(_ pattern: String) throws(ConfigError) {
        guard let path = GoGlobPath(pattern) else { throw ConfigError(file: pattern, message: FileGlob.syntaxError) }
        self.pattern = pattern
        names = path.names
        directories = [path.directory]
    }

    /// The next query and its path; nil at the end.
    var question: (FileQuestion, String)? {
        guard read < directories.count else { return nil }
        return (names.isEmpty ? .isThere : .names, directories[read])
    }

    /// The result at the end.
    var files: [String] { directories }

    mutating func take(_ answer: FileQuestion.Answer) throws(FileError) {
        guard read < directories.count else { return }
        switch answer {
        case .isThere(true): found.append(directories[read])
        case .names(let all) where level < names.count:
            for name in all where names[level].matches(name) {
                guard found.count < Self.mostFiles else {
                    throw FileError("glob", pattern, code: FileError.tooMany)
                }
                found.append(GoGlobPath.join(directories[read], name))
            }
        default: break
        }
        goOn()
    }

    /// Skips a file that does not exist or may not be read.
    ///
    /// - Throws: ``ConfigError`` for other errors, after which the existing files are unknown.
    mutating func fail(_ error: FileError) throws(ConfigError) {
        guard error.leadsNowhere || error.isForbidden else { throw ConfigFile.mistake(error, pattern) }
        goOn()
    }

    private mutating func goOn() {
        read += 1
        guard read == directories.count else { return }
        level += 1
        directories = found
        found = []
        read = level < names.count ? 0 : directories.count
    }
}
