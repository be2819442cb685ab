/// A reference to a series; only valid for the storage that returned it.
public struct SeriesRef: Hashable, Sendable {
    public var raw: UInt64

    @inlinable
    public init(raw: UInt64) { self.raw = raw }

    /// No series.
    public static let none = SeriesRef(raw: 0)
}

/// A group of series that arrive together: those of a scrape target, of a rule group, or of a remote sender.
///
/// A storage places the series of a group next to each other and shares their timestamps.
public struct SeriesGroup: Hashable, Sendable {
    public var raw: UInt32

    @inlinable
    public init(raw: UInt32) { self.raw = raw }
}

/// Samples that become visible together or not at all: one scrape, one evaluation, one push.
///
/// It is a structure of arrays: entry i of each array belongs to sample i. Its producer reuses it, so that an unchanged
/// scrape allocates nothing.
public struct SampleBatch: Sendable {
    /// The time of all samples without their own, in ms since the epoch.
    public var timestamp: Int64
    /// The intended delay of ``timestamp`` relative to the wall clock, ms; nil if the time is from outside.
    ///
    /// With a delay, the samples at ``timestamp`` are the daemon's own: they are stored even if an older sample of
    /// their series is in the future because of a wrong clock.
    public var delay: Int64?
    public var refs: [SeriesRef] = []
    public var values: [Double] = []
    /// `value == Double(mantissa) / 10^scale` exactly as it was written; not defined for values that are not decimals
    /// by `scales`.
    public var mantissas: [Int64] = []
    /// Decimal places 0…22, or ``notDecimal``.
    public var scales: [Int8] = []
    /// The own times in ms; empty if all samples are at ``timestamp``.
    public var timestamps: [Int64] = []
    /// Native histograms: the position of the sample, whose `values` entry is then ignored, and the histogram.
    public var histograms: [(index: Int, histogram: FloatHistogram)] = []
    /// The start timestamps: the position of the sample, ascending, and its start timestamp in ms, not 0.
    public var starts: [(index: Int, start: Int64)] = []
    /// The positions, ascending, of samples that are dropped without a report if they are not the newest of their
    /// series.
    public var optional: [Int] = []
    /// Whether a stale marker in the form of a float is stored after the histograms that follow it.
    ///
    /// This applies to the batch's first sample of a series whose stored samples end with a histogram.
    ///
    /// Prometheus commits pushed samples in this order, so that such a marker is out of order.
    public var commitsFloatMarkersLast = false
    public var exemplars: [(ref: SeriesRef, exemplar: Exemplar)] = []

    /// The scale of a value that is not known to be a short decimal.
    public static let notDecimal: Int8 = .min

    public init(timestamp: Int64 = 0) { self.timestamp = timestamp }

    public var count: Int { refs.count }

    /// Appends a sample at ``timestamp``, or at its own time if `timestamps` is used.
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

    /// Appends a sample with its own time.
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

    /// Appends a native histogram with its own time.
    public mutating func append(_ ref: SeriesRef, _ histogram: FloatHistogram, at time: Int64) {
        histograms.append((refs.count, histogram))
        append(ref, 0, at: time)
    }

    /// Sets the start timestamp of the last appended sample, in ms; 0 is unknown.
    @inlinable
    public mutating func setStart(_ start: Int64) {
        if start != 0, !refs.isEmpty { starts.append((refs.count - 1, start)) }
    }

