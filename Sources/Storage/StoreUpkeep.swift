import Model
import Platform

/// What is done now and then, in the background or by tests.
extension TimeSeriesStore {
    /// Does what is due: nothing is, until a block window has ended.
    public func runMaintenance() {
    }
}

extension TimeSeriesStore {
    /// Ends as a killed process does, for tests: nothing is written, only the lock is given back.
    func abandon() {
        background.stop()
        releaseLock()
    }
}
