import HTTP
import Platform

/// Limits how many pushes are read at the same time; others wait, so that all together have bounded memory.
///
/// Small pushes have turns of their own: a large one can take seconds, and must not keep small ones waiting.
final class PushTurns: Sendable {
    /// Bytes of a small push when it is unpacked.
    static let smallSize = 1 << 20

    private let small: TimedSemaphore
    private let large: TimedSemaphore
    private let timeout: Int64

    /// - Parameters:
    ///   - count: Small ones at the same time, and large ones.
    ///   - timeout: The longest wait of one, ms.
    init(count: Int = 4, timeout: Int64 = 5000) {
        small = TimedSemaphore(value: count)
        large = TimedSemaphore(value: count)
        self.timeout = timeout
    }

    /// The turn of one push.
    struct Turn {
        let isLarge: Bool
        private let semaphore: TimedSemaphore

        fileprivate init(isLarge: Bool, _ semaphore: TimedSemaphore) {
            self.isLarge = isLarge
            self.semaphore = semaphore
        }

        func end() { semaphore.signal() }
    }

    /// Waits for the turn of a push with this packed body; nil if none came for long.
    func take(_ packed: [UInt8]) -> Turn? {
        let isLarge = SnappyBody.size(of: packed) > Self.smallSize
        let semaphore = isLarge ? large : small
        return semaphore.wait(milliseconds: timeout) ? Turn(isLarge: isLarge, semaphore) : nil
    }
}

/// A push for whose answer nobody waits any more: the client is gone, or the server ends.
struct PushEnded: Error {
    /// Series that are read between two checks of the client.
    private static let interval = 8192

    /// Throws if nobody waits, now and then.
    static func look(_ request: HTTPRequest, _ series: Int) throws(PushEnded) {
        if series % interval == interval - 1, request.isCancelled() { throw PushEnded() }
    }
}
