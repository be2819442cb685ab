/// A series as its store knows it; only valid for the store that gave it.
public struct SeriesRef: Hashable, Sendable {
    public var raw: UInt64

    @inlinable
    public init(raw: UInt64) { self.raw = raw }

    /// No series.
    public static let none = SeriesRef(raw: 0)
}

/// The series that arrive together: a scrape target's, a rule group's, a remote sender's.
///
/// A store lays the series of a group out next to each other and shares their timestamps.
public struct SeriesGroup: Hashable, Sendable {
    public var raw: UInt32

    @inlinable
    public init(raw: UInt32) { self.raw = raw }
}

/// Samples that become visible together or not at all: one scrape, one evaluation, one push.
///
/// A structure of arrays: entry i of each array belongs to sample i. Kept and reused by its producer, so that a
/// steady scrape allocates nothing.
public struct SampleBatch: Sendable {
    /// The time of all samples without one of their own, in ms since the epoch.
    public var timestamp: Int64
    /// How far behind the wall clock ``timestamp`` is by design, ms; nil if the time comes from outside.
    ///
    /// Samples at ``timestamp`` of a batch that has it are the daemon's own: they are stored although an older sample
    /// of their series lies in the future, where a wrong clock has put it.
    public var delay: Int64?
    public var refs: [SeriesRef] = []
    public var values: [Double] = []
    /// `value == Double(mantissa) / 10^scale` exactly as it was written; meaningless where `scales` says so.
    public var mantissas: [Int64] = []
    /// Decimal places 0…22, or ``notDecimal``.
    public var scales: [Int8] = []
    /// Own times in ms; empty if all samples are at ``timestamp``.
    public var timestamps: [Int64] = []
    /// Native histograms: the position of the sample, whose `values` entry is then ignored, and the histogram.
    public var histograms: [(index: Int, histogram: FloatHistogram)] = []
    /// When samples began to count: the position of the sample, ascending, and its start timestamp in ms, not 0.
    public var starts: [(index: Int, start: Int64)] = []
    /// Positions, ascending, of samples that are left out without a word if they are not the newest of their series.
    public var optional: [Int] = []
    /// Whether a staleness marker in the form of a float, the batch's first sample of a series whose stored samples end
    /// with a histogram, goes behind the histograms that follow it.
    ///
    /// Prometheus commits what is pushed in this order, so that such a marker is out of order.
    public var commitsFloatMarkersLast = false
    public var exemplars: [(ref: SeriesRef, exemplar: Exemplar)] = []

    /// The scale of a value that is not known to be a short decimal.
    public static let notDecimal: Int8 = .min

    public init(timestamp: Int64 = 0) { self.timestamp = timestamp }

    public var count: Int { refs.count }

    /// Appends a sample at ``timestamp``, or at its own time if `timestamps` is in use.
    @inlinable
    public mutating func append(
        _ ref: SeriesRef, _ value: Double, mantissa: Int64 = 0, scale: Int8 = SampleBatch.notDecimal
    ) {
        refs.append(ref)
        values.append(value)
        mantissas.append(mantissa)
        scales.append(scale)
        if !timestamps.isEmpty { timestamps.append(timestamp) }
    }

    /// Appends a sample with a time of its own.
    @inlinable
    public mutating func append(
        _ ref: SeriesRef, _ value: Double, at time: Int64, mantissa: Int64 = 0, scale: Int8 = SampleBatch.notDecimal
    ) {
        if timestamps.isEmpty, !refs.isEmpty { timestamps = [Int64](repeating: timestamp, count: refs.count) }
        refs.append(ref)
        values.append(value)
        mantissas.append(mantissa)
        scales.append(scale)
        timestamps.append(time)
    }

    /// Appends a native histogram with a time of its own.
    public mutating func append(_ ref: SeriesRef, _ histogram: FloatHistogram, at time: Int64) {
        histograms.append((refs.count, histogram))
        append(ref, 0, at: time)
    }

