import Encoding
import HTTP
import Model
import Platform

/// Decompresses scrape bodies, with limits of size, of time, and of memory for all targets.
///
/// Each worker has one.
struct PageDecoder {
    /// A scrape body, or the reason why there is none.
    enum Outcome {
        case page
        /// The body is larger than this worker may read.
        case tooLarge
        case failed(ScrapeFailure)
    }

    private let clock: any Clock
    /// The part of the memory limit of all bodies that the decompressed body uses.
    private let share: BudgetShare
    /// The size above which bodies are left to another worker.
    private let largest: Int
    private let gzip = GzipDecoder()
    private var buffer: [UInt8] = []
    private var isInBuffer = false

    init(clock: any Clock, budget: ByteBudget, largest: Int) {
        self.clock = clock
        share = BudgetShare(budget)
        self.largest = largest
    }

    /// The memory that is kept for the next body.
    private static let keptBytes = 4 << 20
    /// The number of parts of a body that are decompressed without a check of the time: 1 MiB of text.
    private static let freePieces = 16

    /// Reads the body of a fetch.
    mutating func decode(_ fetch: PageFetch) -> Outcome {
        isInBuffer = false
        guard fetch.coding == .gzip else {
            if fetch.transfer.body.count >= fetch.bodyLimit {
                return .failed(ScrapeFailure(.bodySizeLimit, "body size limit exceeded"))
            }
            return fetch.transfer.body.count > largest ? .tooLarge : .page
        }
        if buffer.capacity > Self.keptBytes { buffer = [] } else { buffer.removeAll(keepingCapacity: true) }
        isInBuffer = true
        let (limit, largest, clock, share) = (fetch.bodyLimit, largest, clock, share)
        let deadline = clock.monotonic() &+ fetch.timeLeft
        share.release()
        var stop: Outcome?
        var failure: GzipFailure?
        var pieces = 0
        let mayGrow = { (size: Int) -> Bool in
            pieces += 1
            if size >= limit {
                stop = .failed(ScrapeFailure(.bodySizeLimit, "body size limit exceeded"))
            } else if size > largest {
                stop = .tooLarge
            } else if !share.grow(to: size) {
                stop = .failed(ScrapeFailure(.network, share.shortage))
            } else if pieces > Self.freePieces, clock.monotonic() > deadline {
                stop = .failed(ScrapeFailure(.network, "context deadline exceeded"))
            }
            return stop == nil
        }
        fetch.transfer.body.withUnsafeBytes { bytes in
            do throws(GzipFailure) {
                try gzip.decode(
                    bytes, into: &buffer, canAllocate: { AddressSpace.canAllocate($0) }, mayGrow: mayGrow)
            } catch {
                failure = error
            }
        }
        if let stop { return stop }
        if let failure { return .failed(ScrapeFailure(.network, "\(failure)")) }
        return .page
    }

    /// Calls `body` with the bytes that the last call of ``decode(_:)`` read.
    func withPage<R>(_ fetch: PageFetch, _ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
        isInBuffer ? buffer.withUnsafeBufferPointer(body) : fetch.transfer.body.withUnsafeBufferPointer(body)
    }

    /// The number of bytes that the last call of ``decode(_:)`` read.
    func size(_ fetch: PageFetch) -> Int { isInBuffer ? buffer.count : fetch.transfer.body.count }

    /// Frees memory of the last body that the next will probably not need.
    mutating func finish() {
        if buffer.capacity > Self.keptBytes { buffer = [] }
        share.release()
    }
}
