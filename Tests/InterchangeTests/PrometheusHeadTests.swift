import Encoding
import Glibc
import Model
import Platform
import Storage
import TestSupport
import Testing

@testable import Interchange

/// Logs of a Prometheus that are written here after the description of the format.
@Suite struct PrometheusHeadTests {
    private let start: Int64 = 1_700_000_000_000

    private func store(_ files: FaultyFileSystem) throws -> TimeSeriesStore {
        try TimeSeriesStore.open(
            options: StoreOptions(directory: "store", retentionTime: 0, runsInBackground: false), fileSystem: files,
            clock: ManualClock(now: start))
    }

    private func put(_ files: FaultyFileSystem, _ path: String, _ content: [UInt8]) throws {
        try files.createDirectory(FilePath.parent(path))
        try files.open(path, .replace).write(content)
    }

    private func series(_ references: ClosedRange<UInt64>) -> [UInt8] {
        var record = PrometheusBytes([1])
        for reference in references {
            record.big64(reference)
            record.varint(2)
            for text in ["__name__", "m", "s", "\(reference)"] { record.text(text) }
        }
        return record.bytes
    }

    private func samples(_ list: [(reference: UInt64, step: Int64, value: Double)]) -> [UInt8] {
        var record = PrometheusBytes([2])
        record.big64(list.first?.reference ?? 0)
        record.big64(UInt64(bitPattern: start))
        for sample in list {
            record.zigzag(Int64(bitPattern: sample.reference &- (list.first?.reference ?? 0)))
            record.zigzag(sample.step * 1000)
            record.float(sample.value)
        }
        return record.bytes
    }

    private func tombstone(_ reference: UInt64, _ steps: ClosedRange<Int64>) -> [UInt8] {
        var record = PrometheusBytes([3])
        record.big64(reference)
        record.zigzag(start + steps.lowerBound * 1000)
        record.zigzag(start + steps.upperBound * 1000)
        return record.bytes
    }

    private func segment(_ records: [[UInt8]], _ compression: UInt8 = 0) throws -> [UInt8] {
        var segment = PrometheusSegment()
        for record in records {
            var content = record
            if compression == 8 { content = SnappyBlock.compress(record) }
            if compression == 16 {
                content = []
                try record.withUnsafeBytes { try ZstdCompressor().compress($0, level: 1, to: &content) }
            }
            segment.append(content, compression: compression)
        }
        return segment.bytes
    }

    private func content(_ store: TimeSeriesStore) throws -> [String] {
        let set = try store.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
        var columns = SampleColumns()
        var result: [String] = []
        for i in 0..<set.count {
            try set.read(i, into: &columns)
            for at in 0..<columns.count {
                let time = (columns.timestamps[at] - start) / 1000
                let value = columns.histograms.first { $0.index == at }.map { "\($0.histogram)" }
                let from = columns.starts.start(at: columns.timestamps[at])
                result.append(
                    "\(set.labels(i)["s"] ?? "") \(time) \(value ?? "\(columns.values[at])")"
                        + (from == 0 ? "" : " from \((from - start) / 1000)"))
            }
        }
        return result
    }

