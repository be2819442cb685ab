import Encoding
import Model
import Platform
import TestSupport

@testable import Storage

/// What reads the store's files, behind the checksums: the bytes are put where a checksum says that they are right.
enum StoreTargets {
    private static func options(_ directory: String) -> StoreOptions {
        StoreOptions(directory: directory, retentionTime: 0, blockDuration: 600_000, runsInBackground: false)
    }

    /// Opens a store and reads all of it.
    private static func use(_ files: FaultyFileSystem) {
        guard
            let store = try? TimeSeriesStore.open(
                options: options("data"), fileSystem: files, clock: ManualClock(now: 1_800_000_000_000))
        else { return }
        check(store)
        read(store)
        store.runMaintenance()
        check(store)
        store.abandon()
    }

    /// Ends the process if memory is not as the code keeps it, whatever the files held.
    private static func check(_ store: TimeSeriesStore) {
        do { try store.head.checkInvariants(withTimes: false) } catch { fatalError("\(error)") }
    }

    private static func read(_ source: any SeriesSource) {
        guard let set = try? source.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max)) else { return }
        var columns = SampleColumns()
        for i in 0..<min(set.count, 1000) { try? set.read(i, into: &columns) }
    }

    /// The log: the bytes are the contents of frames, each behind two bytes of length.
    static func log(_ bytes: UnsafeRawBufferPointer) {
        var content = WriteAheadLog.magic
        content.appendLittle(1 as UInt64)
        let packer = LogPacker(shortest: 0)
        for (i, frame) in pieces(bytes).enumerated() {
            func append(_ frame: UnsafeRawBufferPointer, _ isPacked: Bool) {
                content.appendLittle(UInt32(frame.count) | (isPacked ? WriteAheadLog.packedFlag : 0))
                content.appendLittle(CRC32C.hash(frame))
                content.append(contentsOf: frame)
            }
            // Compressed as the log does it, plain, or plain where something compressed is expected.
            if i % 3 == 0 { packer.withContent(frame) { append($0, $1) } } else { append(frame, i % 9 == 1) }
        }
        let files = FaultyFileSystem()
        put(files, "data/wal/00000001", content)
        use(files)
    }

    /// The checkpoint, the same way; the first byte of each frame is its kind, the second its group.
    static func checkpoint(_ bytes: UnsafeRawBufferPointer) {
        let files = FaultyFileSystem()
        put(files, "data/checkpoint", [])
        guard let file = try? files.open("data/checkpoint", .replace), var writer = try? CheckpointWriter(file) else {
            return
        }
        for frame in pieces(bytes) where frame.count > 1 {
            try? writer.write(UInt32(frame[0]), group: UInt32(frame[1]), Array(frame[2...]))
        }
        use(files)
    }

    /// What a block's frames hold, each kind by itself: the first byte says which.
    static func frame(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 2 else { return }
        let content = UnsafeRawBufferPointer(rebasing: bytes[2...])
        let count = Int(bytes[1]) * 8 + 1
        // The second half is what raw bits are read from.
        let bits = UnsafeRawBufferPointer(rebasing: content[(content.count / 2)...])
        var reader = ByteReader(content)
        let columns = SampleColumns(capacity: count)
        switch bytes[0] % 4 {
        case 0: try? ValueChunk.read(&reader, bits: bits, count: count, into: columns.values)
        case 1: try? TimeChunk.read(&reader, bits: bits, count: count, into: columns.timestamps)
        case 2: _ = try? HistogramChunk.read(&reader, count: count)
        default:
            guard var page = try? SeriesPageReader(content, count: count) else { return }
            for i in 0..<count {
                guard let entry = try? page.read(i) else { continue }
                try? SeriesPageReader.chunks(entry, baseTime: 0) { _ in }
                _ = page.copyLabels()
            }
        }
    }

    /// The index of a block: three bytes each say where it is changed, and to what.
    static func index(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 2, let specimen else { return }
        let files = specimen.files.afterPowerCut(.kept)
        files.damage(specimen.directory + "/index") { change(&$0, bytes) }
        guard let reader = try? BlockReader(files, directory: specimen.directory, cache: FrameCache()) else { return }
        for matchers in [[], [Matcher(name: "s", equals: "1")]] {
            read(reader, matchers)
            _ = try? reader.labelNames(matchers)
            _ = try? reader.labelValues("s", matchers)
        }
        let scan = reader.scan()
        var columns = SampleColumns()
        for _ in 0..<1000 {
            guard (try? scan.advance()) != nil, scan.labels != nil else { break }
            try? scan.read(into: &columns)
        }
    }

    private static func read(_ reader: BlockReader, _ matchers: [Matcher]) {
        guard let set = try? reader.select(SelectRequest(matchers: matchers, minTime: .min, maxTime: .max)) else {
            return
        }
        var columns = SampleColumns()
        for i in 0..<min(set.count, 1000) { try? set.append(i, to: &columns) }
    }

    static func manifest(_ bytes: UnsafeRawBufferPointer) {
        let files = FaultyFileSystem()
        put(files, "data/blocks/manifest.log", Array(bytes))
        use(files)
    }

    /// The entries of a list of pending deletions; the checksum is right.
    static func deletions(_ bytes: UnsafeRawBufferPointer) {
        let files = FaultyFileSystem()
        put(files, "data/blocks/" + PendingDeletions.fileName, PendingDeletions.sealed(Array(bytes)))
        _ = try? PendingDeletions.read(files, "data/blocks")
    }

    // MARK: Parts

    private static func pieces(_ bytes: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
        var result: [UnsafeRawBufferPointer] = []
        var at = 0
        while at + 2 < bytes.count {
            let size = min(Int(bytes[at]) | Int(bytes[at + 1]) << 8, bytes.count - at - 2)
            if size > 0 { result.append(UnsafeRawBufferPointer(rebasing: bytes[(at + 2)..<(at + 2 + size)])) }
            at += 2 + size
        }
        return result
    }

    private static func put(_ files: FaultyFileSystem, _ path: String, _ content: [UInt8]) {
        try? files.createDirectory(FilePath.parent(path))
        guard let file = try? files.open(path, .replace) else { return }
        try? file.write(content)
    }

    /// A block with floats and histograms.
    private static let specimen: (files: FaultyFileSystem, directory: String)? = {
        let files = FaultyFileSystem()
        guard
            let store = try? TimeSeriesStore.open(
                options: options("data"), fileSystem: files, clock: ManualClock(now: 1_800_000_000_000))
        else { return nil }
        let group = store.openGroup("g")
        for step in 0..<60 {
            var batch = SampleBatch(timestamp: 1_700_000_400_000 + Int64(step) * 15_000)
            for s in 0..<40 {
                var builder = LabelsBuilder()
                builder.set("__name__", "m\(s % 3)")
                builder.set("s", "\(s)")
                guard let ref = try? store.resolve(builder.labels(), in: group) else { continue }
                if s % 5 == 4 {
                    batch.append(
                        ref,
                        FloatHistogram(
                            count: Double(step), sum: 1, positiveSpans: [.init(offset: 0, length: 2)],
                            positiveBuckets: [Double(step), 1]), at: batch.timestamp)
                } else {
                    batch.append(ref, Double(step * s) / 7)
                }
            }
            _ = try? store.commit(batch, in: group, durability: .written)
        }
        _ = try? store.snapshot()
        guard let block = store.blocks.first else { return nil }
        return (files, block.directory)
    }()

    /// Changes bytes of the sections, and mends their checksums.
    private static func change(_ content: inout [UInt8], _ bytes: UnsafeRawBufferPointer) {
        func number(_ at: Int, _ size: Int) -> Int { (0..<size).reduce(0) { $0 | Int(content[at + $1]) << (8 * $1) } }
        func put(_ value: UInt32, _ at: Int) {
            withUnsafeBytes(of: value.littleEndian) { for i in 0..<4 { content[at + i] = $0[i] } }
        }
        let tail = content.count - BlockFormat.indexEnd.count - 16
        let (start, count) = (number(tail, 8), number(tail + 8, 4))
        for i in stride(from: 0, to: bytes.count - 2, by: 3) {
            content[(Int(bytes[i]) << 8 | Int(bytes[i + 1])) % start] = bytes[i + 2]
        }
        for section in 0..<count {
            let entry = start + 24 * section
            let (offset, size) = (number(entry + 8, 8), number(entry + 16, 8))
            put(CRC32C.hash(Array(content[offset..<(offset + size)])), entry + 4)
        }
        put(CRC32C.hash(Array(content[start..<tail])), tail + 12)
    }
}