    /// Says when the sample that was appended last began to count, in ms; 0 is not known.
    @inlinable
    public mutating func setStart(_ start: Int64) {
        if start != 0, !refs.isEmpty { starts.append((refs.count - 1, start)) }
    }

    /// Whether the sample at a position is one of ``optional``.
    public func isOptional(_ index: Int) -> Bool {
        var (low, high) = (0, optional.count)
        while low < high {
            let middle = (low + high) / 2
            if optional[middle] < index { low = middle + 1 } else { high = middle }
        }
        return low < optional.count && optional[low] == index
    }

    /// Forgets the samples, keeps the memory.
    public mutating func removeAll() {
        refs.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
        mantissas.removeAll(keepingCapacity: true)
        scales.removeAll(keepingCapacity: true)
        timestamps.removeAll(keepingCapacity: true)
        histograms.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
        optional.removeAll(keepingCapacity: true)
        exemplars.removeAll(keepingCapacity: true)
    }
}

/// Why a sample was not stored.
public enum SampleRejection: String, Sendable, Hashable {
    /// Older than the newest sample of its series.
    case outOfOrder = "out of order sample"
    /// The newest sample of its series has the same time and another value.
    case duplicate = "duplicate sample for timestamp"
    /// Older than what the store accepts at all.
    case outOfBounds = "out of bounds"
    /// Older than the out-of-order window.
    case tooOld = "too old sample"
    /// A native histogram whose parts contradict each other.
    case invalidHistogram = "invalid native histogram"
    /// The series is no longer known: resolve its labels again and append the sample in another batch.
    case unknownSeries = "unknown series reference"
}

/// What became of a batch.
public struct CommitOutcome: Sendable {
    /// Samples stored, those equal to what was there already included.
    public var appended = 0
    /// Samples not stored: position in the batch, and why.
    public var rejected: [(index: Int, reason: SampleRejection)] = []
    /// Exemplars not stored: position among those of the batch, and why; ones that are known already are none.
    public var rejectedExemplars: [(index: Int, reason: ExemplarRejection)] = []
    /// Positions of samples that were newer than all that was stored of their series, but not than a sample before them
    /// in the batch; those of them that were not stored are among `rejected`, too.
    public var overtaken: [Int] = []

    public init() {}
}

/// When a commit returns.
public enum Durability: Sendable {
    /// As ``written``; while the disk takes nothing, the samples are kept in memory, answer queries, and are brought to
    /// the disk as soon as it takes them. For samples that nobody would send again.
    case whenPossible
    /// After the samples are in the operating system's hands: they survive a killed process.
    case written
    /// After the samples are on the disk: they survive a power cut.
    case synced
}

/// Labels that a store cannot take as those of a series; whoever sent them need not try again.
public struct UnusableLabels: Error, Sendable, CustomStringConvertible {
    public var description: String

    public init(description: String) { self.description = description }
}

/// Samples that a store cannot take now and can soon: whoever sends them is to try again.
public struct StoreBusy: Error, Sendable, CustomStringConvertible {
    public var description: String

    public init(description: String) { self.description = description }
}

/// Takes samples.
///
/// Implemented by `Storage`, and by arrays in tests; safe to call from many threads.
public protocol SampleStore: AnyObject, Sendable {
    /// Announces series that will arrive together. `name` is stable over restarts, for instance job and URL.
    func openGroup(_ name: String) -> SeriesGroup

    /// Says that no more samples of `group` will come; its series stay readable.
    func closeGroup(_ group: SeriesGroup)

    /// The series with these labels, made if it is new.
    ///
    /// - Throws: ``UnusableLabels`` if no store of this kind could ever take them.
    func resolve(_ labels: Labels, in group: SeriesGroup) throws -> SeriesRef

    /// Stores a batch; throws only if nothing of it could be stored (a full disk, a store that is closing).
    func commit(_ batch: borrowing SampleBatch, in group: SeriesGroup, durability: Durability) throws -> CommitOutcome

    /// Remembers what an exposition says of metric families.
    func setMetadata(_ metadata: [(metric: String, metadata: MetricMetadata)], in group: SeriesGroup)
}
