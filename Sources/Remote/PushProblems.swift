import HTTP
import Model
import Platform

/// The errors of one push: their number, and the first of them for the answer.
struct PushProblems {
    /// The most errors in an answer.
    static let named = 50
    /// The most bytes of one error in an answer; labels may be very long.
    static let longest = 2048

    private(set) var lines: [String] = []
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// Whether the next error is named in the answer.
    var namesNext: Bool { lines.count < Self.named }

    /// Notes an error; the text is only made if it is shown.
    mutating func add(_ text: @autoclosure () -> String) {
        count += 1
        guard namesNext else { return }
        let line = text()
        lines.append(
            line.utf8.count <= Self.longest
                ? line : String(decoding: line.utf8.prefix(Self.longest), as: UTF8.self) + "…")
    }

    /// The errors, one per line, and the number of those that are left out.
    var text: String {
        let rest = count - lines.count
        return lines.joined(separator: "\n") + (rest > 0 ? "\n… and \(rest) more errors" : "") + "\n"
    }
}

/// The series of one push that the storage cannot accept now.
struct UnfitSeries {
    private var first: StoreFull?
    private var count = 0

    mutating func add(_ error: StoreFull) {
        first = first ?? error
        count += 1
    }

    /// The answer to a push with such series, whose other series are stored; nil if there are none.
    var response: HTTPResponse? {
        first.map { RemoteWriteReceiver.later("\($0); \(count) series of the request are not stored\n") }
    }
}

/// The memory limit of one push, apart from its decoded body.
struct PushBudget {
    /// The limit in bytes: eight times the largest body, which suffices for every reasonable request.
    static let limit = 8 * SnappyBody.maxSize

    /// The error of a request that exceeds the limit.
    struct Excess: Error, CustomStringConvertible {
        /// Whether the request could be accepted later, when others need less memory.
        var isTemporary = false

        var description: String {
            isTemporary
                ? "no memory left for the request"
                : "the request needs more than \(PushBudget.limit) bytes of memory"
        }
    }

    private var used = 0

    mutating func charge(_ bytes: Int) throws(Excess) {
        try require(bytes)
        let before = used
        used += bytes
        // While an array grows, both copies exist.
        if before >> 20 != used >> 20, !AddressSpace.canAllocate(used) { throw Excess(isTemporary: true) }
    }

    /// The bytes below the limit.
    var left: Int { Self.limit - used }

    /// Throws if so many more bytes, which are needed temporarily, would exceed the limit.
    func require(_ bytes: Int) throws(Excess) {
        guard bytes <= Self.limit - used else { throw Excess() }
    }

    /// Throws if the unpacked histogram of so many bytes may exceed the limit: a byte of the message is at most a
    /// difference, a count and their copies.
    func require(histogramOf range: Range<Int>) throws(Excess) {
        let (bytes, isTooLarge) = range.count.multipliedReportingOverflow(by: 32)
        guard !isTooLarge else { throw Excess() }
        try require(bytes)
    }

    /// Charges a sample, and the parts of a histogram.
    mutating func charge(_ histogram: FloatHistogram?) throws(Excess) {
        guard let histogram else { return try charge(40) }
        let buckets = histogram.positiveBuckets.count + histogram.negativeBuckets.count
        let spans = histogram.positiveSpans.count + histogram.negativeSpans.count
        try charge(300 + 8 * (buckets + spans + histogram.customBounds.count))
    }
}
