import Platform
import Synchronization

/// Requests that wait for one shared result.
///
/// One of the waiters computes it. Each wait ends at its request's deadline or when it is cancelled, however long the
/// computation takes.
final class SharedWait<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    typealias Outcome = Result<Value, TransferFailure>

    struct Waiter: Sendable {
        /// Waiters with the same key receive the same result.
        var key: Key
        var request: CredentialsRequest
        fileprivate var body: @Sendable (Outcome) -> Void
        /// Ends the wait at its deadline.
        fileprivate var alarm: Task<Void, Never>?
    }

    private struct State {
        var waiting: [ObjectIdentifier: Waiter] = [:]
        var isBusy = false
    }

    private let clock: any Clock
    private let state = Mutex(State())

    init(clock: any Clock) { self.clock = clock }

    /// Adds a request; `body` is called once.
    ///
    /// - Returns: The waiter, if no computation runs: then the caller must compute the result and call
    ///   ``finish(_:_:)``.
    func add(
        _ key: Key, _ request: CredentialsRequest, _ body: @escaping @Sendable (Outcome) -> Void
    ) -> Waiter? {
        let waiter = Waiter(key: key, request: request, body: body)
        let (isAdded, isFirst) = state.withLock { state -> (Bool, Bool) in
            if request.isCancelled.load(ordering: .acquiring) { return (false, false) }
            state.waiting[ObjectIdentifier(request)] = waiter
            let isFirst = !state.isBusy
            state.isBusy = true
            return (true, isFirst)
        }
        guard isAdded else {
            body(.failure(TransferFailure(.cancelled, "context canceled")))
            return nil
        }
        setAlarm(request)
        return isFirst ? waiter : nil
    }

    /// Ends a wait that has not ended yet.
    func cancel(_ request: CredentialsRequest) {
        request.isCancelled.store(true, ordering: .releasing)
        end(ObjectIdentifier(request), TransferFailure(.cancelled, "context canceled"))
    }

    private func end(_ id: ObjectIdentifier, _ failure: TransferFailure) {
        guard let waiter = state.withLock({ $0.waiting.removeValue(forKey: id) }) else { return }
        waiter.alarm?.cancel()
        waiter.body(.failure(failure))
    }

    private func setAlarm(_ request: CredentialsRequest) {
        let id = ObjectIdentifier(request)
        let end = clock.now().addingReportingOverflow(max(0, request.timeout))
        let alarm = Task { [self] in
            do {
                try await clock.sleep(until: end.overflow ? .max : end.partialValue)
                self.end(id, TransferFailure(.timeout, "context deadline exceeded"))
            } catch {
                return
            }
        }
        let isWaiting = state.withLock { state -> Bool in
            state.waiting[id]?.alarm = alarm
            return state.waiting[id] != nil
        }
        if !isWaiting { alarm.cancel() }
    }

    /// Passes the result to all waiters with a key.
    ///
    /// - Returns: A waiter with another key, for which the caller must continue.
    func finish(_ key: Key, _ outcome: Outcome) -> Waiter? {
        let (answered, next) = state.withLock { state -> ([Waiter], Waiter?) in
            let answered = state.waiting.filter { $0.value.key == key }
            for id in answered.keys { state.waiting[id] = nil }
            let next = state.waiting.first?.value
            state.isBusy = next != nil
            return (Array(answered.values), next)
        }
        for waiter in answered {
            waiter.alarm?.cancel()
            waiter.body(outcome)
        }
        return next
    }
}
