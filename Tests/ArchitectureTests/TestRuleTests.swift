import Foundation
import Testing

/// Rules for the tests themselves.
@Suite("Rules for tests")
struct TestRuleTests {
    static func tests() throws -> [(file: String, text: String)] {
        try ProjectFiles.swiftFiles("Tests").filter { !$0.hasPrefix("Tests/ArchitectureTests/") }.map {
            ($0, try ProjectFiles.text($0))
        }
    }

    /// The arguments of each call of `name`, whatever parentheses are in them, and the line in which it begins.
    static func calls(_ name: String, in text: String) -> [(arguments: Substring, line: Substring)] {
        text.ranges(of: name + "(").map { call in
            var depth = 1
            let end = text[call.upperBound...].firstIndex { character in
                depth += character == "(" ? 1 : character == ")" ? -1 : 0
                return depth == 0
            }
            let lineStart = text[..<call.lowerBound].lastIndex(of: "\n") ?? text.startIndex
            let line = text[lineStart...].dropFirst().prefix { $0 != "\n" }
            return (text[call.upperBound..<(end ?? text.endIndex)], line)
        }
    }

    @Test("random numbers of tests come from a seed")
    func seeds() throws {
        for (file, text) in try Self.tests() where file != "Tests/TestSupport/SeededRandom.swift" {
            #expect(!text.contains("SystemRandomNumberGenerator"), "\(file): take SeededRandom")
            for name in [".random", ".randomElement", ".shuffled", ".shuffle"] {
                for call in Self.calls(name, in: text) where !call.arguments.contains("using:") {
                    Issue.record("\(file) draws without a seed: \(call.line)")
                }
            }
        }
    }

    @Test("directories of tests are those that remove themselves")
    func temporaryFolders() throws {
        for (file, text) in try Self.tests() where file != "Tests/TestSupport/TemporaryFolder.swift" {
            for word in ["mkdtemp", "NSTemporaryDirectory", "temporaryDirectory", "\"/tmp/"] {
                #expect(!text.contains(word), "\(file): take TemporaryFolder instead of \(word)")
            }
            // The directory is removed with the object, which nobody holds then.
            #expect(
                !text.contains("TemporaryFolder()."), "\(file): keep the TemporaryFolder as long as its path is used")
        }
    }

    @Test("a test that may be skipped says what it needs")
    func reasons() throws {
        for (file, text) in try Self.tests() {
            for name in [".enabled", ".disabled"] {
                for call in Self.calls(name, in: text) where name == ".disabled" || call.arguments.hasPrefix("if:") {
                    #expect(call.arguments.contains("\"needs "), "\(file): say \"needs …\": \(call.line)")
                }
            }
        }
    }
}
