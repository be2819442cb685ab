import Foundation

/// The text of the project's sources, for tests that look for readers of flags.
enum SourceText {
    static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(
        separator: "/")

    static func file(_ path: String) throws -> String {
        try String(contentsOfFile: root + "/" + path, encoding: .utf8)
    }

    /// All Swift files below `folder`, relative to the root, but those named.
    static func swift(_ folder: String, without names: Set<String> = []) throws -> String {
        let walk = FileManager.default.enumerator(atPath: root + "/" + folder)
        let paths = walk?.compactMap { $0 as? String }.filter { path in
            path.hasSuffix(".swift") && !names.contains(path.split(separator: "/").last.map(String.init) ?? "")
        }
        return try (paths ?? []).sorted().map { try file(folder + "/" + $0) }.joined(separator: "\n")
    }
}
