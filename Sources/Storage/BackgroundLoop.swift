import Glibc
import Platform
import Synchronization

/// The store's own thread: brings the log to the disk, and looks after files.
final class BackgroundLoop: Sendable {
    private let isStopping = Atomic(false)
    private let thread = Mutex<Platform.Thread?>(nil)

    func start(_ store: TimeSeriesStore) {
        let interval = max(50, store.options.walSyncInterval)
        let started = Platform.Thread.start("storage") { [self, unowned store] in
            var sinceSync: Int64 = 0
            var sinceUpkeep: Int64 = 0
            while !isStopping.load(ordering: .acquiring) {
                usleep(50_000)
                sinceSync += 50
                sinceUpkeep += 50
                if sinceSync >= interval {
                    sinceSync = 0
                    store.syncLog()
                }
                if sinceUpkeep >= 1_000 {
                    sinceUpkeep = 0
                    store.runMaintenance()
                }
            }
        }
        thread.withLock { $0 = started }
    }

    /// Whether long work should end soon.
    var isStoppingNow: Bool { isStopping.load(ordering: .acquiring) }

    func stop() {
        isStopping.store(true, ordering: .releasing)
        thread.withLock { $0 }?.join()
        thread.withLock { $0 = nil }
    }
}
