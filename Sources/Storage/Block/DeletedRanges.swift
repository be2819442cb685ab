import Encoding
import Platform

/// The samples of a block that are deleted but still on disk: the file `deleted` beside the data.
///
///     magic "MARTLETX", version (4 bytes), CRC-32C of the block's name and the rest (4 bytes), number of entries; for
///     each entry: first and last time (zigzag), sized posting runs
///
/// The list of another block does not have the checksum. In version 1 it is that of the rest alone.
struct DeletedRanges: Sendable {
    struct Entry: Sendable {
        var ranks: PostingRuns
        var minTime: Int64
        var maxTime: Int64
    }

    private(set) var entries: [Entry] = []
    private static let magic = Array("MARTLETX".utf8)
    private static let version: UInt32 = 2
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
                guard version == 1 || version == Self.version,
                    Self.checksum(version == 1 ? "" : FilePath.name(directory), rest) == checksum
                else {
                    throw DecodeError(expected: "version \(Self.version) and its checksum for this block", offset: 8)
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

    private static func checksum(_ block: String, _ rest: UnsafeRawBufferPointer) -> UInt32 {
        CRC32C.hash(rest, after: CRC32C.hash(Array(block.utf8)))
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
        bytes.appendLittle(Self.version)
        bytes.appendLittle(rest.withUnsafeBytes { Self.checksum(FilePath.name(directory), $0) })
        guard bytes.count + rest.count <= Self.longest else {
            throw StorageError.limit("\(Self.longest) bytes of deletions in a block; clean_tombstones removes them")
        }
        try files.replace(path, with: bytes + rest)
    }
}
