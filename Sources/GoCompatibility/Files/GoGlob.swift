import Glibc

/// Patterns of file names, as Go's `filepath.Glob` expands them.
public enum GoGlob {
    /// Whether only the last part has a `*`.
    public static func isValid(_ pattern: String) -> Bool {
        guard !pattern.isEmpty else { return true }
        guard let star = pattern.firstIndex(of: "*") else { return true }
        return !pattern[star...].contains("/") && pattern[pattern.index(after: star)...].allSatisfy { $0 != "*" }
    }

    /// Whether a pattern may match any number of files, none among them; others name one file.
    public static func hasWildcard(_ pattern: String) -> Bool { pattern.contains { "*?[".contains($0) } }

    /// The files that match, sorted.
    public static func expand(_ pattern: String) -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(pattern, GLOB_NOSORT, nil, &found) == 0 else { return [] }
        return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }.sorted()
    }
}
