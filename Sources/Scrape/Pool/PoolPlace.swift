import Config
import Synchronization

/// A pool with its lock.
///
/// A change of many targets takes long. Meanwhile readers get what was there before, and other pools are not affected.
final class PoolPlace: Sendable {
    /// The content of a pool for readers.
    struct Content: Sendable {
        var targets: [Target] = []
        var dropped: [DroppedTarget] = []
        var droppedCount = 0
        /// The fingerprint of the configuration.
        var fingerprint = ""

        init(_ pool: ScrapePool) {
            targets = Array(pool.targets.values)
            dropped = pool.dropped
            droppedCount = pool.droppedCount
            fingerprint = pool.settings.config.fingerprint
        }

        init() {}
    }

    private let pool: Mutex<ScrapePool?>
    private let shown: Mutex<Content>
    private let loop: ScrapeLoop?

    init(_ pool: ScrapePool, _ loop: ScrapeLoop?) {
        self.pool = Mutex(pool)
        shown = Mutex(Content(pool))
        self.loop = loop
    }

    var content: Content { shown.withLock { $0 } }

    /// Changes the pool, and sends the commands to the loop; returns false if the pool was closed.
    ///
    /// The lock is held until they are sent, so that the loop gets the commands of all changes in order.
    @discardableResult
    func change(_ body: (inout ScrapePool) -> [ScrapeLoop.Command]) -> Bool {
        pool.withLock { pool in
            guard var changed = pool else { return false }
            // There is one reference to the lists of the pool while it changes.
            pool = nil
            let commands = body(&changed)
            let content = Content(changed)
            shown.withLock { $0 = content }
            pool = changed
            loop?.send(commands)
            return true
        }
    }

    /// Removes all targets; the pool cannot be changed any more.
    func close(now: Int64) {
        pool.withLock { pool in
            guard var closed = pool else { return }
            pool = nil
            shown.withLock { $0 = Content() }
            loop?.send(closed.removeAll(now: now))
        }
    }
}
