import Platform
import Synchronization

/// Threads that run handlers: one for each running request; idle threads end after a short time.
///
/// Long handlers use at most three quarters of the threads, so that short requests always find one.
final class HandlerThreads: Sendable {
    typealias Job = @Sendable () -> Void

    private let pool: ThreadPool<Job>
    private let longPlaces: Mutex<LongPlaces>

    private enum Kind { case long }
    private typealias LongPlaces = ClientTurns<Kind, Job>

    private static func place(of client: String) -> LongPlaces.Key { LongPlaces.Key(kind: .long, client: client) }

    init(most: Int, stackSize: Int) {
        let most = max(2, most)
        var settings = ThreadPoolSettings(name: "http")
        settings.most = most
        settings.idleTime = 5000
        settings.stackSize = stackSize
        pool = ThreadPool(settings)
        longPlaces = Mutex(LongPlaces(most - max(1, most / 4)))
    }

    /// Runs a job as soon as there is a thread for it.
    ///
    /// - Returns: False if the system has no thread for it.
    func run(_ job: @escaping Job) -> Bool { pool.add(job) != nil }

    /// Acquires a place for a long handler.
    ///
    /// If none is free for the client, returns false and runs `job` later with the place.
    func takeLongPlace(for client: String, orLater job: @escaping Job) -> Bool {
        longPlaces.withLock { $0.take(Self.place(of: client), orLater: job) }
    }

    /// Releases a place of a client, and passes it to the next waiting handler.
    func leaveLongPlace(of client: String) {
        if let next = longPlaces.withLock({ $0.leave(Self.place(of: client)) }) { _ = run(next) }
    }

    /// Whether there are not enough threads for one to wait for a client.
    var isTight: Bool { pool.isFull }

    /// The current number of threads.
    var count: Int { pool.threads }
}
