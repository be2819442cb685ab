import JSON
import TestSupport
import Testing

@Suite("JSON value by value")
struct JSONReaderTests {
    /// Reads any value with a reader, as a tree.
    private static func tree(_ reader: inout JSONReader) throws -> JSONValue {
        switch try reader.kind() {
        case .null:
            try reader.null()
            return .null
        case .string: return .string(try reader.string())
        case .array:
            var elements: [JSONValue] = []
            try reader.array { elements.append(try tree(&$0)) }
            return .array(elements)
        case .object:
            var members: [(key: String, value: JSONValue)] = []
            try reader.object { name, reader in members.append((name, try tree(&reader))) }
            return .object(members)
        case .bool, .number: throw Unread()
        }
    }

    private struct Unread: Error {}

    private static func written(_ value: JSONValue) -> String {
        var writer = JSONWriter()
        writer.value(value)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test("a reader reads what a tree has, and refuses the same texts at the same place")
    func sameAsTree() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        let parts = ["[", "]", "{", "}", ",", ":", "null", "\"a\"", "\"\\u00e4\"", " ", "\n", "\"", "x", "nul"]
        var accepted = 0
        for round in 0..<20_000 {
            var text = (0..<Int.random(in: 1...8, using: &random)).map { _ in
                parts.randomElement(using: &random) ?? ""
            }.joined()
            if round % 2 == 0 { text = "[{\"k\":[\(text)]}]" }
            let expected = Result { () throws(JSONError) in try JSONValue.parse(text) }
            let found = Result {
                var reader = JSONReader(Array(text.utf8))
                let value = try Self.tree(&reader)
                try reader.end()
                return value
            }
            switch (expected, found) {
            case (.success(let a), .success(let b)):
                accepted += 1
                #expect(Self.written(a) == Self.written(b))
            case (.failure(let a), .failure(let b)): #expect("\(a)" == "\(b)", "\(text)")
            default: Issue.record("\(text): \(expected), \(found)")
            }
        }
        #expect(accepted > 100)
    }

    @Test("the kind of a value is known before it is read")
    func kinds() throws {
        for (text, kind) in [
            ("null", JSONKind.null), (" true", .bool), ("false", .bool), ("-1", .number), ("0.5", .number),
            ("\"\"", .string), ("[", .array), ("{", .object),
        ] {
            var reader = JSONReader(Array(text.utf8))
            #expect(try reader.kind() == kind)
        }
        for text in ["", " ", "]", "}", ",", "x", "+1"] {
            var reader = JSONReader(Array(text.utf8))
            #expect(throws: JSONError.self) { try reader.kind() }
        }
    }
}
