import Model

/// A queue of targets that are due, fair between intervals.
///
/// If the loop is on time, the order is that of the times. If it is late, the intervals alternate, so that many slow
/// targets cannot starve a fast one, or many fast targets a slow one. Within an interval the target that has waited
/// longest is next.
struct TurnQueue<Item> {
    private struct Line {
        let interval: Int64
        var items: [(due: Int64, item: Item)] = []
        var first = 0
    }
    private var lines: [Line] = []
    private var next = 0
    private(set) var count = 0

    init() {}

    mutating func add(_ item: Item, due: Int64, interval: Int64) {
        count += 1
        if let index = lines.firstIndex(where: { $0.interval == interval }) {
            lines[index].items.append((due, item))
        } else {
            lines.append(Line(interval: interval, items: [(due, item)]))
        }
    }

    /// Removes and returns the next one; nil if the queue is empty.
    mutating func take() -> (due: Int64, item: Item)? {
        guard count > 0 else { return nil }
        while true {
            assert(!lines.isEmpty)
            if next >= lines.count { next = 0 }
            guard lines[next].first < lines[next].items.count else {
                lines.remove(at: next)
                continue
            }
            let taken = lines[next].items[lines[next].first]
            lines[next].first += 1
            if lines[next].first >= 1024 {
                lines[next].items.removeFirst(lines[next].first)
                lines[next].first = 0
            }
            count -= 1
            next += 1
            return taken
        }
    }
}

/// The times of one target's scrapes.
///
/// No other code computes the next time.
struct TargetTurns {
    let interval: Int64
    /// The largest delay that does not move a timestamp off the grid, ms; negative for none.
    var tolerance: Int64 = 2

    /// The turn after the one of `due`, and the number of turns that are skipped because `now` is after them.
    func next(after due: Int64, now: Int64) -> (due: Int64, missed: Int64) {
        let late = max(0, now &- due)
        let missed = late / interval
        return (due &+ (missed &+ 1) &* interval, missed)
    }

    /// The timestamp of a scrape that was due at `due` and begins at `now`.
    ///
    /// Small delays do not move the sample off its grid, so that the distances of timestamps stay equal.
    func timestamp(due: Int64, now: Int64) -> Int64 {
        let tolerance = min(interval / 100, tolerance)
        return now >= due && now &- due <= tolerance ? due : now
    }

    /// The ms from `now` that a scrape may take which was due at `due`.
    ///
    /// The time since `due` counts, so that a scrape with a timeout of the whole interval is over when the next is due.
    /// If the loop is late, targets keep most of their time.
    func timeout(_ timeout: Int64, due: Int64, now: Int64) -> Int64 {
        max(1, timeout &- min(max(0, now &- due), timeout / 10))
    }
}
