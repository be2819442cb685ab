import Model

/// Splits the native histograms of a series into chunks as Prometheus's head does.
///
/// All histograms of a chunk have one layout: if a later one has new buckets, the earlier ones get them as empty
/// buckets. A chunk ends with a range of two hours, and before that at about 1,024 bytes, which is predicted when it
/// has 256. It also ends where a counter was reset, buckets are missing, schema, threshold or bounds change, the counts
/// change from integers to floats, gauges and counters alternate, or a series continues after a stale marker.
/// (`histogramsAppendPreprocessor` in `tsdb/head_append.go` and `appendable` in `tsdb/chunkenc/histogram.go` of
/// Prometheus's sources have the rules.)
package struct HistogramChunker {
    /// A complete chunk.
    package struct Chunk {
        package var minTime: Int64
        package var maxTime: Int64
        package var count: Int
        package var isFloat: Bool
        package var layout: HistogramLayout
        package var bytes: [UInt8]
    }

    private static let range: Int64 = 7_200_000
    private static let targetBytes = 1024
    private static let leastSamples = 10

    /// The complete chunks, in order of time.
    package private(set) var chunks: [Chunk] = []
    private var open: OpenHistogramChunk?
    /// The time when the open chunk ends.
    private var end: Int64 = 0
    /// Whether that was predicted, for this chunk or for a chunk before it that did not end by its size or time.
    private var isPredicted = false

    package init() {}

    /// Appends a histogram, which may be a stale marker, with a later time than the one before.
    package mutating func append(_ histogram: FloatHistogram, at time: Int64) {
        let isStale = Staleness.isMarker(histogram.sum)
        let isFloat: Bool
        if isStale, let open {
            isFloat = open.isFloat
        } else {
            isFloat = histogram.hasFloatCounts || !histogram.hasWholeCounts
        }
        if let open, open.isFloat != isFloat || isFull(open, at: time) {
            breakOff()
        }
        if open?.append(histogram, at: time) == true { return }
        cut()
        open = OpenHistogramChunk(histogram, at: time, isFloat: isFloat)
        end = Self.rangeEnd(time)
    }

    /// Appends the histograms of `columns` from position `at` on, and the stale markers after them, until a float.
    ///
    /// - Parameters:
    ///   - at: Is set to the float, or after the last sample.
    ///   - next: The first histogram from `at` on among `columns.histograms`; is advanced.
    package mutating func append(_ columns: borrowing SampleColumns, _ at: inout Int, _ next: inout Int) {
        while at < columns.count {
            if next < columns.histograms.count, columns.histograms[next].index == at {
                append(columns.histograms[next].histogram, at: columns.timestamps[at])
                next += 1
            } else if open != nil, Staleness.isMarker(columns.values[at]) {
                append(FloatHistogram(sum: Staleness.marker), at: columns.timestamps[at])
            } else {
                return
            }
            at += 1
        }
    }

    /// Ends the open chunk before samples of another kind.
    package mutating func breakOff() {
        cut()
        isPredicted = false
    }

    /// Ends the open chunk.
    package mutating func cut() {
        if let open { chunks.append(open.chunk) }
        open = nil
    }

    private mutating func isFull(_ open: OpenHistogramChunk, at time: Int64) -> Bool {
        let mustEnd = isPredicted ? Self.rangeEnd(open.minTime) : end
        let size = open.size
        if !isPredicted, size >= Self.targetBytes / 4 {
            end = Self.predictedEnd(
                from: open.minTime, to: open.maxTime, before: end, ratio: Double(Self.targetBytes) / Double(size))
            isPredicted = true
        }
        return (time >= end || size >= 2 * Self.targetBytes) && (open.count >= Self.leastSamples || time >= mustEnd)
    }

    /// The end of the range that contains `time`.
    package static func rangeEnd(_ time: Int64) -> Int64 {
        let (end, overflow) = rangeStart(time).addingReportingOverflow(range)
        return overflow ? .max : end
    }

    /// The start of the range that contains `time`.
    package static func rangeStart(_ time: Int64) -> Int64 { time / range * range }

    /// The end of a chunk whose part `1 / ratio` was filled from `start` to `now`, such that the chunks of a range have
    /// the same length.
    private static func predictedEnd(from start: Int64, to now: Int64, before limit: Int64, ratio: Double) -> Int64 {
        let left = Double(limit &- start)
        let parts = left / (Double(now &- start &+ 1) * ratio)
        guard parts > 1, let end = Int64(exactly: (Double(start) + left / parts.rounded(.down)).rounded(.towardZero))
        else { return limit }
        return end
    }
}

/// The open chunk.
private struct OpenHistogramChunk {
    let minTime: Int64
    private(set) var maxTime: Int64
    let isFloat: Bool
    private let flag: UInt8
    private var layout: HistogramLayout
    private var writer: HistogramChunkWriter
    /// All histograms so far, in their original layouts.
    private var samples: [(time: Int64, histogram: FloatHistogram)]
    /// The newest histogram, in the chunk's layout.
    private var last: FloatHistogram

    init(_ histogram: FloatHistogram, at time: Int64, isFloat: Bool) {
        let histogram = Staleness.isMarker(histogram.sum) ? FloatHistogram(sum: histogram.sum) : histogram
        (minTime, maxTime) = (time, time)
        self.isFloat = isFloat
        flag = PrometheusChunk.ResetFlag.of(histogram)
        layout = HistogramLayout(histogram)
        writer = HistogramChunkWriter(layout, isFloat: isFloat, flag: flag)
        last = layout.widen(histogram)
        samples = [(time, histogram)]
        writer.append(last, at: time)
    }

    var count: Int { samples.count }
    var size: Int { writer.size }

    var chunk: HistogramChunker.Chunk {
        HistogramChunker.Chunk(
            minTime: minTime, maxTime: maxTime, count: count, isFloat: isFloat, layout: layout, bytes: writer.bytes)
    }

    /// Appends a histogram.
    ///
    /// If it must begin a new chunk, returns false and changes nothing.
    mutating func append(_ histogram: FloatHistogram, at time: Int64) -> Bool {
        let isGauge = histogram.resetHint == .gauge
        guard isGauge == (flag == PrometheusChunk.ResetFlag.gauge), histogram.resetHint != .reset else { return false }
        if !Staleness.isMarker(histogram.sum) {
            guard !Staleness.isMarker(last.sum),
                isGauge || !(histogram.count < last.count || histogram.zeroCount < last.zeroCount),
                let wider = layout.widened(for: histogram, from: last, isGauge: isGauge)
            else { return false }
            let isWider =
                wider.positiveCount != layout.positiveCount || wider.negativeCount != layout.negativeCount
            last = wider.widen(histogram)
            if isWider { rewrite(wider) }
        } else {
            last = FloatHistogram(sum: histogram.sum)
        }
        samples.append((time, histogram))
        writer.append(last, at: time)
        maxTime = time
        return true
    }

    /// Writes the chunk again in a layout with more buckets.
    private mutating func rewrite(_ wider: HistogramLayout) {
        layout = wider
        writer = HistogramChunkWriter(layout, isFloat: isFloat, flag: flag)
        for (time, histogram) in samples { writer.append(layout.widen(histogram), at: time) }
    }
}

extension FloatHistogram {
    /// Whether all counts are integers that floats represent exactly.
    var hasWholeCounts: Bool {
        func isWhole(_ value: Double) -> Bool { value >= 0 && value <= 0x1p53 && value == value.rounded() }
        return isWhole(count) && isWhole(zeroCount) && positiveBuckets.allSatisfy(isWhole)
            && negativeBuckets.allSatisfy(isWhole)
    }
}
