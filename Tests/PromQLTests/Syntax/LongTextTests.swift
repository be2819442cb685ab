import Model
import Testing

@testable import PromQL

/// The memory and time for the parsing of texts that are as long as a request can be.
@Suite("Long texts")
struct LongTextTests {
    private struct Stopped: Error {}

    /// Parses a text as an expression, or else as a selector.
    ///
    /// - Returns: The error, and the charged bytes.
    private static func parsed(
        _ text: String, isSelector: Bool = false, check: @escaping () throws -> Void = {}
    ) -> (error: ParseError?, bytes: Int, budget: SyntaxBudget) {
        var bytes = 0
        let budget = SyntaxBudget(charge: { bytes += $0 }, check: check)
        do throws(ParseError) {
            if isSelector {
                _ = try PromQLParser.parseSelector(text, budget: budget)
            } else {
                try PromQLParser.parse(text, options: .all, budget: budget) { _ in }
            }
            return (nil, bytes, budget)
        } catch {
            return (error, bytes, budget)
        }
    }

    private static func list(_ part: String, bytes: Int) -> String {
        String(repeating: part, count: bytes / part.utf8.count)
    }

    @Test(
        "the text after an error is not read", arguments: ["1-", "(", "-", "a,", "a or ", "sum(", "f(1,", "{a=\"b\"}"])
    func readsOnlyToTheError(part: String) {
        for isSelector in [false, true] {
            let (error, bytes, _) = Self.parsed(Self.list(part, bytes: 1 << 20) + "1", isSelector: isSelector)
            #expect(error != nil)
            // Two operands of a chain are four tokens.
            let most = 4 * PromQLParser.maxHeight * Lexer.bytesPerToken
            #expect(bytes <= most, "\(part): \(bytes) bytes")
        }
    }

    @Test(
        "a tree of any form has a limited number of tokens",
        arguments: [
            ("{", "a=\"b\",", "}"), ("{", "\"b\",", "}"), ("sum by (", "a,", ") (x)"), ("a + on (", "a,", ") b"),
            ("label_join(x, \"a\", ", "\"a\",", "\"a\")"),
            ("f(", "1,", "1)"), ("f(", "(1-1-1-1)-(1+1+1),", "1)"),
        ])
    func limitsTokens(start: String, part: String, end: String) {
        let short = Self.parsed(start + Self.list(part, bytes: 1000) + end)
        #expect(short.error?.message.contains("too long") != true)
        let (error, bytes, _) = Self.parsed(start + Self.list(part, bytes: 1 << 20) + end)
        #expect(error?.message == "expression is too long: it has more than 250000 tokens", "\(start)")
        #expect(bytes <= Lexer.mostTokens * Lexer.bytesPerToken)
    }

    @Test("the longest allowed expression is parsed, and one token more is refused at its place")
    func boundary() {
        let most = Lexer.mostTokens
        // A sign, two braces, and four tokens for each matcher.
        let text = "-{" + String(repeating: "a=\"b\",", count: (most - 3) / 4) + "}"
        #expect(Self.parsed(text).error == nil)
        #expect(Self.parsed(text + "[").error?.message == "unexpected end of input in duration expression")
        let error = Self.parsed(text + " - 1").error
        #expect(error?.message == "expression is too long: it has more than \(most) tokens")
        #expect(error?.offset == text.utf8.count + 3)
    }

    @Test("a request that has ended stops the parser")
    func stops() {
        var checks = 0
        let text = "{" + Self.list("a=\"b\",", bytes: 1 << 20) + "}"
        let (error, bytes, budget) = Self.parsed(text) {
            checks += 1
            if checks == 3 { throw Stopped() }
        }
        #expect(error != nil)
        #expect(budget.failure is Stopped)
        #expect(checks == 3)
        #expect(bytes == 2 * Lexer.tokensPerCharge * Lexer.bytesPerToken)
    }

    @Test("a query without memory or time for its text fails with the error of that limit")
    func errorsOfTheEngine() {
        let text = "{" + Self.list("a=\"b\",", bytes: 1 << 18) + "}"
        var options = EngineOptions()
        options.maxMemoryPerQuery = 5 << 20
        let small = QueryEngine(options: options)
        #expect {
            try small.instant(text, source: ArraySource([]), at: 0)
        } throws: { error in
            guard case QueryError.execution(let text) = error else { return false }
            return text.contains("to parse its text") && text.contains("may hold 5120KB")
        }
        options = EngineOptions()
        let engine = QueryEngine(options: options)
        #expect {
            try engine.instant(text, source: ArraySource([]), at: 0, limits: QueryLimits(timeout: 0))
        } throws: { error in
            guard case QueryError.timeout = error else { return false }
            return true
        }
    }
}
