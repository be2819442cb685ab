/// The mistakes of one file, so that all of them are named at once.
package final class ConfigProblems {
    private var unknown: [ConfigError] = []
    private var others: [ConfigError] = []
    private let ignoresUnknownKeys: Bool

    package init(ignoresUnknownKeys: Bool = false) { self.ignoresUnknownKeys = ignoresUnknownKeys }

    /// Notes a key that nobody asked for.
    func addUnknown(_ error: ConfigError) {
        if !ignoresUnknownKeys { unknown.append(error) }
    }

    package func add(_ error: ConfigError) { others.append(error) }

    /// Gives what `body` reads, or notes its mistake.
    func collect<T>(_ body: () throws(ConfigError) -> T) -> T? {
        do throws(ConfigError) {
            return try body()
        } catch {
            add(error)
            return nil
        }
    }

    /// All mistakes in the order of their lines.
    ///
    /// Unknown keys go alone: other mistakes may come of them, a key that is missing of one that is misspelt.
    package var all: [ConfigError] {
        (unknown.isEmpty ? others : unknown).enumerated().sorted { a, b in
            (a.element.line, a.element.column, a.offset) < (b.element.line, b.element.column, b.offset)
        }.map(\.element)
    }

    /// Most mistakes that one error names.
    private static let maxNamed = 100

    /// Throws one error that names the mistakes, if there are any.
    package func check() throws(ConfigError) {
        let errors = all
        guard var first = errors.first else { return }
        for error in errors.prefix(Self.maxNamed).dropFirst() { first.message += "\n\(error)" }
        if errors.count > Self.maxNamed { first.message += "\nand \(errors.count - Self.maxNamed) more mistakes" }
        throw first
    }
}
