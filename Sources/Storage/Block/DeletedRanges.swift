import Encoding
import Platform

/// The samples of a block that are deleted but still on disk: the file `deleted` beside the data.
///
///     magic "MARTLETX", version (4 bytes), CRC-32C of the rest (4 bytes), number of entries; for each entry: first and
///     last time (zigzag), sized posting runs
struct DeletedRanges: Sendable {
    struct Entry: Sendable {
        var ranks: PostingRuns
        var minTime: Int64
        var maxTime: Int64
    }

    private(set) var entries: [Entry] = []
    private static let magic = Array("MARTLETX".utf8)
    /// The most bytes of the file.
    private static let longest = 1 << 28

    var isEmpty: Bool { entries.isEmpty }

    mutating func add(_ ranks: PostingRuns, _ minTime: Int64, _ maxTime: Int64) {
        entries.append(Entry(ranks: ranks, minTime: minTime, maxTime: maxTime))
    }

    /// The deleted times of a series.
    func ranges(_ rank: UInt32) -> [(minTime: Int64, maxTime: Int64)] {
        entries.filter { $0.ranks.contains(rank) }.map { ($0.minTime, $0.maxTime) }
    }

    static func read(_ files: any FileSystem, _ directory: String, limit: UInt32) throws -> DeletedRanges {
        let path = directory + "/deleted"
        guard try files.exists(path) else { return DeletedRanges() }
        let content = try files.content(path, section: "deletions", limit: longest)
        func bad(_ reason: String, _ offset: Int = 0) -> BlockError {
            BlockError(file: path, section: "deletions", offset: offset, reason: reason)
        }
        guard content.starts(with: magic), content.count >= 16 else { throw bad("expected a list of deletions") }
        return try content.withUnsafeBytes { bytes in
            do throws(DecodeError) {
                var reader = ByteReader(bytes, at: 8)
                let version = try reader.u32()
                let checksum = try reader.u32()
                let rest = UnsafeRawBufferPointer(rebasing: bytes[16...])
                guard version == BlockFormat.version, CRC32C.hash(rest) == checksum else {
                    throw DecodeError(expected: "version \(BlockFormat.version) and its checksum", offset: 8)
                }
                var result = DeletedRanges()
                for _ in 0..<(try reader.count(bytes.count)) {
                    let (minTime, maxTime) = (try reader.zigzag(), try reader.zigzag())
                    result.add(try PostingRuns(reading: try reader.sizedRun(), limit: limit), minTime, maxTime)
                }
                return result
            } catch { throw bad("expected \(error.expected)", error.offset) }
        }
    }

    /// Writes the file durably, or removes it if there are no entries.
    func write(_ files: any FileSystem, _ directory: String) throws {
        let path = directory + "/deleted"
        if entries.isEmpty {
            guard try files.exists(path) else { return }
            try files.remove(path)
            return try files.syncDirectory(directory)
        }
        var rest: [UInt8] = []
        rest.appendVarint(entries.count)
        for entry in entries {
            rest.appendZigzag(entry.minTime)
            rest.appendZigzag(entry.maxTime)
            rest.appendSized(entry.ranks.encoded())
        }
        var bytes = Self.magic
        bytes.appendLittle(BlockFormat.version)
        bytes.appendLittle(CRC32C.hash(rest))
        guard bytes.count + rest.count <= Self.longest else {
            throw StorageError.limit("\(Self.longest) bytes of deletions in a block; clean_tombstones removes them")
        }
        try files.replace(path, with: bytes + rest)
    }
}
