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

    /// Determines the start of the head, from samples of the blocks if necessary.
    func use(_ start: HeadStart) throws {
        minTime = start.possible
        index.use(start.deletions)
        var start = start
        start.exclude(newest: index.newest)
        guard start.isOpen else { return }
        let probes = HeadProbes(index, start)
        try scan(probes)
        let times = probes.found.map { (index.labels[$0.key], $0.value) }
        minTime = try start.settle(Dictionary(times) { $0.union($1) }, files)
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
    private func scan(_ visitor: some HeadVisitor, notesDamage: Bool = false, hasChunks: Bool = true) throws {
        let log = try PrometheusLog()
        func note(_ path: String, _ found: PrometheusLog.Damage?) {
            guard notesDamage, let found else { return }
            damage.append(.init(path: path, offset: found.offset, reason: found.reason, isTornTail: found.isAtEnd))
        }
        let endOfCheckpoint = logs.last { FilePath.parent($0) != directory + "/wal" }
        for (paths, isOutOfOrder) in [(logs, false), (outOfOrderLogs, true)] {
            visitor.isOutOfOrder = isOutOfOrder
            for path in paths {
                let mapping = try files.map(path)
                let found = log.read(mapping.bytes) { record in
                    visitor.beginRecord()
                    try PrometheusRecords.read(record, visitor)
                }
                note(path, found)
                if notesDamage, path == endOfCheckpoint { index.endCheckpoint() }
            }
        }
        if notesDamage {
            index.endLateLog(
                isWhole: !outOfOrderLogs.isEmpty && !damage.contains { outOfOrderLogs.contains($0.path) })
        }
        for path in hasChunks ? headChunks : [] {
            let mapping = try files.map(path)
            visitor.path = path
            note(path, mapping.withBytes { PrometheusHeadChunks.read($0) { visitor.chunk($0) } })
        }
    }

    /// The approximate bytes of samples that are in memory at once.
    package static let portion = 192 << 20

    /// The metadata of metrics.
    package var metadata: [ExactText: MetricMetadata] { index.metadata }

    /// Whether the log of out-of-order samples has some.
    var hasLateSamples: Bool { index.hasLateSamples }

    /// Calls `body` with the labels and samples of each series with samples, sorted by labels.
    ///
    /// - Parameter isOnlyLate: Whether only the log of out-of-order samples is read, which the start of the head does
    ///   not affect.
    package func forEach(
        portion: Int = PrometheusHead.portion, isOnlyLate: Bool = false,
        _ body: (Labels, borrowing SampleColumns) throws -> Void
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
            let samples = HeadSamples(index, order[start..<end], minTime: isOnlyLate ? nil : minTime)
            try scan(samples, hasChunks: !isOnlyLate)
            if !isOnlyLate { refusals += samples.refusals }
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
