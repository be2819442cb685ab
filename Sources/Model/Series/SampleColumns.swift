/// The samples of one series as two columns, in memory that a reader owns and reuses for all series.
public struct SampleColumns: ~Copyable {
    /// Times in ms, ascending; `count` of them are valid.
    public private(set) var timestamps: UnsafeMutablePointer<Int64>
    /// The values of the times; NaN for a histogram.
    public private(set) var values: UnsafeMutablePointer<Double>
    public var count: Int
    public private(set) var capacity: Int
    /// Native histograms by position, ascending; empty for float series.
    public var histograms: [(index: Int, histogram: FloatHistogram)]
    /// The start timestamps of the samples; empty unless they are stored.
    public var starts = StartTimes()
    /// If not 0, series with this key have exactly the same times in this read, so that windows may be computed once.
    public var timestampKey: UInt64
    /// The cost of its reads since it was made.
    public var cost = ReadCost()

    public init(capacity: Int = 256) {
        self.capacity = max(capacity, 16)
        timestamps = .allocate(capacity: self.capacity)
        values = .allocate(capacity: self.capacity)
        count = 0
        histograms = []
        timestampKey = 0
    }

    deinit {
        timestamps.deallocate()
        values.deallocate()
    }

    /// About the bytes of memory that it holds.
    public var heldBytes: Int {
        var bytes = capacity &* 16 &+ histograms.capacity &* 256
        for (_, histogram) in histograms { bytes &+= histogram.sampleCost &* 16 }
        return bytes
    }

    /// Removes the samples, but keeps the memory.
    @inlinable
    public mutating func removeAll() {
        count = 0
        timestampKey = 0
        if !histograms.isEmpty { histograms.removeAll(keepingCapacity: true) }
        if !starts.isEmpty { starts.removeAll() }
    }

    /// Reserves memory for `extra` samples after the existing `count`.
    ///
    /// This invalidates existing pointers.
    public mutating func reserve(_ extra: Int) {
        guard capacity - count < extra else { return }
        let larger = max(capacity * 2, count + extra)
        let newTimestamps = UnsafeMutablePointer<Int64>.allocate(capacity: larger)
        let newValues = UnsafeMutablePointer<Double>.allocate(capacity: larger)
        newTimestamps.update(from: timestamps, count: count)
        newValues.update(from: values, count: count)
        timestamps.deallocate()
        values.deallocate()
        timestamps = newTimestamps
        values = newValues
        capacity = larger
    }

    /// Appends one float sample.
    public mutating func append(_ timestamp: Int64, _ value: Double) {
        reserve(1)
        timestamps[count] = timestamp
        values[count] = value
        count &+= 1
    }

    /// Appends one native histogram.
    public mutating func append(_ timestamp: Int64, _ histogram: FloatHistogram) {
        histograms.append((count, histogram))
        append(timestamp, .nan)
    }
}

/// The cost of reading samples.
public struct ReadCost: Sendable, Hashable {
    /// The number of decoded chunks.
    public var chunks = 0
    /// The encoded bytes of these chunks.
    public var bytes = 0
    /// The number of file parts that were in memory.
    public var cacheHits = 0
    /// The number of file parts that had to be read and decompressed.
    public var cacheMisses = 0

    public init() {}

    public static func += (sum: inout ReadCost, other: ReadCost) {
        sum.chunks &+= other.chunks
        sum.bytes &+= other.bytes
        sum.cacheHits &+= other.cacheHits
        sum.cacheMisses &+= other.cacheMisses
    }

    public static func - (a: ReadCost, b: ReadCost) -> ReadCost {
        var result = a
        result.chunks &-= b.chunks
        result.bytes &-= b.bytes
        result.cacheHits &-= b.cacheHits
        result.cacheMisses &-= b.cacheMisses
        return result
    }
}
