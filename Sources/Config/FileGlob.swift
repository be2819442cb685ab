import Platform

/// The files that a pattern matches, as Go's `filepath.Glob` finds them; ``GoGlob`` has the syntax of patterns.
package enum FileGlob {
    /// The files that match, sorted.
    package static func expand(_ pattern: String) throws(ConfigError) -> [String] {
        do throws(FileError) {
            return files(try FileReads.shared.waitForAnswer(.matches, pattern))
        } catch {
            throw ConfigFile.mistake(error, pattern)
        }
    }

    /// The same for a task, which holds no thread meanwhile.
    package static func matches(of pattern: String) async throws(ConfigError) -> [String] {
        do throws(FileError) {
            return files(try await FileReads.shared.answer(.matches, pattern))
        } catch {
            throw ConfigFile.mistake(error, pattern)
        }
    }

    private static func files(_ answer: FileQuestion.Answer) -> [String] {
        if case .matches(let files) = answer { files } else { [] }
    }
}
