import Platform

/// What is due when, by the wall clock, with waits of the monotonic clock.
///
/// Times of scrapes lie on a grid of wall time. When the wall clock is set, all events move with it, and scrapes to the
/// time of the new grid before that: so no target waits longer than it would have, however often the clock is set.
struct ScrapeSchedule<Event> {
    private var events = DueHeap<Event>()
    private var steps = ClockSteps()

    init() {}

    /// How long to wait, ms; nil if nothing is due ever.
    func wait(at now: Int64) -> Int64? {
        events.earliest.map { max(0, $0.subtractingReportingOverflow(now).partialValue) }
    }

    mutating func insert(_ event: Event, due: Int64) { events.insert(event, due: due) }

    /// Takes the earliest event that is due at `now`.
    mutating func pop(at now: Int64) -> (due: Int64, event: Event)? { events.pop(at: now) }

    /// Takes both clocks in; if the wall clock was set, moves all events.
    ///
    /// - Parameter move: The event as it is from now on and when it is due, given by how many ms the clock was set and
    ///   the time, moved with the clock, at which it would have been due.
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
