import JSON
import TestSupport
import Testing

@Suite("JSON")
struct JSONTests {
    @Test(
        "texts that are JSON are read and written back",
        arguments: [
            ("null", "null"), (" [ 1 , -2.5e3 , true ] ", "[1,-2500,true]"),
            (#"{"a":{"b":[]},"a":""}"#, #"{"a":{"b":[]},"a":""}"#),
            (#""\u00e9\ud83d\ude00\n\/\\""#, #""é😀\n/\\""#), (#""\ud800x""#, "\"\u{FFFD}x\""), ("0.1", "0.1"),
            ("1e21", "1e+21"),
            (#""<&>\u2028""#, #""<&>\u2028""#), (#""\u0001""#, #""\u0001""#),
        ])
    func roundTrip(_ text: String, _ written: String) throws {
        var writer = JSONWriter()
        writer.value(try JSONValue.parse(text))
        #expect(String(decoding: writer.bytes, as: UTF8.self) == written)
    }

    @Test("a byte that must be escaped is found wherever it stands among plain ones")
    func escapes() {
        let escapes: [(UInt8, String)] = [
            (0x00, "\\u0000"), (0x1F, "\\u001f"), (0x22, "\\\""), (0x5C, "\\\\"), (0x0A, "\\n"), (0x7F, "\u{7F}"),
            (0x80, "\\ufffd"), (0xFF, "\\ufffd"), (0x20, " "), (0x21, "!"), (0x23, "#"), (0x5B, "["), (0x5D, "]"),
            (0x7E, "~"),
        ]
        for (byte, escaped) in escapes {
            for size in 1..<26 {
                for place in 0..<size {
                    var text = [UInt8](repeating: UInt8(ascii: "a"), count: size)
                    text[place] = byte
                    var writer = JSONWriter()
                    text.withUnsafeBufferPointer { writer.string(utf8: $0) }
                    let before = String(repeating: "a", count: place)
                    let after = String(repeating: "a", count: size - place - 1)
                    #expect(String(decoding: writer.bytes, as: UTF8.self) == "\"\(before)\(escaped)\(after)\"")
                    var members = JSONWriter()
                    text.withUnsafeBufferPointer { text in
                        members.object { writer in
                            writer.member(text, text)
                            writer.member(text, text)
                        }
                    }
                    let quoted = String(decoding: writer.bytes, as: UTF8.self)
                    #expect(
                        String(decoding: members.bytes, as: UTF8.self)
                            == "{\(quoted):\(quoted),\(quoted):\(quoted)}")
                }
            }
        }
    }

    @Test(
        "texts that are no JSON are refused with the place",
        arguments: [
            ("", "1:1: unexpected end of JSON, expected a value"), ("[1,]", "1:4: unexpected ']', expected a value"),
            ("{\n\"a\" 1}", "2:5: unexpected '1', expected ':'"), ("01", "1:1: a number must not begin with 0"),
            ("\"\u{1}\"", "1:2: a control character must be escaped in a string"),
            ("tru", "1:1: unexpected 't', expected true"),
            ("1 2", "1:3: unexpected '2', expected the end"), (#""\x""#, "1:3: invalid escape in a string"),
            (#""\u12g4""#, "1:4: expected four hexadecimal digits"),
            ("-", "1:2: unexpected end of JSON, expected a value"),
            ("{1:2}", "1:2: unexpected '1', expected a member's name"),
            ("\"abc", "1:5: unexpected end of JSON, expected '\"'"),
        ])
    func refused(_ text: String, _ message: String) {
        let error = #expect(throws: JSONError.self) { try JSONValue.parse(text) }
        #expect(error?.description == message)
    }

    @Test("depth is limited, not the stack")
    func depth() {
        let error = #expect(throws: JSONError.self) { try JSONValue.parse(String(repeating: "[", count: 100_000)) }
        #expect(error?.reason.contains("levels deep") == true)
    }

    @Test("mutated texts never crash the reader")
    func mutations() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        let seed = Array(#"{"a":[1,2.5e-3,"x\u00e9\n",true,null,{"b":{}}]}"#.utf8)
        for _ in 0..<5000 {
            var bytes = seed
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: at)
                default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
                }
            }
            _ = try? JSONValue.parse(bytes)
        }
    }

    @Test("bytes that are no UTF-8 are written as the replacement character")
    func invalidUTF8() {
        for bytes in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x80]] as [[UInt8]] {
            var writer = JSONWriter()
            bytes.withUnsafeBufferPointer { writer.string(utf8: $0) }
            #expect(
                String(decoding: writer.bytes, as: UTF8.self) == "\"" + String(repeating: "\\ufffd", count: bytes.count)
                    + "\"")
        }
    }

    @Test("numbers that JSON has not become null")
    func nonFinite() {
        var writer = JSONWriter()
        writer.array {
            $0.number(.nan)
            $0.number(.infinity)
            $0.integer(UInt64.max)
        }
        #expect(String(decoding: writer.bytes, as: UTF8.self) == "[null,null,18446744073709551615]")
    }
}
