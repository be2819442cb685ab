import Foundation

/// The files of the project, as the architecture tests read them.
enum ProjectFiles {
    static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(
        separator: "/")

    static func text(_ path: String) throws -> String {
        try String(contentsOfFile: root + "/" + path, encoding: .utf8)
    }

    /// Swift files below `folder`, relative to the root.
    static func swiftFiles(_ folder: String) throws -> [String] {
        guard let walk = FileManager.default.enumerator(atPath: root + "/" + folder) else { return [] }
        return walk.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }.map { folder + "/" + $0 }.sorted()
    }

    /// The modules that a source text imports.
    static func imports(of text: String) -> [String] {
        text.split(separator: "\n").compactMap { line in
            var words = line.split(separator: " ").map(String.init)
            while let first = words.first, first.hasPrefix("@") || ["package", "public", "internal"].contains(first) {
                words.removeFirst()
            }
            guard words.count >= 2, words[0] == "import" else { return nil }
            let module =
                words.count > 2 && ["struct", "func", "enum", "class"].contains(words[1]) ? words[2] : words[1]
            return String(module.split(separator: ".")[0])
        }
    }
}
