import Foundation

/// The examples of `docs/formats/`.
public enum FormatPages {
    private static let folder = SharedFolder.projectRoot + "/docs/formats"

    /// The text of a page.
    public static func page(_ name: String) throws -> String {
        try String(contentsOfFile: folder + "/" + name, encoding: .utf8)
    }

    /// The bytes behind each mark `<!-- bytes: NAME -->`.
    public static func examples() throws -> [String: [UInt8]] {
        var examples: [String: [UInt8]] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasSuffix(".md") {
            for match in try page(name).matches(of: /<!-- bytes: (\S+) -->\n```\n([^`]*)```/) {
                let bytes = match.2.split(separator: "\n").flatMap { line in
                    line.split(separator: " ").dropFirst().compactMap { UInt8($0, radix: 16) }
                }
                examples[String(match.1)] = bytes
            }
        }
        return examples
    }

    /// Bytes as the pages show them.
    public static func dump(_ bytes: [UInt8]) -> String {
        func hex(_ value: Int, _ digits: Int) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
        }
        return stride(from: 0, to: bytes.count, by: 16).map { start in
            hex(start, 4) + "  "
                + bytes[start..<min(start + 16, bytes.count)].map { hex(Int($0), 2) }.joined(separator: " ")
        }.joined(separator: "\n") + "\n"
    }
}
