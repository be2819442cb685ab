import Model
import Synchronization

/// The newest exemplars of all series; new exemplars replace the oldest.
final class ExemplarRing: Sendable {
    struct Entry: Sendable {
        var id: UInt32
        var exemplar: Exemplar
        /// The number of the previous entry of the series; -1 if there was none.
        var before: Int
    }

    /// The result of adding an exemplar.
    enum Verdict: Sendable {
        case stored
        /// The exemplar equals the newest one of its series, and is not stored again.
        case known
        case refused(ExemplarRejection)
        /// No exemplars are kept.
        case disabled
    }

    /// The numbers for `/metrics`.
    struct Figures: Sendable {
        var appended = 0
        var outOfOrder = 0
        var count = 0
        var series = 0
        /// The timestamp of the exemplar that is replaced next, ms.
        var oldest: Int64 = 0
        var capacity = 0
    }

    private struct Series {
        var newest: Exemplar
        /// The number of the entry that was stored last.
        var last: Int
        /// The number of entries in the ring.
        var count = 1
        /// The number of entries in the ring by their times, if it was needed and there are many; otherwise nil.
        var times: [Int64: Int]?

        init(newest: Exemplar, last: Int) {
            self.newest = newest
            self.last = last
        }

        /// Notes that the ring has an exemplar as entry `number`.
        mutating func add(_ exemplar: Exemplar, _ number: Int) {
            if exemplar.timestamp >= newest.timestamp { newest = exemplar }
            last = number
            count += 1
            times?[exemplar.timestamp, default: 0] += 1
        }

        /// Notes that the ring has an exemplar with this time no longer.
        mutating func remove(_ time: Int64) {
            count -= 1
            if let number = times?[time] { times?[time] = number > 1 ? number - 1 : nil }
        }
    }

    private struct State {
        var capacity: Int
        /// The longest time by which an exemplar may be older than the newest of its series, ms; 0 accepts no older
        /// ones.
        var outOfOrderWindow: Int64
        /// Entry n is at position n modulo the capacity, until entry n + capacity replaces it.
        var entries: [Entry] = []
        /// The number of entries stored since the start or since the last change of the capacity.
        var stored = 0
        /// The number of changes of the capacity, which give the entries new numbers.
        var changes = 0
        var series: [UInt32: Series] = [:]
        var figures = Figures()
    }

    /// The most characters in all names and values of an exemplar's labels.
    static let maxLabels = 128

    private let state: Mutex<State>

    init(capacity: Int, outOfOrderWindow: Int64 = 0) {
        state = Mutex(State(capacity: max(0, capacity), outOfOrderWindow: max(0, outOfOrderWindow)))
    }

    /// Changes the number of exemplars that are kept, and the window for out-of-order exemplars; the newest exemplars
    /// stay.
    func setLimits(capacity: Int, outOfOrderWindow: Int64) {
        state.withLock { state in
            state.outOfOrderWindow = max(0, outOfOrderWindow)
            let capacity = max(0, capacity)
            guard capacity != state.capacity else { return }
            let kept = Self.inOrder(state).suffix(capacity)
            state.entries = []
            state.series = [:]
            state.stored = 0
            state.changes += 1
            state.capacity = capacity
            for entry in kept { Self.store(entry.id, entry.exemplar, &state) }
        }
    }

    /// Adds an exemplar, unless its series has it already or it is out of order.
    @discardableResult
    func add(_ id: UInt32, _ exemplar: Exemplar, isReplayed: Bool = false) -> Verdict {
        var size = 0
        for label in exemplar.labels.pairs {
            size += label.name.unicodeScalars.count + label.value.unicodeScalars.count
        }
        if size > Self.maxLabels { return .refused(.labelsTooLong) }
        return state.withLock { state in
            guard state.capacity > 0 else { return .disabled }
            if let known = state.series[id] {
                if Self.isSame(known.newest, exemplar) { return .known }
                if Self.isBefore(exemplar, known.newest), !Self.isWithinWindow(exemplar, id, &state) {
                    if !isReplayed { state.figures.outOfOrder += 1 }
                    return .refused(.outOfOrder)
                }
            }
            Self.store(id, exemplar, &state)
            if !isReplayed { state.figures.appended += 1 }
            return .stored
        }
    }

    /// Whether two exemplars of a series are equal; times only matter if at least one exemplar has its own timestamp.
    private static func isSame(_ a: Exemplar, _ b: Exemplar) -> Bool {
        a.labels == b.labels && a.value == b.value
            && (a.timestamp == b.timestamp || !a.hasTimestamp && !b.hasTimestamp)
    }

