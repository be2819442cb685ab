/// An error in a configuration, with its place.
package struct ConfigError: Error, CustomStringConvertible {
    package var file: String
    /// The line, from 1; 0 if the error has no line, for example for a missing file.
    package var line: Int
    /// The column, from 1.
    package var column: Int
    package var message: String
    /// Whether a file system did not answer, so that the state of the file is unknown.
    package var isUnanswered = false

    package init(file: String, line: Int = 0, column: Int = 0, message: String) {
        self.file = file
        self.line = line
        self.column = column
        self.message = message
    }

    package var description: String {
        line > 0 ? "\(file):\(line):\(column): \(message)" : "\(file): \(message)"
    }
}

/// A position in a configuration file.
package struct ConfigPlace: Sendable, Hashable {
    package var file: String
    package var line: Int
    package var column: Int

    package init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    /// Makes an error at this place.
    package func error(_ message: String) -> ConfigError {
        ConfigError(file: file, line: line, column: column, message: message)
    }
}
