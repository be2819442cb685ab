import Model
import Synchronization

/// The newest exemplars of all series; the oldest make room.
final class ExemplarRing: Sendable {
    struct Entry: Sendable {
        var id: UInt32
        var exemplar: Exemplar
    }

    private struct State {
        var capacity: Int
        var entries: [Entry] = []
        var next = 0
        var newest: [UInt32: Exemplar] = [:]
    }

    private let state: Mutex<State>

    init(capacity: Int) { state = Mutex(State(capacity: max(0, capacity))) }

    /// Changes how many exemplars are kept; the newest stay.
    func setCapacity(_ capacity: Int) {
        state.withLock { state in
            let capacity = max(0, capacity)
            guard capacity != state.capacity else { return }
            let all = Array(state.entries[state.next...] + state.entries[..<state.next])
            state.entries = Array(all.suffix(capacity))
            state.next = 0
            state.capacity = capacity
            let kept = Set(state.entries.map(\.id))
            state.newest = state.newest.filter { kept.contains($0.key) }
        }
    }

    /// Adds an exemplar, unless it is older than the series' newest or the same; returns whether it did.
    @discardableResult
    func add(_ id: UInt32, _ exemplar: Exemplar) -> Bool {
        return state.withLock { state in
            guard state.capacity > 0 else { return false }
            if let last = state.newest[id], last.timestamp > exemplar.timestamp || last == exemplar { return false }
            state.newest[id] = exemplar
            if state.entries.count < state.capacity {
                state.entries.append(Entry(id: id, exemplar: exemplar))
            } else {
                let gone = state.entries[state.next]
                if state.newest[gone.id] == gone.exemplar { state.newest[gone.id] = nil }
                state.entries[state.next] = Entry(id: id, exemplar: exemplar)
                state.next = (state.next + 1) % state.capacity
            }
            return true
        }
    }

    /// Exemplars of series that `isWanted`, within a time, oldest first.
    func exemplars(from: Int64, to: Int64, _ isWanted: (UInt32) -> Bool) -> [Entry] {
        let all = state.withLock { state in Array(state.entries[state.next...] + state.entries[..<state.next]) }
        return all.filter { $0.exemplar.timestamp >= from && $0.exemplar.timestamp <= to && isWanted($0.id) }
    }

    var count: Int { state.withLock { $0.entries.count } }
}
