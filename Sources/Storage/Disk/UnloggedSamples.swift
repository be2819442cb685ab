import Synchronization

/// The samples that are only in memory, because the log could not be written, until a checkpoint has them.
final class UnloggedSamples: Sendable {
    /// The number of samples, and the range of their times, ms.
    struct Span: Sendable, Equatable {
        var samples = 0
        var from = Int64.max
        var to = Int64.min

        mutating func add(_ other: Span) {
            samples &+= other.samples
            from = min(from, other.from)
            to = max(to, other.to)
        }
    }

    private struct State {
        /// The samples that are not in a checkpoint.
        var open = Span()
        /// The samples of the checkpoint that is being written.
        var inFlight = Span()
        /// The samples refused since the last report, because their sender will send them again, or no memory was left.
        var refused = Span()
    }

    private let state = Mutex(State())
    private let refusedEver = Atomic<Int>(0)

    func add(_ samples: Int, at time: Int64) {
        state.withLock { $0.open.add(Span(samples: samples, from: time, to: time)) }
    }

    func refuse(_ samples: Int, at time: Int64) {
        refusedEver.add(samples, ordering: .relaxed)
        state.withLock { $0.refused.add(Span(samples: samples, from: time, to: time)) }
    }

    /// The samples that no finished checkpoint has.
    var current: Span {
        state.withLock { state in
            var span = state.open
            span.add(state.inFlight)
            return span
        }
    }

    /// Whether there is nothing to save and nothing to report.
    var isEmpty: Bool { state.withLock { $0.open.samples == 0 && $0.inFlight.samples == 0 && $0.refused.samples == 0 } }

    /// The number of samples that were refused since the start.
    var refused: Int { refusedEver.load(ordering: .relaxed) }

    /// Notes that a checkpoint starts, which will have the current samples.
    func beginCheckpoint() {
        state.withLock { state in
            state.inFlight.add(state.open)
            state.open = Span()
        }
    }

    /// Notes that the last checkpoint is on disk; returns the samples that it saved, and those that were refused
    /// before.
    func finishCheckpoint() -> (saved: Span, refused: Span) {
        state.withLock { state in
            defer {
                state.inFlight = Span()
                state.refused = Span()
            }
            return (state.inFlight, state.refused)
        }
    }
}
