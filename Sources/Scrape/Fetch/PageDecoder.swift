import Encoding
import HTTP
import Model
import Platform

/// Takes the compression off pages, within bounds of size, of time, and of memory over all targets.
///
/// One per worker.
struct PageDecoder {
    /// A page, or why there is none.
    enum Outcome {
        case page
        /// Larger than this worker may read.
        case tooLarge
        case failed(ScrapeFailure)
    }

    private let clock: any Clock
    /// What the unpacked page takes of what all pages may take together.
    private let share: BudgetShare
    /// Pages of more bytes are left to another worker.
    private let largest: Int
    private let gzip = GzipDecoder()
    private var buffer: [UInt8] = []
    private var isInBuffer = false

    init(clock: any Clock, budget: ByteBudget, largest: Int) {
        self.clock = clock
        share = BudgetShare(budget)
        self.largest = largest
    }

    /// Memory that is kept for the next page.
    private static let keptBytes = 4 << 20
    /// Pieces of a page that are unpacked whatever the time: 1 MiB of text.
    private static let freePieces = 16

    /// Reads the body of a fetch, and calls `body` with the page if there is one.
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
                try gzip.decode(bytes, into: &buffer, mayGrow: mayGrow)
            } catch {
                failure = error
            }
        }
        if let stop { return stop }
        if let failure { return .failed(ScrapeFailure(.network, "\(failure)")) }
        return .page
    }

    /// The page that the last call of ``decode(_:)`` read.
    func withPage<R>(_ fetch: PageFetch, _ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
        isInBuffer ? buffer.withUnsafeBufferPointer(body) : fetch.transfer.body.withUnsafeBufferPointer(body)
    }

    /// Bytes of the page that the last call of ``decode(_:)`` read.
    func size(_ fetch: PageFetch) -> Int { isInBuffer ? buffer.count : fetch.transfer.body.count }

    /// Returns memory that the last page took and the next will hardly need.
    mutating func finish() {
        if buffer.capacity > Self.keptBytes { buffer = [] }
        share.release()
    }
}
