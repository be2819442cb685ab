import GoCompatibility
import Model
import Synchronization

/// The memory that all queries together may hold.
///
/// A part of it is reserved for rules, so that other queries cannot use up the memory of rules.
package final class MemoryBudget: Sendable {
    /// The limit, bytes.
    package let limit: Int
    /// The bytes that only rules may use.
    package let keptForRules: Int
    private let held = Atomic<Int>(0)
    /// The time of the last refusal because of the memory of other queries, ns.
    private let refused = Atomic<Int64>(-MemoryBudget.refusalTime)
    /// The time for which the budget counts as short after a refusal, ns.
    private static let refusalTime: Int64 = 60_000_000_000
    /// The most bytes that were held since ``whenFree`` was called.
    private let highest = Atomic<Int>(0)
    private let whenFree: @Sendable () -> Void
    /// The bytes from which on freed memory is returned to the system.
    static let much = 64 << 20

    /// - Parameter whenFree: Called when queries have released nearly all of at least ``much`` bytes.
    package init(limit: Int, whenFree: @escaping @Sendable () -> Void = {}) {
        self.limit = max(0, limit)
        self.whenFree = whenFree
        keptForRules = self.limit / 8
    }

    /// The bytes that are held now.
    package var used: Int { held.load(ordering: .relaxed) }

    /// Takes `bytes` from the budget; returns false, and takes nothing, if they do not fit.
    func take(_ bytes: Int, isRule: Bool) -> Bool {
        let (_, now) = held.wrappingAdd(bytes, ordering: .relaxed)
        if now <= (isRule ? limit : limit - keptForRules) {
            if now > highest.load(ordering: .relaxed) { highest.max(now, ordering: .relaxed) }
            return true
        }
        held.wrappingSubtract(bytes, ordering: .relaxed)
        // Other queries are the reason only if the request would fit without them.
        if bytes <= limit, now > bytes { refused.store(QueryEngine.nanoseconds(), ordering: .relaxed) }
        return false
    }

    /// Whether more than half is held, or a request was refused recently; nothing should be held for long then.
    package var isShort: Bool {
        used > limit / 2 || QueryEngine.nanoseconds() &- refused.load(ordering: .relaxed) < Self.refusalTime
    }

    /// Returns `bytes` to the budget.
    func give(_ bytes: Int) {
        let left = held.wrappingSubtract(bytes, ordering: .relaxed).newValue
        guard left < Self.much / 4, highest.load(ordering: .relaxed) >= Self.much else { return }
        if highest.exchange(0, ordering: .relaxed) >= Self.much { whenFree() }
    }
}

/// The memory account of one query.
///
/// Memory that grows with the data is charged before it is allocated, and released after its use.
///
/// Several query workers may charge it at the same time. The rest of the charge is released when the account is
/// deallocated.
package final class MemoryAccount: Sendable {
    private let limit: Int
    private let budget: MemoryBudget?
    private let isRule: Bool
    private let hasSpace: @Sendable (Int) -> Bool
    private let held = Atomic<Int>(0)
    private let highest = Atomic<Int>(0)

    /// - Parameters:
    ///   - limit: The most bytes of this query.
    ///   - budget: The budget that all queries share; nil for none.
    ///   - hasSpace: Whether the process can allocate the given number of bytes now; a failed allocation would end the
    ///     process.
    init(
        limit: Int, budget: MemoryBudget?, isRule: Bool = false,
        hasSpace: @escaping @Sendable (Int) -> Bool = { _ in true }
    ) {
        self.hasSpace = hasSpace
        self.limit = limit
        self.budget = budget
        self.isRule = isRule
    }

    deinit { budget?.give(held.load(ordering: .relaxed)) }

    /// The bytes that are charged now.
    package var used: Int { held.load(ordering: .relaxed) }
    /// The most bytes that were charged at once.
    package var peak: Int { highest.load(ordering: .relaxed) }

    /// Charges `bytes`.
    ///
    /// - Throws: ``MemoryLimitExceeded``; nothing is charged then.
    package func charge(_ bytes: Int) throws(MemoryLimitExceeded) {
        let (_, now) = held.wrappingAdd(bytes, ordering: .relaxed)
        guard now <= limit else {
            held.wrappingSubtract(bytes, ordering: .relaxed)
            throw MemoryLimitExceeded(needed: now, limit: limit, isShared: false)
        }
        if let budget, !budget.take(bytes, isRule: isRule) {
            held.wrappingSubtract(bytes, ordering: .relaxed)
            throw MemoryLimitExceeded(needed: bytes, limit: budget.limit, isShared: true)
        }
        // The process is only asked when the charge passes a multiple of 1 MiB.
        // A query that holds much asks for more, so that it is refused before small ones are.
        if (now &- bytes) >> 20 != now >> 20, !hasSpace(max(bytes, 1 << 20, min(now, 8 << 20))) {
            release(bytes)
            throw MemoryLimitExceeded(needed: now, limit: limit, isShared: true, isOfProcess: true)
        }
        if now > highest.load(ordering: .relaxed) { highest.max(now, ordering: .relaxed) }
    }

    /// Checks that `bytes` more fit into the query's own limit, without charging them.
    func probe(_ bytes: Int) throws(MemoryLimitExceeded) {
        let (needed, overflow) = used.addingReportingOverflow(bytes)
        if overflow || needed > limit {
            throw MemoryLimitExceeded(needed: overflow ? .max : needed, limit: limit, isShared: false)
        }
    }

    /// Checks that the process can allocate `bytes` now, which are only needed temporarily.
    func requireSpace(_ bytes: Int) throws(MemoryLimitExceeded) {
        guard hasSpace(bytes) else {
            throw MemoryLimitExceeded(needed: bytes, limit: limit, isShared: true, isOfProcess: true)
        }
    }

    /// Releases `bytes` that were charged.
    package func release(_ bytes: Int) {
        held.wrappingSubtract(bytes, ordering: .relaxed)
        budget?.give(bytes)
    }

    /// Sets the charge to the known size of memory that is allocated already.
    package func settle(_ bytes: Int) {
        let before = held.exchange(bytes, ordering: .relaxed)
        budget?.give(before &- bytes)
        if bytes > before { highest.max(bytes, ordering: .relaxed) }
    }
}

