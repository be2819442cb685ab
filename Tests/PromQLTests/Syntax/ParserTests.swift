import Foundation
import Model
import PromQL
import TestSupport
import Testing

@Suite("PromQL parser")
struct ParserTests {
    static func parse(_ text: String) throws(ParseError) -> PromQL.Expression {
        try PromQLParser.parse(text, options: .all)
    }

    @Test(
        "what is no PromQL is refused in Prometheus's words",
        arguments: [
            ("", "unknown position: parse error: no expression found in input"),
            ("1 +", "1:4: parse error: unexpected end of input"),
            (
                "rate(up)",
                "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector"
            ),
            ("abs()", "1:1: parse error: expected 1 argument(s) in call to \"abs\", got 0"),
            ("nope(up)", "1:1: parse error: unknown function with name \"nope\""),
            ("{a=\"\"}", "1:1: parse error: vector selector must contain at least one non-empty matcher"),
            ("up[1m/0]", "1:6: parse error: division by zero"),
            ("up and bool up", "1:4: parse error: bool modifier can only be used on comparison operators"),
            ("1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier"),
            ("up and 1", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"),
            ("up{a=~\"(\"}", "1:4: parse error: error parsing regexp: missing closing ): `(`"),
            ("up offset 1m offset 1m", "1:1: parse error: offset may not be set multiple times"),
            ("sum(up", "1:7: parse error: unclosed left parenthesis"),
            ("up[5m", "1:6: parse error: unclosed left bracket"),
            ("up[0m]", "1:4: parse error: duration must be greater than 0"),
            ("sum()", "1:1: parse error: no arguments for aggregate expression provided"),
            (
                "topk(up)",
                "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1"
            ),
            ("1mm", "1:1: parse error: bad number or duration syntax: \"1mm\""),
            ("up{a}", "1:5: parse error: unexpected \"}\" in label matching, expected label matching operator"),
            ("abs(up,)", "1:7: parse error: trailing commas not allowed in function call args"),
            ("(up)[5m]", "1:5: parse error: ranges only allowed for vector selectors"),
            (
                "up + on(a) group_left(a) up",
                "1:4: parse error: label \"a\" must not occur in ON and GROUP clause at once"
            ),
            ("up bool 1", "1:4: parse error: unexpected <bool>"),
            ("'a\nb'", "1:1: parse error: unterminated quoted string"),
        ])
    func errors(_ text: String, _ message: String) {
        let error = #expect(throws: ParseError.self) { try Self.parse(text) }
        #expect(error?.description == message)
    }

    /// The shape of an expression with explicit parentheses.
    static func shape(_ expression: PromQL.Expression) -> String {
        switch expression {
        case .number(let e): FloatText.general(e.value)
        case .string(let e): e.value
        case .selector(let e): e.name + (e.offset != 0 ? "~\(e.offset)" : "")
        case .matrix(let e): "\(e.selector.name)[\(e.window)]"
        case .subquery(let e): "\(shape(e.expression))[\(e.window):\(e.step)]"
        case .unary(let e): "(\(e.isNegative ? "-" : "+")\(shape(e.operand)))"
        case .binary(let e): "(\(shape(e.left))\(e.op.rawValue)\(shape(e.right)))"
        case .aggregation(let e):
            "\(e.op.rawValue)<\(e.isWithout ? "-" : "")\(e.grouping.joined(separator: ","))>(\(shape(e.expression)))"
        case .call(let e): "\(e.function.name)(\(e.arguments.map(shape).joined(separator: ",")))"
        case .parentheses(let e): shape(e.expression)
        }
    }

    @Test(
        "operators bind as they should",
        arguments: [
            ("1 + 2 * 3", "(1+(2*3))"), ("-2 ^ 2", "(-(2^2))"), ("2 ^ 3 ^ 2", "(2^(3^2))"),
            ("a or b and c", "(aor(bandc))"),
            ("a - b - c", "((a-b)-c)"), ("-a * b", "((-a)*b)"), ("a == b > bool c", "((a==b)>c)"),
            ("a offset 5m + b", "(a~300000+b)"),
            ("sum(a) by (x, y)", "sum<x,y>(a)"), ("sum without () (a)", "sum<->(a)"), ("sum", "sum"),
            ("a[1h:5m] ", "a[3600000:300000]"),
            ("rate(a[5m]) / 2", "(rate(a[300000])/2)"), ("-1", "-1"), ("1h30m", "5400"), ("0x1F", "31"),
            ("a % b atan2 c", "((a%b)atan2c)"),
            ("A AND B", "(AandB)"), ("a offset -1m", "a~-60000"), ("{\"a.b\"}", ""), ("offset", "offset"),
            ("# c\na # d", "a"),
        ])
    func precedence(_ text: String, _ shape: String) throws {
        #expect(Self.shape(try Self.parse(text)) == shape)
    }

    @Test("selectors keep all matchers")
    func matchers() throws {
        guard case .selector(let selector) = try Self.parse("up{a=\"b\", c!=\"d\", 'e f'=~`g\\d`,}") else {
            Issue.record("no selector")
            return
        }
        #expect(selector.matchers.map(\.description) == [#"a="b""#, #"c!="d""#, #""e f"=~"g\\d""#, #"__name__="up""#])
    }

    @Test("no text, however deep, ends the process")
    func depth() {
        for part in ["(", "-", "abs(", "{", "a[", "sum(", "1+", "1^"] {
            #expect(throws: ParseError.self) { try Self.parse(String(repeating: part, count: 20_000)) }
        }
    }

    static let folder = SharedFolder.path("conformance/queries")

    @Test(
        "every query of the conformance lists is read",
        .enabled(if: SharedFolder.has("conformance"), "needs ../shared/conformance"))
    func conformance() throws {
        var read = 0
        for file in try FileManager.default.contentsOfDirectory(atPath: Self.folder)
        where !file.hasPrefix("api") && !file.hasPrefix("errors") {
            for line in try String(contentsOfFile: Self.folder + "/" + file, encoding: .utf8).split(separator: "\n") {
                guard !line.hasPrefix("#"), !line.hasPrefix("json:") else { continue }
                let query = line.replacing(/\{\{[^}]*\}\}/, with: "1")
                do throws(ParseError) {
                    _ = try Self.parse(String(query))
                    read += 1
                } catch {
                    let isMeant = ["expected", "unknown", "bool", "unexpected", "anchored", "twice", "vector matching"]
                        .contains { error.message.contains($0) }
                    #expect(isMeant, "\(file): \(query): \(error)")
                }
            }
        }
        #expect(read > 1000)
    }

    @Test("mutated queries never crash the parser")
    func mutations() {
        let seeds = [
            #"sum by (a) (rate(x{a="b",c=~"d.*"}[5m] offset 1m @ 1.5)) / on(a) group_left(b) y > bool 1e3"#,
            #"max_over_time((a - b)[1h:5m]) or label_replace(z, "a", "$1", "b", "(.*)")"#,
            #"{"a.b", __name__=~'x\u00e9'} + fill(1) x[min_of(1m, step()*2)]"#,
        ].map { Array($0.utf8) }
        let alphabet = Array("(){}[],:@+-*/%^=!<>~\"'`#01.5msaeby \\\n".utf8)
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<20_000 {
            var bytes = seeds[Int.random(in: 0..<seeds.count, using: &random)]
            for _ in 0..<Int.random(in: 1...5, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[at] = alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                case 1: bytes.remove(at: at)
                default: bytes.insert(alphabet[Int.random(in: 0..<alphabet.count, using: &random)], at: at)
                }
            }
            _ = try? Self.parse(String(decoding: bytes, as: UTF8.self))
        }
    }
}