    /// Whether an exemplar is before another: by time, then by value, then by the hash of the labels.
    private static func isBefore(_ a: Exemplar, _ b: Exemplar) -> Bool {
        if a.timestamp != b.timestamp { return a.timestamp < b.timestamp }
        if a.value != b.value { return a.value < b.value }
        return a.labels.stableHash < b.labels.stableHash
    }

    /// Whether an out-of-order exemplar is stored: it is within the window, and the series has no exemplar at its time.
    private static func isWithinWindow(_ exemplar: Exemplar, _ id: UInt32, _ state: inout State) -> Bool {
        guard let known = state.series[id], state.outOfOrderWindow > 0, exemplar.timestamp < known.newest.timestamp,
            exemplar.timestamp
                > known.newest.timestamp.subtractingReportingOverflow(state.outOfOrderWindow).partialValue
        else { return false }
        if known.times == nil, known.count > fewEntries {
            var times: [Int64: Int] = [:]
            forEachTime(of: known, state) { time in
                times[time, default: 0] += 1
                return true
            }
            state.series[id]?.times = times
        }
        if let times = state.series[id]?.times { return times[exemplar.timestamp] == nil }
        return forEachTime(of: known, state) { $0 != exemplar.timestamp }
    }

    /// The most entries of a series that are searched one after the other.
    private static let fewEntries = 32

    /// Calls `body` with the times of the entries of a series, newest first, until it returns false; returns whether
    /// there was no false.
    @discardableResult
    private static func forEachTime(of known: Series, _ state: borrowing State, _ body: (Int64) -> Bool) -> Bool {
        var number = known.last
        while number >= 0, number > state.stored - 1 - state.capacity {
            let entry = state.entries[number % state.capacity]
            guard body(entry.exemplar.timestamp) else { return false }
            number = entry.before
        }
        return true
    }

    private static func store(_ id: UInt32, _ exemplar: Exemplar, _ state: inout State) {
        let number = state.stored
        let at = number % state.capacity
        let before = state.series[id]?.last ?? -1
        if state.entries.count < state.capacity {
            state.entries.append(Entry(id: id, exemplar: exemplar, before: before))
        } else {
            let gone = state.entries[at]
            state.series[gone.id]?.remove(gone.exemplar.timestamp)
            if state.series[gone.id]?.count == 0, gone.id != id { state.series[gone.id] = nil }
            state.entries[at] = Entry(id: id, exemplar: exemplar, before: before)
        }
        state.stored += 1
        if state.series[id]?.add(exemplar, number) == nil {
            state.series[id] = Series(newest: exemplar, last: number)
        }
    }

    /// The exemplars of the series for which `isWanted` is true, within an inclusive time range, in the order in which
    /// they were stored.
    func exemplars(from: Int64, to: Int64, _ isWanted: (UInt32) -> Bool) -> [Entry] {
        state.withLock { state in
            var result: [Entry] = []
            for number in (state.stored - state.entries.count)..<state.stored {
                let entry = state.entries[number % state.capacity]
                let isWithin = entry.exemplar.timestamp >= from && entry.exemplar.timestamp <= to
                if isWithin, isWanted(entry.id) { result.append(entry) }
            }
            return result
        }
    }

    /// A position between the entries of the ring.
    struct Position {
        fileprivate var changes = 0
        fileprivate var number = 0
    }

    /// The next entries, at most `count`, in the order in which they were stored; none at the end.
    ///
    /// After a change of the capacity it starts again with the oldest entry.
    func entries(from position: inout Position, atMost count: Int) -> [Entry] {
        state.withLock { state in
            if position.changes != state.changes { position = Position(changes: state.changes) }
            let start = max(position.number, state.stored - state.entries.count)
            let end = min(start + max(0, count), state.stored)
            position.number = end
            return (start..<end).map { state.entries[$0 % state.capacity] }
        }
    }

    private static func inOrder(_ state: State) -> [Entry] {
        let next = state.entries.count < state.capacity || state.capacity == 0 ? 0 : state.stored % state.capacity
        return Array(state.entries[next...] + state.entries[..<next])
    }

    var count: Int { state.withLock { $0.entries.count } }

    var figures: Figures {
        state.withLock { state in
            var figures = state.figures
            figures.count = state.entries.count
            figures.series = state.series.count
            figures.capacity = state.capacity
            if !state.entries.isEmpty {
                let next = state.entries.count < state.capacity ? 0 : state.stored % state.capacity
                figures.oldest = state.entries[next].exemplar.timestamp
            }
            return figures
        }
    }
}
