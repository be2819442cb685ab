import Encoding
import JSON
import Model
import Platform
import Storage

/// The error of a Prometheus block.
package struct PrometheusBlockError: Error, CustomStringConvertible {
    package var file: String
    package var offset: Int
    package var reason: String

    package var description: String { "\(file): at \(offset): \(reason)" }
}

extension PrometheusBlockError {
    init(_ block: PrometheusBlock, _ reason: String) {
        self.init(file: block.directory + "/meta.json", offset: 0, reason: reason)
    }
}

/// A block in Prometheus's format: `meta.json`, `index`, `chunks/…`, `tombstones`.
///
/// The format is described in Prometheus's `tsdb/docs/format`; index versions 1 to 3 are read, 3 like 2. Files are
/// mapped; the positions of symbols and series are in memory.
package final class PrometheusBlock {
    package let directory: String
    package let id: String
    /// The first time, ms, and the first time after the last.
    package let minTime: Int64
    package let maxTime: Int64
    package let samples: Int
    /// Prometheus's mark of a block that was made from out-of-order samples.
    static let lateHint = "from-out-of-order"
    /// Whether it was made from out-of-order samples: the head may have later ones.
    package let isFromOutOfOrder: Bool
    /// Whether it was made from other blocks, perhaps also from those of out-of-order samples.
    package let isMerged: Bool
    /// The time ranges of the blocks from which it was made.
    let parents: [(minTime: Int64, maxTime: Int64)]
    private let indexPath: String
    private let index: FileMapping
    private let version: UInt8
    private var chunkFiles: [FileMapping] = []
    private var chunkPaths: [String] = []
    /// The positions of the symbols; version 1 refers to symbols by offset instead.
    private var symbols: [Int] = []
    /// The positions of all series in the order of their labels.
    private var series: [Int] = []
    private var deleted: [UInt64: [(minTime: Int64, maxTime: Int64)]] = [:]

    /// The number of native histograms that ``forEach(_:)`` skipped because their parts are inconsistent, and the error
    /// of the first.
    package private(set) var refusals = 0
    package private(set) var firstRefusal: String?

    package var seriesCount: Int { series.count }

    package init(_ files: any FileSystem, _ directory: String) throws {
        self.directory = directory
        let metaPath = directory + "/meta.json"
        let meta: JSONValue
        do { meta = try JSONValue.parse(try files.read(metaPath, limit: 1 << 26)) } catch let error as FileError {
            throw error
        } catch {
            throw PrometheusBlockError(file: metaPath, offset: 0, reason: "\(error)")
        }
        guard let id = meta["ulid"]?.string, let from = meta["minTime"]?.number, let to = meta["maxTime"]?.number,
            let minTime = Int64(exactly: from), let maxTime = Int64(exactly: to)
        else { throw PrometheusBlockError(file: metaPath, offset: 0, reason: "expected ulid, minTime and maxTime") }
        (self.id, self.minTime, self.maxTime) = (id, minTime, maxTime)
        samples = meta["stats"]?["numSamples"]?.number.flatMap { Int(exactly: $0) } ?? 0
        isFromOutOfOrder =
            meta["compaction"]?["hints"]?.array?.contains { $0.string == Self.lateHint } ?? false
        parents = (meta["compaction"]?["parents"]?.array ?? []).compactMap { parent in
            guard let from = parent["minTime"]?.number, let to = parent["maxTime"]?.number,
                let minTime = Int64(exactly: from), let maxTime = Int64(exactly: to)
            else { return nil }
            return (minTime, maxTime)
        }
        // A block from which deleted samples were removed has level 1 again, and lacks the mark in some versions.
        isMerged = (meta["compaction"]?["level"]?.number ?? 1) > 1 || !parents.isEmpty
        indexPath = directory + "/index"
        index = try files.map(indexPath)
        let bytes = index.bytes
        guard bytes.count >= 5 + Self.tableSize, Self.big32(bytes, 0) == 0xBAAA_D700, (1...3).contains(bytes[4])
        else {
            throw PrometheusBlockError(
                file: indexPath, offset: 0, reason: "expected an index of version 1 to 3 with the magic baaad700")
        }
        version = bytes[4]
        for name in try files.list(directory + "/chunks") where name.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) {
            let path = directory + "/chunks/" + name
            let mapping = try files.map(path)
            guard mapping.bytes.count >= 8, Self.big32(mapping.bytes, 0) == 0x85BD_40DD, mapping.bytes[4] == 1 else {
                throw PrometheusBlockError(
                    file: path, offset: 0, reason: "expected chunks of version 1 with the magic 85bd40dd")
            }
            chunkFiles.append(mapping)
            chunkPaths.append(path)
        }
        try readTables()
        try readTombstones(files)
    }

    private static let tableSize = 52

    static func big32(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt32 {
        UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
    }

    private func bad(_ offset: Int, _ reason: String) -> PrometheusBlockError {
        PrometheusBlockError(file: indexPath, offset: offset, reason: reason)
    }

    private func offset(_ at: Int) throws -> Int {
        let value = UInt64(bigEndian: index.bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
        guard value <= UInt64(index.bytes.count) else { throw bad(at, "an offset is outside of the file") }
        return Int(value)
    }

    /// The checked content of a section: length (4), content, checksum (4).
    private func section(_ at: Int) throws -> Range<Int> {
        let bytes = index.bytes
        guard at >= 0, at <= bytes.count - 8 else { throw bad(at, "a section begins outside of the file") }
        let size = Int(Self.big32(bytes, at))
        let start = at + 4
        guard size <= bytes.count - start - 4 else { throw bad(at, "a section ends outside of the file") }
        guard
            CRC32C.hash(UnsafeRawBufferPointer(rebasing: bytes[start..<(start + size)]))
                == Self.big32(bytes, start + size)
        else { throw bad(at, "the checksum of a section does not match") }
        return start..<(start + size)
    }

    private func fields<R>(_ at: Int, _ body: (inout ByteReader) throws -> R) throws -> R {
        var reader = ByteReader(index.bytes, at: at)
        do { return try body(&reader) } catch let error as DecodeError { throw bad(error.offset, "\(error)") }
    }

    private func readTables() throws {
        let bytes = index.bytes
        let table = bytes.count - Self.tableSize
        guard
            CRC32C.hash(UnsafeRawBufferPointer(rebasing: bytes[table..<(bytes.count - 4)]))
                == Self.big32(bytes, bytes.count - 4)
        else { throw bad(table, "the checksum of the table of contents does not match") }
        let symbolTable = try section(try offset(table))
        guard symbolTable.count >= 4 else { throw bad(symbolTable.lowerBound, "expected the number of symbols") }
        try fields(symbolTable.lowerBound + 4) { reader in
            for _ in 0..<Self.big32(bytes, symbolTable.lowerBound) {
                symbols.append(reader.offset)
                _ = try reader.sizedRun()
            }
            if reader.offset > symbolTable.upperBound {
                throw bad(reader.offset, "the symbols continue after their end")
            }
        }
        let postings = try section(try offset(table + 40))
        guard postings.count >= 4 else { throw bad(postings.lowerBound, "expected the number of posting lists") }
        let all: Int? = try fields(postings.lowerBound + 4) { reader in
            for _ in 0..<Self.big32(bytes, postings.lowerBound) {
                guard try reader.varint() == 2 else { throw bad(reader.offset, "expected a name and a value") }
                let (name, value) = (try reader.sizedRun(), try reader.sizedRun())
                let place = try reader.varint()
                if name.isEmpty, value.isEmpty { return Int(clamping: place) }
            }
            return nil
        }
        guard let all else { throw bad(postings.lowerBound, "there is no list of all series") }
        let list = try section(all)
        guard list.count >= 4 else { throw bad(all, "expected the number of series") }
        let count = Int(Self.big32(bytes, list.lowerBound))
        guard list.count == 4 + 4 * count else { throw bad(all, "expected \(count) series") }
        series.reserveCapacity(count)
        for i in 0..<count { series.append(Int(Self.big32(bytes, list.lowerBound + 4 + 4 * i))) }
    }

    private func readTombstones(_ files: any FileSystem) throws {
        let path = directory + "/tombstones"
        guard try files.exists(path) else { return }
        let content = try files.read(path, limit: 1 << 30)
        try content.withUnsafeBytes { bytes in
            guard bytes.count >= 9, Self.big32(bytes, 0) == 0x0130_BA30, bytes[4] == 1 else {
                throw PrometheusBlockError(
                    file: path, offset: 0, reason: "expected tombstones of version 1 with the magic 0130ba30")
            }
            let body = UnsafeRawBufferPointer(rebasing: bytes[5..<(bytes.count - 4)])
            guard CRC32C.hash(body) == Self.big32(bytes, bytes.count - 4) else {
                throw PrometheusBlockError(file: path, offset: 5, reason: "the checksum does not match")
            }
            var reader = ByteReader(body)
            do {
                while !reader.isAtEnd {
                    let reference = try reader.varint()
                    deleted[reference, default: []].append((try reader.zigzag(), try reader.zigzag()))
                }
            } catch { throw PrometheusBlockError(file: path, offset: reader.offset + 5, reason: "\(error)") }
        }
    }

    private func symbol(_ reference: UInt64) throws -> String {
        let place: Int
        if version == 1 {
            place = Int(clamping: reference)
        } else {
            guard reference < UInt64(symbols.count) else { throw bad(0, "there is no symbol \(reference)") }
            place = symbols[Int(reference)]
        }
        return try fields(place) { String(decoding: try $0.sizedRun(), as: UTF8.self) }
    }

    /// Calls `body` with the labels and the deleted times of each series that has some.
    func forEachDeletion(_ body: (Labels, [(minTime: Int64, maxTime: Int64)]) -> Void) throws {
        if deleted.isEmpty { return }
        for reference in series {
            if let times = deleted[UInt64(reference)] { body(try entry(reference).0, times) }
        }
    }

    /// Calls `body` with the labels and samples of each series, sorted by labels.
    ///
    /// - Parameter hasDeleted: Whether the deleted samples that are still in the files are among them.
    package func forEach(hasDeleted: Bool = false, _ body: (Labels, borrowing SampleColumns) throws -> Void) throws {
        var columns = SampleColumns()
        for reference in series {
            let (labels, chunks) = try entry(reference)
            columns.removeAll()
            for chunk in chunks { try read(chunk.reference, into: &columns) }
            for at in 0..<max(0, columns.count - 1) where columns.timestamps[at] >= columns.timestamps[at + 1] {
                throw bad(reference, "the samples of \(labels) are not in order of time")
            }
            var hidden = hasDeleted ? [] : deleted[UInt64(reference)] ?? []
            hidden += refuse(&columns)
            // Prometheus does not return samples outside of the block's range either.
            if minTime > .min { hidden.append((.min, minTime - 1)) }
            hidden.append((maxTime, .max))
            _ = columns.remove(hidden, from: 0)
            try body(labels, columns)
        }
    }

    /// The times of native histograms with inconsistent parts; the others are converted to the form in which they are
    /// stored.
    private func refuse(_ columns: inout SampleColumns) -> [(minTime: Int64, maxTime: Int64)] {
        var times: [(minTime: Int64, maxTime: Int64)] = []
        for at in columns.histograms.indices {
            let time = columns.timestamps[columns.histograms[at].index]
            do throws(FloatHistogram.ValidationError) {
                columns.histograms[at].histogram = try columns.histograms[at].histogram.accepted()
            } catch {
                times.append((time, time))
                firstRefusal = firstRefusal ?? "\(directory): at \(time) ms: \(error)"
            }
        }
        refusals += times.count
        return times
    }

    private func entry(_ reference: Int) throws -> (Labels, [(minTime: Int64, maxTime: Int64, reference: UInt64)]) {
        let start = version == 1 ? reference : reference * 16
        return try fields(start) { reader in
            let size = try reader.count()
            let first = reader.offset
            let content = try reader.run(size)
            let checksum = try reader.run(4)
            guard CRC32C.hash(content) == Self.big32(checksum, 0) else {
                throw bad(first, "the checksum of a series does not match")
            }
            var reader = ByteReader(content)
            var builder = LabelsBuilder()
            for _ in 0..<(try reader.count(1 << 16)) {
                let (name, value) = (try reader.varint(), try reader.varint())
                builder.set(try symbol(name), try symbol(value))
            }
            var chunks: [(minTime: Int64, maxTime: Int64, reference: UInt64)] = []
            for i in 0..<(try reader.count(content.count)) {
                if i == 0 {
                    let minTime = try reader.zigzag()
                    let maxTime = minTime &+ Int64(bitPattern: try reader.varint())
                    chunks.append((minTime, maxTime, try reader.varint()))
                } else {
                    let before = chunks[i - 1]
                    let minTime = before.maxTime &+ Int64(bitPattern: try reader.varint())
                    let maxTime = minTime &+ Int64(bitPattern: try reader.varint())
                    chunks.append(
                        (minTime, maxTime, before.reference &+ UInt64(bitPattern: try reader.zigzag())))
                }
            }
            return (builder.labels(), chunks)
        }
    }

    private func read(_ reference: UInt64, into columns: inout SampleColumns) throws {
        let (file, at) = (Int(reference >> 32), Int(reference & 0xFFFF_FFFF))
        guard file < chunkFiles.count else { throw bad(0, "there is no file of chunks \(file + 1)") }
        let bytes = chunkFiles[file].bytes
        func damage(_ reason: String) -> PrometheusBlockError {
            PrometheusBlockError(file: chunkPaths[file], offset: at, reason: reason)
        }
        do {
            var reader = ByteReader(bytes, at: at)
            let size = try reader.count()
            let content = try reader.run(size + 1)
            let checksum = try reader.run(4)
            guard CRC32C.hash(content) == Self.big32(checksum, 0) else { throw damage("the checksum does not match") }
            // Chunks of out-of-order samples are merged before they become blocks, so the times ascend.
            try PrometheusChunk.read(content[0], UnsafeRawBufferPointer(rebasing: content[1...]), into: &columns)
        } catch let error as DecodeError { throw damage("\(error)") }
    }
}
