/// The keys of one file that nobody asked for, so that all of them are named at once.
package final class UnknownFields {
    private var errors: [ConfigError] = []

    package init() {}

    func add(_ error: ConfigError) { errors.append(error) }

    /// Throws one error that names all keys, in the order of the file.
    func check() throws(ConfigError) {
        errors.sort { ($0.line, $0.column) < ($1.line, $1.column) }
        guard var all = errors.first else { return }
        for error in errors.dropFirst() { all.message += "\n\(error)" }
        throw all
    }
}
