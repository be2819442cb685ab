import GoCompatibility
import Model
import Synchronization

/// What all queries together may hold in memory.
///
/// A part of it is kept for rules, so that no number of other queries can take a rule's memory away.
package final class MemoryBudget: Sendable {
    /// Bytes.
    package let limit: Int
    /// Bytes that only rules may use.
    package let keptForRules: Int
    private let held = Atomic<Int>(0)
    /// When somebody last got nothing because of what others hold, ns.
    private let refused = Atomic<Int64>(-MemoryBudget.refusalTime)
    /// How long a refusal makes the budget count as short, ns.
    private static let refusalTime: Int64 = 60_000_000_000

    package init(limit: Int) {
        self.limit = max(0, limit)
        keptForRules = self.limit / 8
    }

    /// Bytes that are held now.
    package var used: Int { held.load(ordering: .relaxed) }

    /// Takes `bytes`; false, and nothing taken, if there is no space for them.
    func take(_ bytes: Int, isRule: Bool) -> Bool {
        let (_, now) = held.wrappingAdd(bytes, ordering: .relaxed)
        if now <= (isRule ? limit : limit - keptForRules) { return true }
        held.wrappingSubtract(bytes, ordering: .relaxed)
        // What would not fit alone is nobody else's fault.
        if bytes <= limit, now > bytes { refused.store(QueryEngine.nanoseconds(), ordering: .relaxed) }
        return false
    }

    /// Whether more than half is held, or somebody was refused lately, so that nobody may hold on to it for long.
    package var isShort: Bool {
        used > limit / 2 || QueryEngine.nanoseconds() &- refused.load(ordering: .relaxed) < Self.refusalTime
    }

    func give(_ bytes: Int) { held.wrappingSubtract(bytes, ordering: .relaxed) }
}

/// The memory of one query: charged before something that grows with the data is made, released when it goes.
///
/// Workers of one query may charge it at once. What is still charged when the account goes is given back.
package final class MemoryAccount: Sendable {
    private let limit: Int
    private let budget: MemoryBudget?
    private let isRule: Bool
    private let hasSpace: @Sendable (Int) -> Bool
    private let held = Atomic<Int>(0)
    private let highest = Atomic<Int>(0)

    /// - Parameters:
    ///   - limit: Bytes of this query.
    ///   - budget: What all queries share; nil for none.
    ///   - hasSpace: Whether the process can allocate so many bytes now: an allocation that fails ends it.
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

    /// Bytes that are charged now.
    package var used: Int { held.load(ordering: .relaxed) }
    /// Most bytes that were charged at once.
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
        // Much at once, or another part of what became much.
        if (now &- bytes) >> 20 != now >> 20, !hasSpace(max(bytes, 1 << 20)) {
            release(bytes)
            throw MemoryLimitExceeded(needed: now, limit: limit, isShared: true, isOfProcess: true)
        }
        if now > highest.load(ordering: .relaxed) { highest.max(now, ordering: .relaxed) }
    }

    /// Asks whether `bytes` more would fit into the query's own budget, without charging them.
    func probe(_ bytes: Int) throws(MemoryLimitExceeded) {
        let (needed, overflow) = used.addingReportingOverflow(bytes)
        if overflow || needed > limit {
            throw MemoryLimitExceeded(needed: overflow ? .max : needed, limit: limit, isShared: false)
        }
    }

    /// Asks whether the process can allocate `bytes` now, which are needed for a moment only.
    func requireSpace(_ bytes: Int) throws(MemoryLimitExceeded) {
        guard hasSpace(bytes) else {
            throw MemoryLimitExceeded(needed: bytes, limit: limit, isShared: true, isOfProcess: true)
        }
    }

    package func release(_ bytes: Int) {
        held.wrappingSubtract(bytes, ordering: .relaxed)
        budget?.give(bytes)
    }

    /// Sets what is charged to a known amount that is there already.
    package func settle(_ bytes: Int) {
        let before = held.exchange(bytes, ordering: .relaxed)
        budget?.give(before &- bytes)
        if bytes > before { highest.max(bytes, ordering: .relaxed) }
    }
}

/// A charge that would exceed a budget of memory.
package struct MemoryLimitExceeded: Error {
    /// Bytes of the query with what it asked for; of the shared budget, only what it asked for.
    package var needed: Int
    package var limit: Int
    /// The budget of all queries, not that of the one.
    package var isShared: Bool
    /// The process has no more address space.
    package var isOfProcess = false

    /// The error of an answer of `bytes` that cannot be written.
    package func message(answer bytes: Int) -> String {
        MemoryLimitText.message(self, place: "to write its answer of \(MemoryLimitText.size(bytes))")
    }

    /// The error of something else than a query that lists series.
    package func message(series count: Int) -> String {
        MemoryLimitText.message(self, place: "to list \(count) series")
    }

    /// The error of a list of series or labels that is not known to its end.
    package var listMessage: String { MemoryLimitText.message(self, place: "to list what matches") }
}

/// What an error says of a budget that would be exceeded.
enum MemoryLimitText {
    /// - Parameters:
    ///   - range: The part of the query that asked.
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

    /// Rounded up, in the units of the flags.
    fileprivate static func size(_ bytes: Int) -> String {
        bytes < 10 << 20 ? "\((bytes &+ 1023) >> 10)KB" : "\((bytes &+ (1 << 20 - 1)) >> 20)MB"
    }
}
