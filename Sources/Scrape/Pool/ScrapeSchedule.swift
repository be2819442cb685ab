import Platform

/// The times of events by the wall clock, with waits of the monotonic clock.
///
/// The times of scrapes are on a grid of wall time. When the wall clock is set, all events move with it, and scrapes
/// move to the time of the new grid before that. So no target waits longer than without the change, however often the
/// clock is set.
struct ScrapeSchedule<Event> {
    private var events = DueHeap<Event>()
    private var steps = ClockSteps()

    init() {}

    /// The time to wait, ms; nil if there is no event.
    func wait(at now: Int64) -> Int64? {
        events.earliest.map { max(0, $0.subtractingReportingOverflow(now).partialValue) }
    }

    /// The number of events.
    var count: Int { events.count }

    mutating func insert(_ event: Event, due: Int64) { events.insert(event, due: due) }

    /// Removes the events that match `condition`.
    mutating func removeAll(where condition: (Event) -> Bool) { events.removeAll(where: condition) }

    /// Removes and returns the earliest event that is due at `now`.
    mutating func pop(at now: Int64) -> (due: Int64, event: Event)? { events.pop(at: now) }

    /// Reads both clocks; if the wall clock was set, moves all events.
    ///
    /// - Parameter move: Returns the changed event and its time, given the ms by which the clock was set and the moved
    ///   time of the event.
    mutating func observe(
        _ clock: any Clock, move: (Event, _ step: Int64, _ due: Int64) -> (event: Event, due: Int64)
    ) {
        guard let step = steps.observe(clock) else { return }
        var moved = DueHeap<Event>()
        while let (due, event) = events.pop(at: .max) {
            let (event, due) = move(event, step, due.addingReportingOverflow(step).partialValue)
            moved.insert(event, due: due)
        }
        events = moved
    }
}
