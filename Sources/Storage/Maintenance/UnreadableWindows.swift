import Platform

/// Head compaction left windows in the head because the system could not read their chunks; it is tried again.
struct UnreadableWindows: Error, CustomStringConvertible {
    /// The time for which chunks that cannot be read keep their window in the head, ns; then they are left out as
    /// damaged ones are.
    static let longestWait: Int64 = 3_600_000_000_000

    let error: FileError

    var description: String { "samples of the head cannot be read, and stay there: \(error)" }
}
