import Encoding
import Model
import Platform

/// The deletions of series in blocks that cannot be opened now: the file `pending-deletions` beside the blocks.
///
///     magic "MARTLETP", version (4 bytes), CRC-32C of the rest (4 bytes), number of entries; for each entry: sized
///     name of the block, first and last time (zigzag), number of matchers, and for each sized name, operator and value
///
/// A deletion is carried out, and removed from the file, when its block is opened again.
struct PendingDeletions: Sendable {
    struct Entry: Sendable {
        var block: String
        var matchers: [Matcher]
        var minTime: Int64
        var maxTime: Int64
    }

    static let fileName = "pending-deletions"
    /// The most entries; further ones are refused.
    static let most = 100_000
    /// The most bytes of the file.
    private static let longest = 1 << 26
    private static let magic = Array("MARTLETP".utf8)

    private(set) var entries: [Entry] = []

    mutating func add(_ entry: Entry) throws(StorageError) {
        guard entries.count < Self.most else {
            throw .limit("\(Self.most) deletions that wait for blocks which cannot be opened")
        }
        entries.append(entry)
    }

    mutating func removeAll(where condition: (Entry) -> Bool) { entries.removeAll(where: condition) }

    /// Reads the file of a directory; a missing file has no entries.
    static func read(_ files: any FileSystem, _ directory: String) throws -> PendingDeletions {
        let path = directory + "/" + fileName
        guard try files.exists(path) else { return PendingDeletions() }
        let content = try files.content(path, section: "pending deletions", limit: longest)
        return try content.withUnsafeBytes { bytes in
            do throws(DecodeError) {
                guard content.starts(with: magic), bytes.count >= 16 else {
                    throw DecodeError(expected: "a list of pending deletions", offset: 0)
                }
                var reader = ByteReader(bytes, at: 8)
                let (version, checksum) = (try reader.u32(), try reader.u32())
                guard version == BlockFormat.version,
                    CRC32C.hash(UnsafeRawBufferPointer(rebasing: bytes[16...])) == checksum
                else { throw DecodeError(expected: "version \(BlockFormat.version) and its checksum", offset: 8) }
                var result = PendingDeletions()
                for _ in 0..<(try reader.count(min(bytes.count, most))) { result.entries.append(try entry(&reader)) }
                return result
            } catch {
                throw BlockError(
                    file: path, section: "pending deletions", offset: error.offset, reason: "expected \(error.expected)"
                )
            }
        }
    }

    private static func entry(_ reader: inout ByteReader) throws(DecodeError) -> Entry {
        func text() throws(DecodeError) -> String { String(decoding: try reader.sizedRun(), as: UTF8.self) }
        let block = try text()
        let (minTime, maxTime) = (try reader.zigzag(), try reader.zigzag())
        var matchers: [Matcher] = []
        for _ in 0..<(try reader.count(reader.remaining)) {
            let (name, kind, value) = (try text(), Matcher.Kind(rawValue: try text()), try text())
            guard let kind, let matcher = try? Matcher(name, kind, value) else {
                throw DecodeError(expected: "a matcher", offset: reader.offset)
            }
            matchers.append(matcher)
        }
        return Entry(block: block, matchers: matchers, minTime: minTime, maxTime: maxTime)
    }

    /// Writes the file durably, or removes it if there are no entries.
    func write(_ files: any FileSystem, _ directory: String) throws {
        let path = directory + "/" + Self.fileName
        if entries.isEmpty {
            guard try files.exists(path) else { return }
            try files.remove(path)
            return try files.syncDirectory(directory)
        }
        var rest: [UInt8] = []
        func add(_ text: String) {
            rest.appendVarint(text.utf8.count)
            rest += Array(text.utf8)
        }
        rest.appendVarint(entries.count)
        for entry in entries {
            add(entry.block)
            rest.appendZigzag(entry.minTime)
            rest.appendZigzag(entry.maxTime)
            rest.appendVarint(entry.matchers.count)
            for matcher in entry.matchers {
                add(matcher.name)
                add(matcher.kind.rawValue)
                add(matcher.value)
            }
        }
        guard rest.count <= Self.longest - 16 else {
            throw StorageError.limit("\(Self.longest) bytes of deletions that wait for blocks which cannot be opened")
        }
        try files.replace(path, with: Self.sealed(rest))
    }

    /// The content of a file: the header, and the entries.
    static func sealed(_ rest: [UInt8]) -> [UInt8] {
        var bytes = magic
        bytes.appendLittle(BlockFormat.version)
        bytes.appendLittle(CRC32C.hash(rest))
        return bytes + rest
    }
}
