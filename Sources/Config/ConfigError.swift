/// A mistake in a configuration, with its place.
package struct ConfigError: Error, CustomStringConvertible {
    package var file: String
    /// From 1; 0 if the mistake has no line, a missing file for instance.
    package var line: Int
    /// From 1.
    package var column: Int
    package var message: String
    /// Whether a file system did not answer, so that nothing is known of the file.
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

/// Where something stands in a configuration file.
package struct ConfigPlace: Sendable, Hashable {
    package var file: String
    package var line: Int
    package var column: Int

    package init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    /// A mistake at this place.
    package func error(_ message: String) -> ConfigError {
        ConfigError(file: file, line: line, column: column, message: message)
    }
}
