import Encoding
import GoCompatibility
import JSON
import Model
import Platform

/// Writes a block that Prometheus can open: index version 2, chunks version 1.
///
/// It needs memory for the symbols, the posting lists and one series. The block gets its name when it is complete.
package final class PrometheusBlockWriter {
    /// The size at which a file of chunks is completed, bytes.
    private static let segmentSize = 512 << 20

    private let files: any FileSystem
    private let directory: String
    private let temporary: String
    private let id: String
    private let index: BufferedFile
    private var chunks: BufferedFile?
    private var chunkFiles: UInt64 = 0
    private var symbols: [ExactText: UInt64] = [:]
    private var sorted: [ExactText] = []
    private var postings: [ExactText: [ExactText: [UInt32]]] = [:]
    private var all: [UInt32] = []
    private var contents: [Int] = []
    private var last: Labels?
    private var (seriesCount, chunkCount, sampleCount, histogramCount) = (0, 0, 0, 0)
    /// The times of the first and of the last sample, ms.
    private var (firstTime, lastTime) = (Int64.max, Int64.min)

    /// Begins a block.
    ///
    /// - Parameter symbols: All names and values of labels of the series that will be added.
    package init(_ files: any FileSystem, parent: String, id: String, symbols: Set<ExactText>) throws {
        self.files = files
        self.id = id
        directory = parent + "/" + id
        temporary = directory + ".tmp-for-creation"
        try files.removeAll(temporary)
        try files.createDirectory(temporary + "/chunks")
        index = BufferedFile(try files.open(temporary + "/index", .create))
        try index.write([0xBA, 0xAA, 0xD7, 0x00, 2])
        sorted = symbols.sorted()
        var table: [UInt8] = []
        table.appendBig(try Self.number(sorted.count, "symbols", directory))
        for (at, symbol) in sorted.enumerated() {
            self.symbols[symbol] = UInt64(at)
            table.appendSized(Array(symbol.text.utf8))
        }
        contents.append(index.size)
        try section(table)
        contents.append(index.size)
    }

    /// Converts a number to the 32 bits of the format.
    static func number(_ count: Int, _ what: String, _ directory: String) throws -> UInt32 {
        guard let number = UInt32(exactly: count) else {
            throw PrometheusBlockError(
                file: directory, offset: 0,
                reason: "a block of Prometheus cannot contain \(count) \(what): export less at a time, by "
                    + "--min-time and --max-time or by --match")
        }
        return number
    }

    private func section(_ content: [UInt8]) throws {
        var bytes: [UInt8] = []
        bytes.appendBig(try Self.number(content.count, "bytes in a section of its index", directory))
        bytes += content
        bytes.appendBig(CRC32C.hash(content))
        try index.write(bytes)
    }

    private func pad(_ size: Int) throws {
        let rest = index.size % size
        if rest > 0 { try index.write([UInt8](repeating: 0, count: size - rest)) }
    }

    /// Appends a series, in the order of labels.
    package func add(_ labels: Labels, _ columns: borrowing SampleColumns) throws {
        guard columns.count > 0 else { return }
        if let last, Labels.compare(last, labels) >= 0 {
            throw PrometheusBlockError(file: directory, offset: index.size, reason: "\(labels) is not behind \(last)")
        }
        last = labels
        try pad(16)
        let reference = try Self.number(index.size / 16, "places of series", directory)
        var content: [UInt8] = []
        let pairs = labels.pairs
        content.appendVarint(pairs.count)
        for pair in pairs {
            guard let name = symbols[ExactText(pair.name)], let value = symbols[ExactText(pair.value)] else {
                throw PrometheusBlockError(
                    file: directory, offset: index.size, reason: "a symbol of \(labels) is missing")
            }
            content.appendVarint(name)
            content.appendVarint(value)
            postings[ExactText(pair.name), default: [:]][ExactText(pair.value), default: []].append(reference)
        }
        all.append(reference)
        firstTime = min(firstTime, columns.timestamps[0])
        lastTime = max(lastTime, columns.timestamps[columns.count - 1])
        let written = try addChunks(columns)
        content.appendVarint(written.count)
        for (i, chunk) in written.enumerated() {
            if i == 0 {
                content.appendZigzag(chunk.minTime)
                content.appendVarint(UInt64(bitPattern: chunk.maxTime &- chunk.minTime))
                content.appendVarint(chunk.reference)
            } else {
                let before = written[i - 1]
                content.appendVarint(UInt64(bitPattern: chunk.minTime &- before.maxTime))
                content.appendVarint(UInt64(bitPattern: chunk.maxTime &- chunk.minTime))
                content.appendZigzag(Int64(bitPattern: chunk.reference &- before.reference))
            }
        }
        var bytes: [UInt8] = []
        bytes.appendVarint(content.count)
        bytes += content
        bytes.appendBig(CRC32C.hash(content))
        try index.write(bytes)
        seriesCount += 1
        sampleCount += columns.count
    }

    private func addChunks(_ columns: borrowing SampleColumns) throws -> [(
        minTime: Int64, maxTime: Int64, reference: UInt64
    )] {
        var result: [(minTime: Int64, maxTime: Int64, reference: UInt64)] = []
        let times = UnsafePointer(columns.timestamps)
        let values = UnsafePointer(columns.values)
        var (start, next) = (0, 0)
        while start < columns.count {
            let limit = next < columns.histograms.count ? columns.histograms[next].index : columns.count
            guard limit == start else {
                let end = min(limit, start + PrometheusChunk.capacity)
                let bytes = PrometheusChunk.floats(
                    UnsafeBufferPointer(start: times + start, count: end - start),
                    UnsafeBufferPointer(start: values + start, count: end - start))
                result.append((times[start], times[end - 1], try store(PrometheusChunk.xor, bytes)))
                start = end
                continue
            }
            var chunker = HistogramChunker()
            let first = start
            chunker.append(columns, &start, &next)
            histogramCount += start - first
            chunker.cut()
            for chunk in chunker.chunks {
                let encoding = chunk.isFloat ? PrometheusChunk.floatHistogram : PrometheusChunk.histogram
                result.append((chunk.minTime, chunk.maxTime, try store(encoding, chunk.bytes)))
            }
        }
        chunkCount += result.count
        return result
    }

    private func store(_ encoding: UInt8, _ bytes: [UInt8]) throws -> UInt64 {
        if chunks.map({ $0.size + bytes.count > Self.segmentSize }) ?? true {
            try chunks?.finish()
            chunkFiles += 1
            let name = chunkFiles.zeroPadded(6)
            let next = BufferedFile(try files.open(temporary + "/chunks/" + name, .create))
            try next.write([0x85, 0xBD, 0x40, 0xDD, 1, 0, 0, 0])
            chunks = next
        }
        guard let chunks else { return 0 }
        let reference = (chunkFiles - 1) << 32 | UInt64(chunks.size)
        var record: [UInt8] = []
        record.appendVarint(bytes.count)
        let start = record.count
        record.append(encoding)
        record += bytes
        record.appendBig(record[start...].withUnsafeBytes { CRC32C.hash($0) })
        try chunks.write(record)
        return reference
    }

    /// Completes the block, and returns its name; nil if no series was added.
    package func finish() throws -> String? {
        guard seriesCount > 0 else {
            abandon()
            return nil
        }
        // The tables of label values for old readers are empty.
        try pad(4)
        contents.append(index.size)
        var places: [(name: String, value: String, place: Int)] = []
        var lists: [(String, String, [UInt32])] = [("", "", all)]
        for name in postings.keys.sorted() {
            let values = postings[name] ?? [:]
            for value in values.keys.sorted() {
                lists.append((name.text, value.text, values[value] ?? []))
            }
        }
        contents.append(index.size)
        for (name, value, list) in lists {
            try pad(4)
            places.append((name, value, index.size))
            var content: [UInt8] = []
            content.reserveCapacity(4 + 4 * list.count)
            content.appendBig(try Self.number(list.count, "series", directory))
            for reference in list { content.appendBig(reference) }
            try section(content)
        }
        contents.append(index.size)
        var table: [UInt8] = []
        table.appendBig(0 as UInt32)
        try section(table)
        contents.append(index.size)
        table = []
        table.appendBig(try Self.number(places.count, "posting lists", directory))
        for (name, value, place) in places {
            table.append(2)
            table.appendSized(Array(name.utf8))
            table.appendSized(Array(value.utf8))
            table.appendVarint(place)
        }
        try section(table)
        // The symbols, series, label values, their table, postings, their table.
        let order = [contents[0], contents[1], contents[2], contents[4], contents[3], contents[5]]
        var end: [UInt8] = []
        for place in order { end.appendBig(UInt64(place)) }
        end.appendBig(CRC32C.hash(end))
        try index.write(end)
        try index.finish()
        try chunks?.finish()
        try writeMeta()
        try writeTombstones()
        try files.syncDirectory(temporary)
        try files.rename(temporary, to: directory)
        try files.syncDirectory(FilePath.parent(directory))
        return id
    }

    /// Writes the block's metadata.
    ///
    /// Prometheus uses the end of its newest block as the end of the in-order samples: it drops older samples of its
    /// log, and refuses new older samples. So the end is that of the samples, and the block is marked as made from
    /// out-of-order samples, which Prometheus ignores for this purpose. So its log stays complete beside the block.
    private func writeMeta() throws {
        var json = JSONWriter()
        json.object { json in
            json.key("ulid")
            json.string(id)
            json.key("minTime")
            json.integer(Int(firstTime))
            json.key("maxTime")
            json.integer(Int(lastTime &+ 1))
            json.key("stats")
            json.object { json in
                for (name, value) in [
                    ("numSamples", sampleCount), ("numFloatSamples", sampleCount - histogramCount),
                    ("numHistogramSamples", histogramCount), ("numSeries", seriesCount), ("numChunks", chunkCount),
                ] {
                    json.key(name)
                    json.integer(value)
                }
            }
            json.key("compaction")
            json.object { json in
                json.key("level")
                json.integer(1)
                json.key("sources")
                json.array { $0.string(id) }
                json.key("hints")
                json.array { $0.string(PrometheusBlock.lateHint) }
            }
            json.key("version")
            json.integer(1)
        }
        try files.replace(temporary + "/meta.json", with: json.bytes)
    }

    /// Writes a file without tombstones: Prometheus opens a block without the file, but makes no snapshot of it.
    private func writeTombstones() throws {
        var bytes: [UInt8] = []
        bytes.appendBig(0x0130_BA30 as UInt32)
        bytes.append(1)
        bytes.appendBig(CRC32C.hash([]))
        try files.replace(temporary + "/tombstones", with: bytes)
    }

    package func abandon() { try? files.removeAll(temporary) }
}

/// A file that is written in large parts.
final class BufferedFile {
    private let file: any File
    private var buffer: [UInt8] = []
    private(set) var size = 0

    init(_ file: any File) { self.file = file }

    func write(_ bytes: [UInt8]) throws(FileError) {
        buffer += bytes
        size += bytes.count
        if buffer.count >= 1 << 18 { try flush() }
    }

    private func flush() throws(FileError) {
        if buffer.isEmpty { return }
        try file.write(buffer)
        buffer.removeAll(keepingCapacity: true)
    }

    func finish() throws(FileError) {
        try flush()
        try file.syncData()
        file.close()
    }
}

extension [UInt8] {
    mutating func appendBig(_ value: UInt32) { Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) } }
    mutating func appendBig(_ value: UInt64) { Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) } }
}