/// The error of a charge that would exceed a memory limit.
package struct MemoryLimitExceeded: Error {
    /// The bytes of the query with the refused charge; for the shared budget, only the refused charge.
    package var needed: Int
    /// The exceeded limit, bytes.
    package var limit: Int
    /// Whether a limit outside of the query was exceeded, and not its own limit.
    package var isShared: Bool
    /// Whether the process has no more address space.
    package var isOfProcess = false

    /// The error of an answer of `bytes` that cannot be written.
    package func message(answer bytes: Int) -> String {
        MemoryLimitText.message(self, place: "to write its answer of \(MemoryLimitText.size(bytes))")
    }

    /// The error of a list of `count` series that is not the result of a query.
    package func message(series count: Int) -> String {
        MemoryLimitText.message(self, place: "to list \(count) series")
    }

    /// The error of a text that cannot be parsed.
    package var parserMessage: String { MemoryLimitText.message(self, place: "to parse its text") }

    /// The error of a list of series or labels whose length is not known.
    package var listMessage: String { MemoryLimitText.message(self, place: "to list what matches") }
}

extension SyntaxBudget {
    /// The failure as the error of a query; nil if there is none.
    package var queryError: QueryError? {
        switch failure {
        case nil: nil
        case let error as QueryError: error
        case let excess as MemoryLimitExceeded: .execution(excess.parserMessage)
        case let error?: .execution("\(error)")
        }
    }
}

/// The texts of errors about exceeded memory limits.
enum MemoryLimitText {
    /// - Parameters:
    ///   - range: The part of the query that needed the memory.
    ///   - query: The query's text.
    static func message(_ excess: MemoryLimitExceeded, at range: TextRange, in query: String) -> String {
        let bytes = Array(query.utf8)
        let place = TextRange.position(of: range.start, in: bytes)
        let part = bytes[min(range.start, bytes.count)..<min(max(range.start, range.end), bytes.count)]
        let text = String(decoding: part, as: UTF8.self)
        let shown = text.count > 120 ? text.prefix(117) + "..." : text[...]
        return message(excess, place: "at \(place.line):\(place.column) in \(GoQuote.quote(String(shown)))")
    }

    static func message(_ excess: MemoryLimitExceeded, place: String) -> String {
        let limit = size(excess.limit)
        let what =
            excess.isOfProcess
            ? "there is no memory left for it: the process may not have more address space (ulimit -v)"
            : excess.isShared
                ? "there is no memory left for it: all queries together may hold \(limit) (--query.max-memory)"
                : "it needs at least \(size(excess.needed)), and a query may hold \(limit) (--query.max-memory-per-query)"
        let help =
            excess.isShared
            ? "ask again when fewer queries run, or narrow it"
            : "narrow the selector, take a larger step or a shorter range, or aggregate"
        return "query uses too much memory \(place): \(what); \(help)"
    }

    /// A number of bytes, rounded up, in the units of the flags.
    fileprivate static func size(_ bytes: Int) -> String {
        bytes < 10 << 20 ? "\((bytes &+ 1023) >> 10)KB" : "\((bytes &+ (1 << 20 - 1)) >> 20)MB"
    }
}
