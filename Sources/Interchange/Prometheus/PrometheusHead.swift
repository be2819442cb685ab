import Encoding
import Model
import Platform
import Storage

/// The head of a stopped Prometheus: its write-ahead log, its chunks on disk, and its log of out-of-order samples.
///
/// The files are read several times, each time for as many series as fit into memory.
package final class PrometheusHead {
    /// A file that is damaged.
    package struct Damage: Sendable {
        package var path: String
        package var offset: Int
        package var reason: String
        /// Whether no valid data follow it, as after a killed process.
        package var isTornTail: Bool
    }

    private let files: any FileSystem
    private let directory: String
    /// In-order samples before this time are in blocks.
    private var minTime: Int64
    private let logs: [String]
    private let outOfOrderLogs: [String]
    private let headChunks: [String]
    private let index = HeadIndex()
    package private(set) var damage: [Damage] = []

    /// The number of exemplars, which are not read.
    package var exemplars: Int { index.exemplars }
    /// The number of samples of unknown series.
    package var orphans: Int { index.orphans }
    /// The number of histograms with inconsistent parts, and the error of the first.
    package private(set) var refusals = 0
    package private(set) var firstRefusal: String?
    /// The number of chunks with a correct checksum that cannot be read, and the error of the first.
    package private(set) var unreadableChunks = 0
    package private(set) var firstUnreadableChunk: String?
    package var seriesCount: Int { index.labels.count }

    /// Reads the series, and determines the start of the head, from the blocks if necessary.
    convenience init?(_ files: any FileSystem, _ directory: String, start: HeadStart) throws {
        try self.init(files, directory, minTime: start.possible)
        guard start.isOpen else { return }
        let probes = HeadProbes(index, start.certain..<start.possible)
        try scan(probes)
        let times = probes.found.map { (index.labels[$0.key], $0.value) }
        minTime = try start.settle(Dictionary(times) { $0 + $1 }, files)
    }

    /// Reads the series; nil if `directory` has no write-ahead log.
    package init?(_ files: any FileSystem, _ directory: String, minTime: Int64) throws {
        self.files = files
        self.directory = directory
        self.minTime = minTime
        guard try files.exists(directory + "/wal") else { return nil }
        logs = try Self.logs(files, directory + "/wal")
        outOfOrderLogs = try files.exists(directory + "/wbl") ? Self.logs(files, directory + "/wbl") : []
        headChunks =
            try files.exists(directory + "/chunks_head") ? Self.numbered(files, directory + "/chunks_head") : []
        guard !(logs + headChunks).isEmpty else { return nil }
        try scan(index, notesDamage: true)
    }

    /// Files with numeric names, in their order.
    private static func numbered(_ files: any FileSystem, _ directory: String, from first: UInt64 = 0) throws
        -> [String]
    {
        try files.list(directory).compactMap { name -> (UInt64, String)? in
            guard name.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = UInt64(name) else { return nil }
            return (number, directory + "/" + name)
        }
        .filter { $0.0 >= first }.sorted { $0.0 < $1.0 }.map(\.1)
    }

    /// The newest checkpoint and the segments after it.
    private static func logs(_ files: any FileSystem, _ directory: String) throws -> [String] {
        let checkpoints = try files.list(directory).compactMap { name -> (number: UInt64, path: String)? in
            guard name.hasPrefix("checkpoint."), let number = UInt64(name.dropFirst("checkpoint.".count)) else {
                return nil
            }
            return (number, directory + "/" + name)
        }
        guard let newest = checkpoints.max(by: { $0.number < $1.number }) else {
            return try numbered(files, directory)
        }
        return try numbered(files, newest.path)
            + (newest.number < .max ? numbered(files, directory, from: newest.number + 1) : [])
    }

    /// Passes all contents to `visitor`.
    private func scan(_ visitor: some HeadVisitor, notesDamage: Bool = false) throws {
        let log = try PrometheusLog()
        func note(_ path: String, _ found: PrometheusLog.Damage?) {
            guard notesDamage, let found else { return }
            damage.append(.init(path: path, offset: found.offset, reason: found.reason, isTornTail: found.isAtEnd))
        }
        for (paths, isOutOfOrder) in [(logs, false), (outOfOrderLogs, true)] {
            visitor.isOutOfOrder = isOutOfOrder
            for path in paths {
                let mapping = try files.map(path)
                note(path, log.read(mapping.bytes) { try PrometheusRecords.read($0, visitor) })
            }
        }
        for path in headChunks {
            let mapping = try files.map(path)
            visitor.path = path
            note(path, mapping.withBytes { PrometheusHeadChunks.read($0) { visitor.chunk($0) } })
        }
    }

    /// The approximate bytes of samples that are in memory at once.
    package static let portion = 192 << 20

    /// The metadata of metrics.
    package var metadata: [ExactText: MetricMetadata] { index.metadata }

    /// Calls `body` with the labels and samples of each series with samples, sorted by labels.
    package func forEach(
        portion: Int = PrometheusHead.portion, _ body: (Labels, borrowing SampleColumns) throws -> Void
    ) throws {
        let order = index.labels.indices.sorted { index.labels[$0] < index.labels[$1] }
        var columns = SampleColumns()
        var start = 0
        while start < order.count {
            var (end, size) = (start, 0)
            while end < order.count, end == start || size + index.sizes[order[end]] <= portion {
                size += index.sizes[order[end]]
                end += 1
            }
            let samples = HeadSamples(index, order[start..<end], minTime: minTime)
            try scan(samples)
            refusals += samples.refusals
            firstRefusal = firstRefusal ?? samples.firstRefusal.map { "\(directory): \($0)" }
            unreadableChunks += samples.unreadableChunks
            firstUnreadableChunk = firstUnreadableChunk ?? samples.firstUnreadableChunk
            for at in order[start..<end] {
                columns.removeAll()
                samples.fill(at, &columns)
                if columns.count > 0 { try body(index.labels[at], columns) }
            }
            start = end
        }
    }
}

