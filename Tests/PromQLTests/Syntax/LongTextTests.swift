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
            let most = 4 * PromQLParser.maxHeight * SyntaxBudget.bytesPerToken
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
        #expect(bytes <= Lexer.mostTokens * SyntaxBudget.bytesPerToken)
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
        #expect(bytes == 2 * SyntaxBudget.tokensPerCharge * SyntaxBudget.bytesPerToken)
    }

    @Test("the tokens of many short texts of a request are charged together")
    func manyTexts() throws {
        var bytes = 0
        let budget = SyntaxBudget(charge: { bytes += $0 })
        for _ in 0..<10_000 { _ = try PromQLParser.parseSelector("a", budget: budget) }
        #expect(bytes == 2 * SyntaxBudget.tokensPerCharge * SyntaxBudget.bytesPerToken)
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

    /// A selector with so many expressions of more than 300 kB each.
    private static func regexes(_ count: Int) -> String {
        "{" + (0..<count).map { "a=~\".{990}\($0)\"" }.joined(separator: ",") + "}"
    }

    @Test("the regular expressions of one expression have limited memory, wherever they are")
    func limitsRegexes() {
        let message = "error parsing regexp: all regular expressions together need more than 64MB of memory: `.{990}"
        let (error, bytes, _) = Self.parsed(Self.regexes(200))
        #expect(error?.message.hasPrefix(message) == true)
        #expect(bytes <= SyntaxBudget.mostRegexBytes)
        #expect(throws: ParseError.self) { try PromQLParser.parseSelector(Self.regexes(200)) }
        let apart = (0..<200).map { "x{a!~\".{990}\($0)\"}" }.joined(separator: " + ")
        #expect(Self.parsed(apart).error?.message.hasPrefix(message) == true)
        // Equal expressions are one.
        let equal = String(repeating: "x{a=~\".{990}\"} + ", count: 500) + "1"
        #expect(Self.parsed(equal).error == nil)
        let calls = (0..<200).reduce("x") { "label_replace(\($0), \"a\", \"$1\", \"b\", \".{990}\($1)\")" }
        let query = #expect(throws: QueryError.self) {
            try QueryEngine(options: EngineOptions()).instant(calls, source: ArraySource([]), at: 0)
        }
        #expect(query?.description.contains("all regular expressions together need more than 64MB") == true)
    }

    @Test("regular expressions are charged to the query, which ends between two of them")
    func regexesOfAQuery() throws {
        var options = EngineOptions()
        let budget = MemoryBudget(limit: 1 << 30)
        options.memoryBudget = budget
        let engine = QueryEngine(options: options)
        let tree = try engine.parse(Self.regexes(30), budget: engine.syntaxBudget {}) { $0 }
        #expect(budget.used > 8 << 20)
        withExtendedLifetime(tree) {}
        options.maxMemoryPerQuery = 8 << 20
        let small = QueryEngine(options: options)
        let error = #expect(throws: QueryError.self) {
            try small.instant(Self.regexes(30), source: ArraySource([]), at: 0)
        }
        #expect(error?.description.contains("to parse its text") == true)
        var checks = 0
        #expect(throws: QueryError.self) {
            try engine.parse(
                Self.regexes(30),
                budget: engine.syntaxBudget {
                    checks += 1
                    if checks == 6 { throw QueryError.canceled("gone") }
                }
            ) { _ in }
        }
        #expect(checks == 6)
    }

    @Test("the memory of regular expressions is returned after the query")
    func returnsMemory() throws {
        var options = EngineOptions()
        let budget = MemoryBudget(limit: 1 << 30)
        options.memoryBudget = budget
        let engine = QueryEngine(options: options)
        do {
            let result = try engine.instant(Self.regexes(30), source: ArraySource([]), at: 0)
            _ = result
        }
        #expect(budget.used == 0)
    }
}
