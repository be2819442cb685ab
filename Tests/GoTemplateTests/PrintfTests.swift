import GoCompatibility
import GoTemplate
import Model
import TestSupport
import Testing

/// `printf`, `print` and `println`, as Go's `fmt` has them.
@Suite("Go printf")
struct PrintfTests {
    static let numbers: [(String, [TemplateValue], String)] = [
        (
            "%#10G|%#g|%#.3g|%#g", [.float(3.25), .float(100), .float(1), .float(1e21)],
            "   3.25000|100.000|1.00|1.00000e+21"
        ),
        (
            "%#.0f|%#.0e|%#v|%#x|%#X", [.float(2), .float(2), .float(3), .float(1), .float(1)],
            "2.|2.e+00|3|0x1.0000p+00|0X1.P+00"
        ),
        ("%#g|%#g|%#.1x", [.float(0), .float(0.05), .float(1.5)], "0.00000|0.0500000|0x1.8p+00"),
        (
            "% g|%+g|% e|% g|%+g|%06g",
            [.float(.infinity), .float(.nan), .float(1), .float(.nan), .float(2), .float(.infinity)],
            " Inf|+NaN| 1.000000e+00| NaN|+2|  +Inf"
        ),
        (
            "%+07.2f|%-7.1f|% 07.2f|%07.2f", [.float(1.5), .float(1.5), .float(1.5), .float(-1.5)],
            "+001.50|1.5    | 001.50|-001.50"
        ),
        (
            "%.5O|%#.5x|%#08x|%#o|%O|%#b",
            [.integer(29), .integer(29), .integer(255), .integer(8), .integer(8), .integer(5)],
            "0o00035|0x0001d|0x000000ff|010|0o10|0b101"
        ),
        (
            "%.0d|%5.0d|%05d|%+05d|% d|%-05d|%05.3d",
            [.integer(0), .integer(0), .integer(-42), .integer(42), .integer(5), .integer(5), .integer(5)],
            "|     |-0042|+0042| 5|5    |  005"
        ),
        (
            "%x|%X|%b|%c|%q|%q|%q",
            [
                .integer(-255), .integer(255), .integer(-5), .integer(0x4E16), .integer(0x27), .integer(0x22),
                .integer(10),
            ],
            "-ff|FF|-101|世|'\\''|'\"'|'\\n'"
        ),
        (
            "%U|%#U|%#.6U|%+q", [.integer(0x4E16), .integer(0x4E16), .integer(0x41), .integer(0x4E16)],
            "U+4E16|U+4E16 '世'|U+000041 'A'|'\\u4e16'"
        ),
    ]

    static let texts: [(String, [TemplateValue], String)] = [
        (
            "%.5T|%.0T|%8T|%T|%.3T", [.string("x"), .string("x"), .string("x"), .null, .null],
            "strin||  string|<nil>|<nil>"
        ),
        (
            "%+q|%#q|%#q|%.2q|%x", [.string("é"), .string("a\n"), .string("a"), .string("abc"), .string("é")],
            "\"\\u00e9\"|\"a\\n\"|`a`|\"ab\"|c3a9"
        ),
        ("%5t|%05s|%-5s|", [.bool(true), .string("ab"), .string("ab")], " true|000ab|ab   |"),
        ("%w|%p", [.string("x"), .integer(5)], "%!w(string=x)|%!p(int=5)"),
        (
            "%d|%s|%v|%x|%T",
            [.named(5, .month), .named(5, .month), .named(0, .weekday), .named(1, .month), .named(5, .weekday)],
            "5|May|Sunday|4a616e75617279|time.Weekday"
        ),
        ("%d|%v|%T", [.named(7, .int64), .named(7, .int64), .named(7, .int64)], "7|7|int64"),
    ]

