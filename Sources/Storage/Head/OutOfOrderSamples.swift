import Model

/// An out-of-order sample, which is stored beside the chunks until its window becomes a block.
struct OutOfOrderSample: Timed, Hashable {
    /// A histogram, which is stored apart so that a float needs little memory.
    private final class Box: Sendable {
        let histogram: FloatHistogram

        init(_ histogram: FloatHistogram) { self.histogram = histogram }
    }

    var time: Int64
    var value: Double
    private var box: Box?

    var histogram: FloatHistogram? { box?.histogram }

    init(time: Int64, value: Double, histogram: FloatHistogram? = nil) {
        self.time = time
        self.value = value
        box = histogram.map { Box($0) }
    }

    /// Whether both are one sample; a sample that has replaced another one of its time differs from it.
    static func == (a: Self, b: Self) -> Bool {
        a.time == b.time && a.value.bitPattern == b.value.bitPattern && a.box === b.box
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(time)
        hasher.combine(value.bitPattern)
    }
}

/// The out-of-order samples of a series.
typealias OutOfOrderSamples = SortedBlocks<OutOfOrderSample>

extension OutOfOrderSamples {
    /// Adds a sample, which replaces one of the same time.
    ///
    /// - Returns: The number of samples and blocks that were moved.
    @discardableResult
    mutating func add(_ sample: OutOfOrderSample) -> Int {
        let position = position(after: sample.time)
        if let known = element(before: position), known.time == sample.time {
            replace(before: position, with: sample)
            return 0
        }
        return insert(sample, at: position)
    }

    /// The samples of a range of times.
    func elements(in window: Range<Int64>) -> [OutOfOrderSample] {
        window.isEmpty ? [] : elements(from: window.lowerBound, to: window.upperBound - 1)
    }
}

extension Head {
    /// Adds an out-of-order sample beside the chunks; of several samples of a time, the last one is answered.
    ///
    /// A replay of the log adds the samples of blocks again whose checkpoint was not written: what came later replaces
    /// them as it did then. Needs the group's lock.
    func addOutOfOrder(_ id: UInt32, _ time: Int64, _ value: Double, _ histogram: FloatHistogram?, _ group: HeadGroup) {
        group.lock.assertHeld()
        group.outOfOrder[id, default: OutOfOrderSamples()].add(
            OutOfOrderSample(time: time, value: value, histogram: histogram))
    }

    /// Adds the ends of the windows of out-of-order samples to `ends`.
    func addWindows(of samples: OutOfOrderSamples, to ends: inout Set<Int64>) {
        var next = samples.first
        while let sample = next {
            let end = windowEnd(sample.time)
            ends.insert(end)
            next = samples.element(after: samples.position(after: max(sample.time, end &- 1)))
        }
    }
}
