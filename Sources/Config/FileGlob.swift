import GoCompatibility
import Platform

/// The files that a pattern matches, as Go's `filepath.Glob` finds them; ``GoGlob`` has the syntax of patterns.
package enum FileGlob {
    /// The files that match, in order of directories and names.
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

    /// The same for a task, which holds no thread meanwhile.
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

    /// The error of a pattern that cannot be read.
    package static let syntaxError = "syntax error in pattern"
}

/// One search for the files of a pattern: it asks about directories, a level at a time.
struct FileSearch {
    /// The most paths that are held.
    static let mostFiles = 100_000

    private let pattern: String
    private let names: [GoGlobPattern]
    /// How many of ``names`` have been looked for.
    private var level = 0
    /// The directories of this level, and how many of them have been read.
    private var directories: [String]
    private var read = 0
    private var found: [String] = []

    /// - Throws: ``ConfigError`` if this is no pattern.
    init(_ pattern: String) throws(ConfigError) {
        guard let path = GoGlobPath(pattern) else { throw ConfigError(file: pattern, message: FileGlob.syntaxError) }
        self.pattern = pattern
        names = path.names
        directories = [path.directory]
    }

    /// What has to be asked next, about which path; nil at the end.
    var question: (FileQuestion, String)? {
        guard read < directories.count else { return nil }
        return (names.isEmpty ? .isThere : .names, directories[read])
    }

    /// What was found at the end.
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

    /// Passes over what is not there or may not be read.
    ///
    /// - Throws: ``ConfigError`` for other errors, which say nothing about what is there.
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
