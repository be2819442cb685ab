import Model
import Synchronization
import Telemetry

/// The queue, the counters and the task of one Alertmanager.
final class AlertmanagerSender: Sendable {
    struct State {
        var endpoint: AlertmanagerEndpoint
        var queue: AlertQueue
        /// Whether the task ends as soon as the queue is empty, or a batch fails.
        var isDraining = false
        /// The number of times that the Alertmanager has left.
        var departures = 0
        /// Whether the last request had no answer in time.
        var isSilent = false
        /// The number of requests that have begun.
        var begun = 0
        var sent = 0
        var errors = 0
        var latency = QuantileWindow()
        var task: Task<Void, Never>?

        /// Lets the task end when nothing waits any more; returns false if there is nothing to send.
        mutating func leave() -> Bool {
            guard task != nil, !isSilent else { return false }
            isDraining = true
            departures += 1
            return true
        }

        /// Forgets the task if it is to end; returns whether it is.
        mutating func ends() -> Bool {
            guard isDraining, queue.waiting.isEmpty else { return false }
            task = nil
            return true
        }
    }

    let url: String
    let state: Mutex<State>
    let wake: AsyncStream<Void>.Continuation
    let wakes: AsyncStream<Void>

    init(_ endpoint: AlertmanagerEndpoint, _ queue: AlertQueue) {
        url = endpoint.url
        state = Mutex(State(endpoint: endpoint, queue: queue))
        (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Ends the task at once, and drops what waits.
    func cancel() {
        state.withLock { state in
            state.queue.dropAll()
            state.task?.cancel()
        }
    }
}