/// Receives the contents of the files of a head.
protocol HeadVisitor: PrometheusRecordVisitor {
    /// Whether the following contents are from the log of out-of-order samples.
    var isOutOfOrder: Bool { get set }
    /// The file of the chunks.
    var path: String { get set }
    func chunk(_ chunk: PrometheusHeadChunks.Chunk)
}

/// The series of a head, and the size of each.
final class HeadIndex: HeadVisitor {
    var isOutOfOrder = false
    var path = ""
    private(set) var labels: [Labels] = []
    /// The approximate bytes of the samples of each series in ``HeadSamples``.
    private(set) var sizes: [Int] = []
    private(set) var numbers: [UInt64: Int] = [:]
    private(set) var metadata: [ExactText: MetricMetadata] = [:]
    private(set) var tombstones: [Int: [(minTime: Int64, maxTime: Int64)]] = [:]
    private(set) var exemplars = 0
    private(set) var orphans = 0
    private var known: [Labels: Int] = [:]

    func series(_ reference: UInt64, _ labels: Labels) {
        guard numbers[reference] == nil else { return }
        // A series that disappeared and returned has another reference.
        if let number = known[labels] {
            numbers[reference] = number
            return
        }
        numbers[reference] = self.labels.count
        known[labels] = self.labels.count
        self.labels.append(labels)
        sizes.append(64)
    }

    private func count(_ reference: UInt64, _ bytes: Int, samples: Int = 1) {
        if let number = numbers[reference] { sizes[number] += bytes } else { orphans += samples }
    }

    func sample(_ reference: UInt64, _ time: Int64, _ value: Double, start: Int64) {
        count(reference, MemoryLayout<HeadSamples.Sample>.stride)
    }

    func histogram(_ reference: UInt64, _ time: Int64, _ histogram: FloatHistogram, start: Int64) {
        count(
            reference, 256 + 8 * (histogram.positiveBuckets.count + histogram.negativeBuckets.count))
    }

    func chunk(_ chunk: PrometheusHeadChunks.Chunk) {
        let isFloat = chunk.encoding == 1 || chunk.encoding == 4
        count(chunk.reference, chunk.count * (isFloat ? 32 : 1024), samples: chunk.count)
    }

    func tombstone(_ reference: UInt64, _ from: Int64, _ to: Int64) {
        if let number = numbers[reference] { tombstones[number, default: []].append((from, to)) }
    }

    func metadata(_ reference: UInt64, _ metadata: MetricMetadata) {
        guard let number = numbers[reference], let name = labels[number][Labels.nameLabel] else { return }
        self.metadata[ExactText(name)] = metadata
    }

    func exemplarRecord() { self.exemplars += 1 }
}

/// The samples of some series of a head.
final class HeadSamples: HeadVisitor {
    struct Sample {
        var time: Int64
        var value: Double
        /// The position of a histogram; −1 for a float.
        var histogram: Int32
        var start: Int64
    }

    private struct Row {
        /// The samples of the log, in the order of time.
        var logged: [Sample] = []
        /// The samples of chunks with in-order samples.
        var chunked: [Sample] = []
        var outOfOrder: [Sample] = []
    }

    var isOutOfOrder = false
    var path = ""
    private(set) var refusals = 0
    private(set) var firstRefusal: String?
    private(set) var unreadableChunks = 0
    private(set) var firstUnreadableChunk: String?
    private let index: HeadIndex
    private let minTime: Int64
    private var rows: [Row]
    private var places: [Int: Int] = [:]
    private var histograms: [FloatHistogram] = []

    init(_ index: HeadIndex, _ series: ArraySlice<Int>, minTime: Int64) {
        self.index = index
        self.minTime = minTime
        rows = [Row](repeating: Row(), count: series.count)
        for (place, number) in series.enumerated() { places[number] = place }
    }

