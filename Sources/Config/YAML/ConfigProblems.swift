/// The errors of one file, so that all of them are reported at once.
package final class ConfigProblems {
    private var unknown: [ConfigError] = []
    private var others: [ConfigError] = []
    private let ignoresUnknownKeys: Bool

    package init(ignoresUnknownKeys: Bool = false) { self.ignoresUnknownKeys = ignoresUnknownKeys }

    /// Adds an unknown key.
    func addUnknown(_ error: ConfigError) {
        if !ignoresUnknownKeys { unknown.append(error) }
    }

    package func add(_ error: ConfigError) { others.append(error) }

    /// Returns the result of `body`, or adds its error.
    func collect<T>(_ body: () throws(ConfigError) -> T) -> T? {
        do throws(ConfigError) {
            return try body()
        } catch {
            add(error)
            return nil
        }
    }

    /// All errors in the order of their lines.
    ///
    /// Unknown keys are reported without other errors, which may be consequences: a misspelt key is also a missing one.
    package var all: [ConfigError] {
        (unknown.isEmpty ? others : unknown).enumerated().sorted { a, b in
            (a.element.line, a.element.column, a.offset) < (b.element.line, b.element.column, b.offset)
        }.map(\.element)
    }

    /// The most errors that are reported at once.
    private static let maxNamed = 100

    /// Throws one error that contains all errors, if there are any.
    package func check() throws(ConfigError) {
        let errors = all
        guard var first = errors.first else { return }
        for error in errors.prefix(Self.maxNamed).dropFirst() { first.message += "\n\(error)" }
        if errors.count > Self.maxNamed { first.message += "\nand \(errors.count - Self.maxNamed) more mistakes" }
        throw first
    }
}
