import Glibc
import TestSupport
import Testing

@testable import Model

/// The limits of the regular expressions of one request.
@Suite("Regular expressions of a request")
struct SyntaxBudgetTests {
    private struct Stopped: Error {}
    private final class Account: Sendable {}

    @Test("hundreds of usual expressions are compiled, and are charged once each")
    func usual() throws {
        var charged = 0
        let budget = SyntaxBudget(charge: { charged += $0 })
        for i in 0..<400 {
            for _ in 0..<2 { _ = try Matcher("a", .regex, "(api|web)-[0-9]{3}.*_\(i)", budget: budget) }
        }
        #expect(budget.failure == nil)
        #expect(charged == budget.regexBytes)
        #expect(charged / 400 > 128 << 10)
    }

    @Test(
        "the memory of all expressions together is limited",
        arguments: [".{990}x%", "[^a]{900}%", "(?i)[a-z]{900}%", "(%|a)+b.*", "%(.|b){900}", "((.{30}){30})%"])
    func limit(form: String) throws {
        var charged = 0
        let budget = SyntaxBudget(charge: { charged += $0 })
        var count = 0
        let error = #expect(throws: AnchoredRegex.SyntaxError.self) {
            while count < 2000 {
                let source = form.split(separator: "%", omittingEmptySubsequences: false).joined(separator: "\(count)")
                _ = try Matcher("a", .notRegex, source, budget: budget)
                count += 1
            }
        }
        #expect(error?.reason == "all regular expressions together need more than 64MB of memory")
        #expect(charged <= SyntaxBudget.mostRegexBytes)
        #expect(count >= 24, "\(form)")
    }

    @Test("the reasons of invalid and of too large expressions are those without limits")
    func reasons() {
        let many = String(repeating: "\\pL{1000}", count: 3)
        for source in ["a(", "a{1001}", "[b-a]", "\\C", "(?x)", "((a{100}){100}){100}", many] {
            let alone = #expect(throws: AnchoredRegex.SyntaxError.self) { try AnchoredRegex(source) }
            let limited = #expect(throws: AnchoredRegex.SyntaxError.self) { try SyntaxBudget().regex(source) }
            #expect(alone.map { "\($0)" } == limited.map { "\($0)" })
        }
    }

    @Test("an expression too large for little memory gets more, and matches alike")
    func large() throws {
        let words = (0..<20_000).map { "x\($0 * 7)[ab]" }.joined(separator: "|")
        let budget = SyntaxBudget()
        let (limited, alone) = (try budget.regex(words), try AnchoredRegex(words))
        #expect(budget.regexBytes > 2 << 20)
        #expect(budget.regexBytes < 8 << 20)
        for text in ["x0a", "x7b", "x8a", "x139993b", "x139993"] {
            #expect(limited.matches(text) == alone.matches(text))
        }
    }

    @Test("a request that has ended compiles nothing more")
    func stops() throws {
        var (checks, charged) = (0, 0)
        let budget = SyntaxBudget(charge: { charged += $0 }) {
            checks += 1
            if checks > 6 { throw Stopped() }
        }
        var count = 0
        #expect(throws: AnchoredRegex.SyntaxError.self) {
            while count < 100 {
                _ = try budget.regex("a\(count)")
                count += 1
            }
        }
        // Each expression is checked before it is compiled and when it is charged.
        #expect(count == 3)
        #expect(budget.failure is Stopped)
        #expect(charged == budget.regexBytes)
        #expect(throws: AnchoredRegex.SyntaxError.self) { try budget.regex("b") }
        #expect(checks == 7)
    }

    @Test("the account lives as long as an expression")
    func account() throws {
        weak var account: Account?
        var regex: AnchoredRegex?
        do {
            let made = Account()
            account = made
            regex = try SyntaxBudget(account: made).regex("a.b")
        }
        #expect(account != nil)
        #expect(regex?.matches("axb") == true)
        regex = nil
        #expect(account == nil)
    }

    @Test("without memory, an expression is an error, and not the end of the process")
    func compilationWithoutMemory() async {
        await #expect(processExitsWith: .success) {
            var kept: [AnchoredRegex] = []
            kept.reserveCapacity(10_000)
            try #require(AddressSpaceLimit.leave(24 << 20))
            var reason: String?
            for i in 0..<10_000 where reason == nil {
                do throws(AnchoredRegex.SyntaxError) {
                    kept.append(try AnchoredRegex(".{990}\(i)"))
                } catch {
                    reason = error.reason
                }
            }
            // Memory that is free again can be used.
            kept = []
            try #require(reason == "out of memory")
            try #require(try AnchoredRegex("a.c").matches("abc"))
        }
    }

    @Test("without memory, a match accepts nothing, also in a negative matcher, and the answer is an error")
    func matchesWithoutMemory() async {
        await #expect(processExitsWith: .success) {
            // The automata of these expressions grow with each letter of a text.
            let matchers = try (0..<40).map { i in
                try Matcher("a", i % 2 == 0 ? .regex : .notRegex, "(?:a|b|c\(i))*a(?:a|b){400}.*x")
            }
            try matchers.requireAnswers()
            var letter = 1
            let text = String(
                (0..<20_000).map { _ in
                    letter = (letter &* 1_103_515_245 &+ 12345) & 0x7FFF_FFFF
                    return letter >> 16 & 1 == 0 ? "a" : "b"
                })
            let spare = try #require(malloc(4 << 20))
            // All of the block is used, so that it is not removed.
            memset(spare, 1, 4 << 20)
            try #require(AddressSpaceLimit.leave(16 << 20))
            var (failed, wrong) = (0, 0)
            for matcher in matchers {
                let isAccepted = matcher.matches(text)
                guard matcher.pattern?.hasFailed == true else { continue }
                failed += 1
                if isAccepted { wrong += 1 }
            }
            free(spare)
            try #require(failed > 0)
            try #require(wrong == 0)
            var isRefused = false
            do { try matchers.requireAnswers() } catch { isRefused = true }
            try #require(isRefused)
        }
    }
}
