/// Events by the time they are due, the earliest first: a binary heap.
struct DueHeap<Event> {
    private var entries: [(due: Int64, event: Event)] = []

    init() {}

    var earliest: Int64? { entries.first?.due }
    var count: Int { entries.count }

    mutating func insert(_ event: Event, due: Int64) {
        entries.append((due, event))
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if entries[parent].due <= entries[child].due { break }
            entries.swapAt(parent, child)
            child = parent
        }
    }

    /// Takes the earliest event that is due at `now`.
    mutating func pop(at now: Int64) -> (due: Int64, event: Event)? {
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
