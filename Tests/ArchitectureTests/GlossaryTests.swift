import Foundation
import Testing

/// The words of the documents, held against the table of private words in docs/glossary.md.
@Suite("Glossary")
struct GlossaryTests {
    /// The words that are not used in documents.
    static func privateWords() throws -> [String] {
        let page = try ProjectFiles.text("docs/glossary.md")
        guard let mark = page.range(of: "<!-- private words -->\n") else { return [] }
        return page[mark.upperBound...].split(separator: "\n").prefix { $0.hasPrefix("|") }.dropFirst(2).compactMap {
            $0.split(separator: "|").first?.trimmingCharacters(in: .whitespaces)
        }
    }

    /// A document without its code, in lower case, with single spaces.
    ///
    /// Code keeps what programs print, and names of the sources.
    static func prose(_ text: String) -> String {
        var lines: [Substring] = []
        var isCode = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.drop(while: { $0 == " " }).hasPrefix("```") {
                isCode.toggle()
            } else if !isCode, !line.hasPrefix("    ") {
                lines.append(line)
            }
        }
        return lines.joined(separator: " ").lowercased().replacing(/`[^`]*`/, with: "`")
            .replacing(/\]\([^)]*\)/, with: "]").replacing(/\s+/, with: " ")
    }

    /// Whether a text has a word, or words, that no letter extends.
    static func contains(_ text: String, _ word: String) -> Bool {
        var rest = text[...]
        while let found = rest.range(of: word) {
            let isBegun = found.lowerBound > text.startIndex && text[text.index(before: found.lowerBound)].isLetter
            if !isBegun, found.upperBound == text.endIndex || !text[found.upperBound].isLetter { return true }
            rest = rest[found.upperBound...]
        }
        return false
    }

    @Test("words are found whole, in prose only")
    func search() {
        let text = Self.prose("A narrow\nRoom.\n```\nhouse\n```\n`border` and\n    arrow\n[x](house.md)")
        #expect(Self.contains(text, "room"))
        #expect(Self.contains(text, "narrow room"))
        for word in ["arrow", "house", "border", "roo"] { #expect(!Self.contains(text, word)) }
    }

    @Test("the documents do without private words")
    func documents() throws {
        let words = try Self.privateWords()
        #expect(words.count > 20)
        #expect(words.contains("room") && words.contains("remark"))
        let pages =
            FileManager.default.enumerator(atPath: ProjectFiles.root + "/docs")?.compactMap { $0 as? String } ?? []
        let documents = pages.filter { $0.hasSuffix(".md") && $0 != "glossary.md" }.map { "docs/" + $0 }.sorted()
        #expect(documents.count > 6)
        for document in ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"] + documents {
            let text = Self.prose(try ProjectFiles.text(document))
            for word in words where Self.contains(text, word) {
                Issue.record("\(document) has \"\(word)\": see docs/glossary.md")
            }
        }
    }
}
