/// The syntax of patterns of file names, as Go's `filepath.Glob` has it.
public enum GoGlob {
    /// Whether only the last part has a `*`.
    public static func isValid(_ pattern: String) -> Bool {
        guard !pattern.isEmpty else { return true }
        guard let star = pattern.firstIndex(of: "*") else { return true }
        return !pattern[star...].contains("/") && pattern[pattern.index(after: star)...].allSatisfy { $0 != "*" }
    }

    /// Whether a pattern may match any number of files, none among them; others name one file.
    public static func hasWildcard(_ pattern: String) -> Bool { pattern.contains { "*?[".contains($0) } }
}