    @Test(arguments: [UInt8(0), 8, 16])
    func `a log with a checkpoint is taken in every compression, and again adds nothing`(compression: UInt8) throws {
        let files = FaultyFileSystem()
        // The old segment is in the checkpoint already; a torn checkpoint does not count.
        try put(files, "p/wal/00000001", try segment([series(9...9), samples([(9, 0, 9)])], compression))
        try put(files, "p/wal/checkpoint.00000001/00000000", try segment([series(1...1500)], compression))
        try put(files, "p/wal/checkpoint.00000003.tmp/00000000", [1, 2, 3])
        let all = (1...UInt64(1500)).map { (reference: $0, step: Int64(5), value: Double($0)) }
        try put(
            files, "p/wal/00000002",
            try segment(
                [samples(all), samples([(1, 6, 2), (1, 7, 3), (1, 8, 4), (2, 6, 5)]), tombstone(1, 6...7)], compression)
        )
        try put(files, "p/wbl/00000000", try segment([samples([(2, 3, -1), (2, 1, -2), (2, 3, -3)])], compression))
        let target = try store(files)
        let report = try BlockImport.run("p", into: target, files: files)
        #expect(report.damage.isEmpty && report.failures.isEmpty && report.orphans == 0)
        let found = try content(target)
        #expect(found.count == 1500 + 1 + 3)
        #expect(found.filter { $0.hasPrefix("1 ") } == ["1 5 1.0", "1 8 4.0"])
        #expect(found.filter { $0.hasPrefix("2 ") } == ["2 1 -2.0", "2 3 -3.0", "2 5 2.0", "2 6 5.0"])
        let before = target.blocks.count
        #expect(try BlockImport.run("p", into: target, files: files).added == 0)
        #expect(target.blocks.count == before)
        #expect(try content(target) == found)
    }

    /// A merged block that ends at minute 480 says nothing of how far the head was compacted, since a part of it may
    /// have come out of order.
    @Test(arguments: [0, 1, 2, 3], [true, false])
    func `the head is taken from where it was compacted, also behind a merged block`(
        windows: Int64, isDeleted: Bool
    ) throws {
        let files = FaultyFileSystem()
        let compacted = 480 - windows * 120
        let labels = { (s: Int) in Labels([("__name__", "m"), ("s", "\(s)")]) }
        try files.createDirectory("p")
        let id = "01HF7GZ8M00000000000000000"
        let writer = try PrometheusBlockWriter(
            files, parent: "p", id: id, symbols: ["__name__", "m", "s", "1", "2"])
        for s in [1, 2] {
            var columns = SampleColumns()
            for minute in 0..<Int64(480) {
                // What was deleted in the block is still in the log.
                let isThere = minute < compacted && !(isDeleted && (100..<110).contains(minute))
                if isThere { columns.append(start + minute * 60_000, Double(minute)) }
                if minute % 120 == 119, s == 1 { columns.append(start + minute * 60_000 + 20_000, -1) }
            }
            try writer.add(labels(s), columns)
        }
        _ = try writer.finish()
        try files.replace(
            "p/\(id)/meta.json",
            with: Array(
                #"{"ulid":"\#(id)","minTime":\#(start),"maxTime":\#(start + 480 * 60_000),"compaction":{"level":3}}"#
                    .utf8))
        var list: [(reference: UInt64, step: Int64, value: Double)] = []
        for minute in 0..<Int64(500) { for s: UInt64 in [1, 2] { list.append((s, minute * 60, Double(minute))) } }
        // The log has samples out of order, too.
        list.append((1, 119 * 60 + 20, -1))
        try put(files, "p/wal/00000000", try segment([series(1...2), samples(list)]))
        let target = try store(files)
        _ = try BlockImport.run("p", into: target, files: files)
        var expected: [String] = []
        for s in [1, 2] {
            for minute in 0..<500 {
                if !(isDeleted && (100..<110).contains(minute)) {
                    expected.append("\(s) \(minute * 60) \(Double(minute))")
                }
                if minute % 120 == 119, minute < 480, s == 1 { expected.append("1 \(minute * 60 + 20) -1.0") }
            }
        }
        #expect(try content(target) == expected)
        #expect(try BlockImport.run("p", into: target, files: files).added == 0)
    }

    /// A chunk of out-of-order samples of series `reference`, one for each step.
    private func lateChunk(_ file: inout PrometheusHeadChunkFile, _ reference: UInt64, _ steps: [Int64]) {
        let (times, values) = (steps.map { start + $0 * 1000 }, steps.map { Double($0) })
        let data = times.withUnsafeBufferPointer { times in
            values.withUnsafeBufferPointer { PrometheusChunk.floats(times, $0) }
        }
        guard let first = times.first, let last = times.last else { return }
        file.append(reference, first...last, encoding: PrometheusChunk.xor, isOutOfOrder: true, data)
    }