    /// The number of start timestamps of samples before a position.
    public func firstStart(from index: Int) -> Int {
        var (low, high) = (0, starts.count)
        while low < high {
            let middle = (low + high) / 2
            if starts[middle].index < index { low = middle + 1 } else { high = middle }
        }
        return low
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

    /// Removes the samples, but keeps the memory.
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

/// The reason why a sample was not stored.
public enum SampleRejection: String, Sendable, Hashable {
    /// It is older than the newest sample of its series.
    case outOfOrder = "out of order sample"
    /// The newest sample of its series has the same time and another value.
    case duplicate = "duplicate sample for timestamp"
    /// It is older than the storage accepts.
    case outOfBounds = "out of bounds"
    /// It is older than the out-of-order window.
    case tooOld = "too old sample"
    /// It is a native histogram with inconsistent parts.
    case invalidHistogram = "invalid native histogram"
    /// The storage has samples of too many block windows that are not in blocks yet; it accepts the sample later.
    case tooManyWindows = "too many block windows"
    /// The series was removed: resolve its labels again and append the sample in another batch.
    case unknownSeries = "unknown series reference"
}

/// The result of a commit.
public struct CommitOutcome: Sendable {
    /// The number of stored samples, with those equal to samples that exist already.
    public var appended = 0
    /// The samples that were not stored: position in the batch, and reason.
    public var rejected: [(index: Int, reason: SampleRejection)] = []
    /// The exemplars that were not stored: position among those of the batch, and reason; known exemplars are not
    /// listed.
    public var rejectedExemplars: [(index: Int, reason: ExemplarRejection)] = []
    /// The positions of samples that were newer than all stored samples of their series, but not newer than a sample
    /// before them in the batch; those of them that were not stored are among `rejected`, too.
    public var overtaken: [Int] = []

    public init() {}
}

/// The time when a commit returns.
public enum Durability: Sendable {
    /// As ``written``; while the disk accepts no writes, the samples are kept in memory, are visible to queries, and
    /// are written to disk as soon as possible. For samples that nobody would send again.
    case whenPossible
    /// After the samples were passed to the operating system: they survive a killed process.
    case written
    /// After the samples are on disk: they survive a power failure.
    case synced
}

extension Labels {
    /// The most bytes of the labels of a stored series, in the packed form.
    public static let mostStoredBytes = 48 << 20
}

/// The error of labels that a storage cannot accept for a series; a retry is useless.
public struct UnusableLabels: Error, Sendable, CustomStringConvertible {
    public var description: String

    public init(description: String) { self.description = description }
}

/// The error of samples that a storage cannot accept now, but soon; the sender must try again.
public struct StoreBusy: Error, Sendable, CustomStringConvertible {
    public var description: String

    public init(description: String) { self.description = description }
}

/// An error of a storage that may report that there is no memory now; the client may try again later.
public protocol MemoryShortage: Error {
    var isOutOfMemory: Bool { get }
}

/// The error of a new series for which a storage has no memory, or no more numbers.
///
/// Series that the storage has are still accepted. The series may fit later, when others were removed.
public struct StoreFull: Error, Sendable, CustomStringConvertible {
    /// The limit that was reached.
    public var description: String

    public init(description: String) { self.description = description }
}

/// Stores samples.
///
/// `Storage` implements it, and arrays in tests; several threads may call it at once.
public protocol SampleStore: AnyObject, Sendable {
    /// Announces series that will arrive together. `name` is stable over restarts, for example job and URL.
    func openGroup(_ name: String) -> SeriesGroup

    /// Announces that `group` will have no more samples; its series stay readable.
    func closeGroup(_ group: SeriesGroup)

    /// The series with these labels, made if it is new.
    ///
    /// - Throws: ``UnusableLabels`` if no storage of this kind can accept them, ``StoreFull`` if the series does not fit.
    func resolve(_ labels: Labels, in group: SeriesGroup) throws -> SeriesRef

    /// The series with these labels; nil if there is none.
    func find(_ labels: Labels) -> SeriesRef?

    /// Stores a batch. Throws only if none of it could be stored (a full disk, a storage that is closing).
    func commit(_ batch: borrowing SampleBatch, in group: SeriesGroup, durability: Durability) throws -> CommitOutcome

    /// Stores metadata of metric families.
    func setMetadata(_ metadata: [(metric: String, metadata: MetricMetadata)], in group: SeriesGroup)
}
