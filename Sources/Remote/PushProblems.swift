import Model
import Platform

/// The errors of one push: how many there are, and the first of them for the answer.
struct PushProblems {
    /// Errors that an answer names.
    static let named = 50
    /// Bytes of one error in an answer; labels may be longer than anybody reads.
    static let longest = 2048

    private(set) var lines: [String] = []
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// Notes an error; the text is only made if it is shown.
    mutating func add(_ text: @autoclosure () -> String) {
        count += 1
        guard lines.count < Self.named else { return }
        let line = text()
        lines.append(
            line.utf8.count <= Self.longest
                ? line : String(decoding: line.utf8.prefix(Self.longest), as: UTF8.self) + "…")
    }

    /// All that are named, one on a line, and how many are not.
    var text: String {
        let rest = count - lines.count
        return lines.joined(separator: "\n") + (rest > 0 ? "\n… and \(rest) more errors" : "") + "\n"
    }
}

/// What one push may take in memory, apart from its decoded body.
struct PushBudget {
    /// Bytes: eight times the largest body, which suffices for whatever a sender has a reason to send.
    static let limit = 8 * SnappyBody.maxSize

    /// A request that would take more.
    struct Excess: Error, CustomStringConvertible {
        /// Whether it would be taken while others need less.
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
        // An array that grows is there twice for a moment.
        if before >> 20 != used >> 20, !AddressSpace.canAllocate(used) { throw Excess(isTemporary: true) }
    }

    /// Throws if so many bytes more, which are needed for a moment only, would be too many.
    func require(_ bytes: Int) throws(Excess) {
        guard bytes <= Self.limit - used else { throw Excess() }
    }

    /// Throws if a histogram of so many bytes may unpack to more than there is room for: a byte of the message is at
    /// most a difference, a count and their copies.
    func require(histogramOf range: Range<Int>) throws(Excess) {
        let (bytes, isTooLarge) = range.count.multipliedReportingOverflow(by: 32)
        guard !isTooLarge else { throw Excess() }
        try require(bytes)
    }

    /// Charges a sample; a histogram with its parts.
    mutating func charge(_ histogram: FloatHistogram?) throws(Excess) {
        guard let histogram else { return try charge(40) }
        let buckets = histogram.positiveBuckets.count + histogram.negativeBuckets.count
        let spans = histogram.positiveSpans.count + histogram.negativeSpans.count
        try charge(300 + 8 * (buckets + spans + histogram.customBounds.count))
    }
}
