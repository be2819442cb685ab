/// Events by their due times, the earliest first: a binary heap.
///
/// It is public, as other modules make specialised code of public generic types only.
public struct DueHeap<Event> {
    @usableFromInline var entries: [(due: Int64, event: Event)] = []

    @inlinable public init() {}

    /// The time of the earliest event; nil if there is none.
    @inlinable public var earliest: Int64? { entries.first?.due }
    /// The earliest event.
    @inlinable public var first: Event? { entries.first?.event }
    @inlinable public var count: Int { entries.count }

    /// Removes the events that match `condition`.
    @inlinable public mutating func removeAll(where condition: (Event) -> Bool) {
        let old = entries
        entries.removeAll(keepingCapacity: true)
        for entry in old where !condition(entry.event) { insert(entry.event, due: entry.due) }
    }

    @inlinable public mutating func insert(_ event: Event, due: Int64) {
        entries.append((due, event))
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if entries[parent].due <= entries[child].due { break }
            entries.swapAt(parent, child)
            child = parent
        }
    }

    /// Removes and returns the earliest event that is due at `now`.
    @inlinable public mutating func pop(at now: Int64) -> (due: Int64, event: Event)? {
        guard let first = entries.first, first.due <= now else { return nil }
        let last = entries.removeLast()
        if !entries.isEmpty {
            entries[0] = last
            var parent = 0
            while true {
                let left = 2 * parent + 1
                guard left < entries.count else { break }
                let right = left + 1
                let child = right < entries.count && entries[right].due < entries[left].due ? right : left
                if entries[parent].due <= entries[child].due { break }
                entries.swapAt(parent, child)
                parent = child
            }
        }
        return first
    }
}

extension DueHeap: Sendable where Event: Sendable {}