    private func place(_ reference: UInt64) -> Int? { index.numbers[reference].flatMap { places[$0] } }

    private func add(_ sample: Sample, _ reference: UInt64) {
        guard let place = place(reference) else { return }
        if isOutOfOrder {
            rows[place].outOfOrder.append(sample)
        } else if sample.time >= minTime, rows[place].logged.last.map({ $0.time < sample.time }) ?? true {
            // Prometheus, too, reads only ascending times from the log: the others are in the other log, if they were
            // stored.
            rows[place].logged.append(sample)
        }
    }

    /// The position of a histogram in the form in which it is stored; nil if its parts are inconsistent.
    private func keep(_ histogram: FloatHistogram, at time: Int64) -> Int32? {
        guard histograms.count < Int(Int32.max) else { return nil }
        do throws(FloatHistogram.ValidationError) {
            histograms.append(try histogram.accepted())
            return Int32(histograms.count - 1)
        } catch {
            refusals += 1
            firstRefusal = firstRefusal ?? "at \(time) ms: \(error)"
            return nil
        }
    }

    func series(_ reference: UInt64, _ labels: Labels) {}
    func tombstone(_ reference: UInt64, _ from: Int64, _ to: Int64) {}
    func metadata(_ reference: UInt64, _ metadata: MetricMetadata) {}
    func exemplarRecord() {}

    func sample(_ reference: UInt64, _ time: Int64, _ value: Double, start: Int64) {
        add(Sample(time: time, value: value, histogram: -1, start: start), reference)
    }

    func histogram(_ reference: UInt64, _ time: Int64, _ histogram: FloatHistogram, start: Int64) {
        guard place(reference) != nil else { return }
        if Staleness.isMarker(histogram.sum) {
            return add(Sample(time: time, value: Staleness.marker, histogram: -1, start: start), reference)
        }
        guard let at = keep(histogram, at: time) else { return }
        add(Sample(time: time, value: .nan, histogram: at, start: start), reference)
    }

    func chunk(_ chunk: PrometheusHeadChunks.Chunk) {
        guard let place = place(chunk.reference), chunk.isOutOfOrder || chunk.maxTime >= minTime else { return }
        var columns = SampleColumns()
        // The samples of a chunk that cannot be read are mostly in the log, too.
        do throws(DecodeError) {
            try PrometheusChunk.read(chunk.encoding, chunk.bytes, into: &columns)
        } catch {
            unreadableChunks += 1
            firstUnreadableChunk = firstUnreadableChunk ?? "\(path): at \(chunk.offset): \(error)"
            return
        }
        var next = 0
        for i in 0..<columns.count {
            let time = columns.timestamps[i]
            var sample = Sample(
                time: time, value: columns.values[i], histogram: -1, start: columns.starts.start(at: time))
            if next < columns.histograms.count, columns.histograms[next].index == i {
                guard let at = keep(columns.histograms[next].histogram, at: time) else {
                    next += 1
                    continue
                }
                sample.histogram = at
                next += 1
            }
            if chunk.isOutOfOrder {
                rows[place].outOfOrder.append(sample)
            } else if time >= minTime {
                rows[place].chunked.append(sample)
            }
        }
    }

    /// Appends the samples of series `number` in the order of time.
    ///
    /// If several have the same time, the first stored one is used.
    func fill(_ number: Int, _ columns: inout SampleColumns) {
        guard let place = places[number] else { return }
        let row = rows[place]
        rows[place] = Row()
        var samples = Self.merge(Self.merge(row.logged, row.chunked), row.outOfOrder)
        if let ranges = index.tombstones[number] {
            samples.removeAll { sample in ranges.contains { $0.minTime <= sample.time && sample.time <= $0.maxTime } }
        }
        for sample in samples {
            if sample.histogram >= 0 {
                columns.append(sample.time, histograms[Int(sample.histogram)])
            } else {
                columns.append(sample.time, sample.value)
            }
            columns.starts.append(sample.start, from: sample.time)
        }
    }

    /// Merges both in the order of time.
    ///
    /// At the same time the sample of `first` is used, and of several in `second` the earlier one.
    private static func merge(_ first: [Sample], _ second: [Sample]) -> [Sample] {
        if second.isEmpty { return first }
        let order = second.indices.sorted { (second[$0].time, $0) < (second[$1].time, $1) }
        var result: [Sample] = []
        result.reserveCapacity(first.count + second.count)
        var at = 0
        for sample in first {
            while at < order.count, second[order[at]].time < sample.time {
                if result.last?.time != second[order[at]].time { result.append(second[order[at]]) }
                at += 1
            }
            while at < order.count, second[order[at]].time == sample.time { at += 1 }
            result.append(sample)
        }
        while at < order.count {
            if result.last?.time != second[order[at]].time { result.append(second[order[at]]) }
            at += 1
        }
        return result
    }
}