    static let indices: [(String, [TemplateValue], String)] = [
        ("%[2]s %[1]s", [.string("a"), .string("b")], "b a"),
        ("%[1]s %s", [.string("a"), .string("b")], "a b"),
        ("% [1].X", [.string("a")], "%!X(BADINDEX)"), ("%[1]2d", [.integer(5)], "%!d(BADINDEX)"),
        ("%[1].5f%G", [], "%!f(BADINDEX)%!G(MISSING)"), ("%[3]d|%d", [.integer(1)], "%!d(BADINDEX)|1"),
        ("%[0]d", [.integer(1)], "%!d(BADINDEX)"), ("%[x]d", [.integer(1)], "%!d(BADINDEX)"),
        ("%[", [.integer(1)], "%!(NOVERB)"), ("%[]d", [.integer(1)], "%!d(BADINDEX)"),
        ("%[2]*[1]d|", [.integer(1), .integer(5)], "    1|"), ("%.[2]*[1]f", [.float(1), .integer(2)], "1.00"),
        ("%[2]*d", [.integer(1), .integer(5)], "%!d(MISSING)"), ("%d %d", [.integer(1)], "1 %!d(MISSING)"),
        ("%!", [], "%!!(MISSING)"), ("%", [], "%!(NOVERB)"), ("%%", [.integer(1)], "%%!(EXTRA int=1)"),
        ("%*d", [.named(4, .int64), .integer(1)], "   1"),
    ]

    @Test("numbers", arguments: numbers)
    func number(_ format: String, _ arguments: [TemplateValue], _ text: String) {
        #expect(GoFormat.printf(format, arguments) == text)
    }

    @Test("texts and names of types", arguments: texts)
    func text(_ format: String, _ arguments: [TemplateValue], _ text: String) {
        #expect(GoFormat.printf(format, arguments) == text)
    }

    @Test("an index of an argument holds for its own verb", arguments: indices)
    func index(_ format: String, _ arguments: [TemplateValue], _ text: String) {
        #expect(GoFormat.printf(format, arguments) == text)
    }

    @Test("a pointer shows its ampersand where it is printed itself")
    func pointers() {
        let pointer = TemplateValue.object(
            TemplateObject(typeName: "*main.P", fields: [("A", .integer(1))], isPointer: true))
        #expect(GoFormat.print([pointer, pointer]) == "&{1} &{1}")
        #expect(GoFormat.printf("%%", [pointer]) == "%%!(EXTRA *main.P=&{1})")
        #expect(GoFormat.print([.list([pointer], type: "[]*main.P")]) == "[{1}]")
        #expect(GoFormat.print([.null, .integer(1), .string("a"), .integer(2)]) == "<nil> 1a2")
    }

    @Test("any format ends, within its bounds", arguments: 0..<20)
    func anyFormat(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let parts = [
            "%", "%", "#", "+", "-", " ", "0", ".", "*", "[1]", "[2]", "[", "]", "[x]", "9", "37", "1000000", "9999999",
            "v", "d", "s", "q", "x", "X", "e", "g", "G", "f", "b", "o", "O", "U", "c", "t", "T", "p", "w", "%%",
            "\u{E9}",
        ]
        let values: [TemplateValue] = [
            .null, .bool(true), .integer(.min), .integer(.max), .integer(0x110000), .float(-0.0), .float(.nan),
            .float(-.infinity), .float(.leastNonzeroMagnitude), .float(1e308), .string("\u{E9}`\n"),
            .list([.integer(1), .null], type: "[]x"),
            .labels(["a": "b"]), .map(["a": .null]), .time(GoTime(nanoseconds: .min)),
            .time(GoTime(nanoseconds: .max), isPointer: true), .duration(.min),
            .named(13, .month), .named(-1, .weekday), .named(.min, .int64),
        ]
        for _ in 0..<300 {
            let format = (0..<Int.random(in: 0...9, using: &random)).map { _ in
                parts.randomElement(using: &random) ?? ""
            }.joined()
            let arguments = (0..<Int.random(in: 0...3, using: &random)).map { _ in
                values.randomElement(using: &random) ?? .null
            }
            if let text = GoFormat.printf(format, arguments) {
                // The arguments that are left over come behind what was bounded.
                #expect(text.utf8.count <= GoFormat.maximumOutput + 4096, "\(format)")
            }
        }
    }
}
