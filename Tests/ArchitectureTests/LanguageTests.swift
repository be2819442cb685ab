import Foundation
import Testing

/// The words of comments and names in Sources, checked against lists of words that are not plain English.
@Suite("Language")
struct LanguageTests {
    /// Words and phrases that comments do not use: metaphors, private words, and persons in place of things.
    static let words = [
        "anew", "at hand", "at work", "be it", "behind", "brought to the disk", "come back", "comes back", "cut off",
        "farewell", "farewells", "give back", "give way", "gives back", "gives way", "go on", "goes", "goes on",
        "hands over", "in force", "let go", "lets go", "mend", "mended", "mends", "morsel", "morsels", "patience",
        "room", "rooms", "somebody", "take away", "taken back", "takes away", "takes back", "tell", "tells", "told",
        "under way", "upkeep", "whoever",
    ]

    /// First words of documentation comments that do not say what the thing is or does.
    static let openings = [
        "How", "Of", "Says", "Tells", "That", "What", "When", "Where", "Which", "Who", "Whoever", "Whose", "Why",
    ]

    /// Words that no name contains, as a whole part of it.
    static let names = ["farewell", "guests", "mended", "morsel", "patience", "room", "told", "upkeep", "whoever"]

    /// A comment: consecutive comment lines, or the end of a line of code.
    struct Comment: Equatable {
        var line: Int
        var isDocumentation: Bool
        var text: String
    }

    /// The comments of a source, and its code without comments and without the contents of strings.
    static func split(_ source: String) -> (comments: [Comment], code: [(line: Int, text: String)]) {
        var (comments, code): ([Comment], [(line: Int, text: String)]) = ([], [])
        var isText = false
        var isContinued = false
        for (index, line) in source.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let trimmed = line.drop { $0 == " " }
            let isDocumentation = trimmed.hasPrefix("///")
            if !isText, trimmed.hasPrefix("//") {
                let text = trimmed.drop { $0 == "/" }.trimmingCharacters(in: .whitespaces)
                if isContinued, comments.last?.isDocumentation == isDocumentation {
                    comments[comments.count - 1].text += " " + text
                } else {
                    comments.append(Comment(line: index + 1, isDocumentation: isDocumentation, text: text))
                }
                isContinued = true
                continue
            }
            isContinued = false
            let parts = line.split(separator: "\"", omittingEmptySubsequences: false)
            if line.contains("\"\"\"") { isText.toggle() }
            if isText { continue }
            var rest = parts.indices.filter { $0 % 2 == 0 }.map { String(parts[$0]) }.joined(separator: "\"\"")
            if let mark = rest.range(of: " // ") {
                let text = String(rest[mark.upperBound...])
                comments.append(Comment(line: index + 1, isDocumentation: false, text: text))
                rest = String(rest[..<mark.lowerBound])
            }
            code.append((index + 1, rest))
        }
        return (comments, code)
    }

    /// The words of the names in a line of code, in lower case: `firstRoom` has `first` and `room`.
    static func nameWords(_ code: String) -> Set<String> {
        var words: Set<String> = []
        var word = ""
        for character in code + " " {
            if !character.isLetter || character.isUppercase && word.last?.isLowercase == true {
                words.insert(word.lowercased())
                word = ""
            }
            if character.isLetter { word.append(character) }
        }
        return words
    }

    @Test("comments and names are found apart from strings")
    func search() {
        let source = """
            /// Says a
            /// room.
            let url = "https://told"  // go on
            func makeRoom(told: Int)  {}
            """
        let (comments, code) = Self.split(source)
        #expect(
            comments == [
                Comment(line: 1, isDocumentation: true, text: "Says a room."),
                Comment(line: 3, isDocumentation: false, text: "go on"),
            ])
        #expect(
            Self.nameWords(code.map(\.text).joined(separator: " ")).isSuperset(of: ["make", "room", "told", "int"]))
        #expect(!Self.nameWords(code[0].text).contains("told"))
    }

    @Test("comments are plain English")
    func comments() throws {
        let files = try ProjectFiles.swiftFiles("Sources")
        #expect(files.count > 400)
        for file in files {
            for comment in Self.split(try ProjectFiles.text(file)).comments {
                let text = comment.text.lowercased().replacing(/`[^`]*`/, with: "`").replacing(/\s+/, with: " ")
                for word in Self.words where GlossaryTests.contains(text, word) {
                    Issue.record("\(file):\(comment.line) has \"\(word)\": say it in plain words of docs/glossary.md")
                }
                let first = comment.text.prefix { $0.isLetter }
                if comment.isDocumentation, Self.openings.contains(String(first)) {
                    Issue.record("\(file):\(comment.line) begins with \"\(first)\": say what the thing is or does")
                }
            }
        }
    }

    @Test("names have no private words")
    func privateNames() throws {
        for file in try ProjectFiles.swiftFiles("Sources") {
            for (line, code) in Self.split(try ProjectFiles.text(file)).code {
                let words = Self.nameWords(code)
                for word in Self.names where words.contains(word) {
                    Issue.record("\(file):\(line) has a name with \"\(word)\": use a word of docs/glossary.md")
                }
            }
        }
    }
}
