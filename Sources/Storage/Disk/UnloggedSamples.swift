import Synchronization

/// What is in memory only because the log could not be written, until a checkpoint holds it.
final class UnloggedSamples: Sendable {
    /// Samples and when they were taken; times are those of the samples, ms.
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
        /// Not in a checkpoint.
        var open = Span()
        /// In the checkpoint that is being written.
        var inFlight = Span()
        /// Refused since the last report, because whoever sent them will send them again, or memory was at its end.
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

    /// What no finished checkpoint holds.
    var current: Span {
        state.withLock { state in
            var span = state.open
            span.add(state.inFlight)
            return span
        }
    }

    /// Whether there is nothing to be saved and nothing to be told.
    var isEmpty: Bool { state.withLock { $0.open.samples == 0 && $0.inFlight.samples == 0 && $0.refused.samples == 0 } }

    /// Samples that were refused since the start.
    var refused: Int { refusedEver.load(ordering: .relaxed) }

    /// A checkpoint begins: what there is now will be in it.
    func beginCheckpoint() {
        state.withLock { state in
            state.inFlight.add(state.open)
            state.open = Span()
        }
    }

    /// The checkpoint that was begun last is on the disk; returns what it saved, and what was refused before.
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
