import Glibc
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Storage

/// Whether syncs fail at random in a run of a test, and by which seed.
struct FailingSyncs: Sendable, CustomTestStringConvertible {
    /// Nil if no sync fails.
    let seed: UInt64?

    /// A run without failures, and some with them.
    static let runs: [FailingSyncs] = [FailingSyncs(seed: nil)] + (1...4).map { FailingSyncs(seed: $0) }

    var testDescription: String { seed.map { "syncs fail, seed \($0)" } ?? "no sync fails" }

    /// Lets one of `count` syncs fail from now on.
    func begin(_ files: FaultyFileSystem, oneIn count: Int = 5) {
        if let seed { files.failSyncs(oneIn: count, seed: seed) }
    }

    /// Does what a failing sync may refuse, until it is done; `between` is done before each further attempt.
    func insist<R>(_ body: () throws -> R, between: () -> Void = {}) throws -> R {
        if seed != nil {
            for _ in 0..<60 {
                do { return try body() } catch {
                    guard Self.isRefusal(error) else { throw error }
                }
                between()
            }
        }
        return try body()
    }

    /// Whether an error says that the disk fails, or that samples are refused because of that.
    private static func isRefusal(_ error: any Error) -> Bool {
        switch error {
        case let error as FileError: error.code == EIO
        case is StoreBusy, StorageError.notWritable, StorageError.unusable: true
        default: false
        }
    }

    /// Runs the upkeep of a store, as often as failing syncs make it necessary, until all of it is done.
    ///
    /// - Returns: Whether it was done in the end.
    func tend(_ store: TimeSeriesStore) -> Bool {
        for _ in 0..<(seed == nil ? 1 : 100) {
            store.syncLog()
            store.runMaintenance()
            if store.maintenanceFailure.withLock({ $0 == nil }), store.isHealthy { return true }
        }
        return store.maintenanceFailure.withLock { $0 == nil } && store.isHealthy
    }
}