    @Test func `a tombstone applies to what is before it in the log, in order or late`() throws {
        let files = FaultyFileSystem()
        try put(
            files, "p/wal/00000000",
            try segment([
                series(1...1), samples((0..<8).map { (1, $0 * 10, 1) }), samples([(1, 15, 2), (1, 25, 2)]),
                tombstone(1, 10...50), samples([(1, 25, 3), (1, 30, 3), (1, 35, 3)]),
            ]))
        try put(
            files, "p/wbl/00000000",
            try segment([samples([(1, 15, 2), (1, 25, 2)]), samples([(1, 30, 3), (1, 35, 3)])]))
        let target = try store(files)
        _ = try BlockImport.run("p", into: target, files: files)
        // Of two samples with the same time, Prometheus keeps the first.
        #expect(
            try content(target) == ["1 0 1.0", "1 25 2.0", "1 30 3.0", "1 35 3.0", "1 60 1.0", "1 70 1.0"])
    }

    /// Prometheus writes such a tombstone when a stale series leaves its head.
    @Test func `the tombstone of a whole series spares the series that returned with its labels`() throws {
        let files = FaultyFileSystem()
        var stone = PrometheusBytes([3])
        stone.big64(1)
        stone.zigzag(.min)
        stone.zigzag(.max)
        var again = PrometheusBytes([1])
        again.big64(2)
        again.varint(2)
        for text in ["__name__", "m", "s", "1"] { again.text(text) }
        try put(
            files, "p/wal/00000000",
            try segment([
                series(1...1), samples([(1, 0, 1), (1, 1, 1)]), stone.bytes, again.bytes, samples([(2, 5, 2)]),
            ]))
        let target = try store(files)
        _ = try BlockImport.run("p", into: target, files: files)
        #expect(try content(target) == ["1 5 2.0"])
    }

    /// A compaction empties the log of out-of-order samples, but leaves their chunks for some time.
    @Test(arguments: [true, false])
    func `late samples that were compacted and deleted do not come back`(hasLateLog: Bool) throws {
        let files = FaultyFileSystem()
        // Those of series 2 are newer than all before of their series, so that the log has them in order.
        try put(
            files, "p/wal/00000000",
            try segment([series(1...2), samples([(1, 0, 1), (1, 900, 1), (1, 10, 10), (2, 20, 20), (2, 30, 30)])]))
        if hasLateLog { try put(files, "p/wbl/00000001", []) }
        var chunks = PrometheusHeadChunkFile()
        lateChunk(&chunks, 1, [10])
        lateChunk(&chunks, 2, [20, 30])
        try put(files, "p/chunks_head/000001", chunks.bytes)
        let target = try store(files)
        let report = try BlockImport.run("p", into: target, files: files)
        #expect(report.orphans == 0)
        let late = hasLateLog ? [] : ["1 10 10.0"]
        let found = try content(target)
        #expect(found == ["1 0 1.0"] + late + ["1 900 1.0"] + (hasLateLog ? [] : ["2 20 20.0", "2 30 30.0"]))
    }

    @Test func `a chunk has late samples that their log has under an unknown series`() throws {
        let files = FaultyFileSystem()
        try put(files, "p/wal/00000000", try segment([series(1...1), samples([(1, 0, 1), (1, 900, 1)])]))
        try put(files, "p/wbl/00000001", try segment([samples([(7, 10, 10), (7, 20, 20)])]))
        var chunks = PrometheusHeadChunkFile()
        lateChunk(&chunks, 1, [5, 10, 20, 30])
        try put(files, "p/chunks_head/000001", chunks.bytes)
        let target = try store(files)
        _ = try BlockImport.run("p", into: target, files: files)
        #expect(try content(target) == ["1 0 1.0", "1 10 10.0", "1 20 20.0", "1 900 1.0"])
    }

    /// Prometheus answers what its head has beside a block that promtool made of older data, until it starts again.
    @Test(arguments: [500, 490, 300]) func `a block that promtool made hides nothing of the head`(end: Int64) throws {
        let files = FaultyFileSystem()
        try files.createDirectory("p")
        let id = "01HF7GZ8M00000000000000000"
        let writer = try PrometheusBlockWriter(files, parent: "p", id: id, symbols: ["__name__", "old", "s", "9"])
        var columns = SampleColumns()
        for minute in 200..<end { columns.append(start + minute * 60_000, 1) }
        try writer.add(Labels([("__name__", "old"), ("s", "9")]), columns)
        _ = try writer.finish()
        try files.replace(
            "p/\(id)/meta.json",
            with: Array(
                #"{"ulid":"\#(id)","minTime":\#(start),"maxTime":\#(start + end * 60_000 - 59_999)}"#.utf8))
        let list = (360..<500).map { (reference: UInt64(1), step: Int64($0 * 60), value: 2.0) }
        try put(files, "p/wal/00000000", try segment([series(1...1), samples(list)]))
        let target = try store(files)
        _ = try BlockImport.run("p", into: target, files: files)
        #expect(try content(target).filter { $0.hasPrefix("1 ") }.count == 140)
    }

    /// Writes a merged block that does not tell how far the head was compacted, and a log with its samples and others.
    private func mergedBlock(_ files: FaultyFileSystem, _ name: String) throws -> String {
        let id = "01HF7GZ8M00000000000000001"
        try files.createDirectory("p")
        let writer = try PrometheusBlockWriter(files, parent: "p", id: id, symbols: ["__name__", "m", "s", "1"])
        var columns = SampleColumns()
        for step in 0..<4 { columns.append(start + Int64(step) * 1000, 1) }
        try writer.add(Labels([("__name__", "m"), ("s", "1")]), columns)
        _ = try writer.finish()
        let end = start + 7_200_000
        try files.replace(
            "p/\(id)/meta.json",
            with: Array(
                #"{"ulid":"\#(id)","minTime":\#(start),"maxTime":\#(end),"compaction":{"level":2}}"#.utf8))
        let list = (0..<6).map { (reference: UInt64(1), step: Int64($0), value: 2.0) }
        try put(files, "p/wal/00000000", try segment([series(1...1), samples(list), samples([(1, 7300, 3)])]))
        if name != id { try files.rename("p/\(id)", to: "p/\(name)") }
        return "p/" + name
    }

    @Test func `a block that is not selected and cannot be read keeps the head out`() throws {
        let files = FaultyFileSystem()
        let block = try mergedBlock(files, "01HF7GZ8M00000000000000001")
        let selection = BlockImport.Selection(times: (start + 7_250_000)...Int64.max)
        // The index is read when the block is opened, and again when the head is compared with it.
        files.failReads(of: block + "/index", code: EMFILE, after: 1)
        let target = try store(files)
        let report = try BlockImport.run("p", into: target, selection: selection, files: files)
        #expect(report.blocksOutside == 1 && report.isHeadLeftOut && !report.hasHead && report.samples == 0)
        #expect(report.failures.map(\.directory) == [block])
        files.heal()
        let next = try BlockImport.run("p", into: target, selection: selection, files: files)
        #expect(next.failures.isEmpty && next.hasHead && !next.isHeadLeftOut)
        #expect(try content(target) == ["1 7300 3.0"])
    }

    @Test func `a renamed block is none, and the head is taken as if it had never been there`() throws {
        let files = FaultyFileSystem()
        _ = try mergedBlock(files, "01HF7GZ8M00000000000000001.damaged")
        let target = try store(files)
        let report = try BlockImport.run("p", into: target, files: files)
        #expect(report.failures.isEmpty && report.blocks == 0 && report.hasHead)
        #expect(try content(target) == (0..<6).map { "1 \($0) 2.0" } + ["1 7300 3.0"])
    }

    @Test func `records with start timestamps are taken with them`() throws {
        let files = FaultyFileSystem()
        var record = PrometheusBytes([11])
        record.zigzag(1)
        record.zigzag(start)
        record.zigzag(start - 5000)
        record.float(1)
        for (reference, time, mark, value) in [
            (Int64(0), Int64(1000), UInt8(1), 2.0), (1, 2000, 2, 3), (-1, 3000, 0, 4),
        ] {
            record.zigzag(reference)
            record.zigzag(time)
            record.byte(mark)
            if mark == 2 { record.zigzag(1000) }
            record.float(value)
        }
        try put(files, "p/wal/00000000", try segment([series(1...2), record.bytes]))
        let target = try store(files)
        _ = try BlockImport.run("p", into: target, files: files)
        #expect(try content(target) == ["1 0 1.0 from -5", "1 1 2.0 from -5", "1 3 4.0", "2 2 3.0 from -4"])
    }

    @Test func `a chunk that cannot be read is named, and the log has its samples`() throws {
        let files = FaultyFileSystem()
        try put(files, "p/wal/00000000", try segment([series(1...1), samples([(1, 0, 1), (1, 1, 2)])]))
        var chunks = PrometheusHeadChunkFile()
        chunks.append(1, start...(start + 1000), encoding: 7, [0, 2, 1, 2, 3, 4])
        try put(files, "p/chunks_head/000001", chunks.bytes)
        let target = try store(files)
        let report = try BlockImport.run("p", into: target, files: files)
        #expect(report.unreadableChunks == 1 && report.refused == 0)
        let reason = try #require(report.firstUnreadableChunk)
        #expect(reason.contains("p/chunks_head/000001: at 8:") && reason.contains("7"), "\(reason)")
        #expect(try content(target) == ["1 0 1.0", "1 1 2.0"])
    }

    @Test func `a checkpoint with the largest number, and times of all years, are no trouble`() throws {
        let files = FaultyFileSystem()
        var record = PrometheusBytes([2])
        record.big64(1)
        record.big64(UInt64(bitPattern: Int64.min))
        for (time, value) in [(Int64(0), 1.0), (.max, 2), (1, 3)] {
            record.zigzag(0)
            record.zigzag(time)
            record.float(value)
        }
        var last = PrometheusBytes([2])
        last.big64(1)
        last.big64(UInt64(bitPattern: Int64.max - 1))
        last.zigzag(0)
        last.zigzag(0)
        last.float(4)
        try put(
            files, "p/wal/checkpoint.\(UInt64.max)/00000000",
            try segment([series(1...1), record.bytes, samples([(1, 3, 3)]), last.bytes]))
        let target = try store(files)
        let report = try BlockImport.run("p", into: target, files: files)
        #expect(report.impossibleTimes == 2)
        #expect(try content(target).last == "1 3 3.0")
    }

    @Test func `what a record is decompressed to is bounded by its size`() throws {
        let files = FaultyFileSystem()
        let bomb = [UInt8](repeating: 0, count: 4 << 20)
        try put(files, "p/wal/00000000", try segment([series(1...1), samples([(1, 0, 1)]), bomb], 16))
        let target = try store(files)
        let report = try BlockImport.run("p", into: target, files: files)
        #expect(report.damage.count == 1 && report.damage[0].reason.contains("more than"))
        #expect(try content(target) == ["1 0 1.0"])
    }

    @Test func `damage anywhere in a log loses no more than it touches, and is named`() throws {
        let files = FaultyFileSystem()
        let records = [series(1...20)] + (0..<20).map { step in samples((1...20).map { ($0, Int64(step), 1) }) }
        try put(files, "p/wal/00000000", try segment(records, 8))
        let size = try files.status("p/wal/00000000").size
        for at in stride(from: 0, to: size, by: 13) {
            for cut in [false, true] {
                let copy = files.afterPowerCut(.kept)
                copy.damage("p/wal/00000000") { if cut { $0.removeLast($0.count - at) } else { $0[at] ^= 0x24 } }
                let report = try BlockImport.run("p", into: try store(copy), files: copy)
                #expect(report.samples == 400 || cut || !report.damage.isEmpty, "byte \(at)")
                #expect(report.samples <= 400)
            }
        }
    }
}
