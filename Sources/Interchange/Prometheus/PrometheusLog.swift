import Encoding

/// Reads the records of a segment of Prometheus's write-ahead log.
///
/// A segment consists of pages of 32 KiB; a record is split into fragments that do not cross pages. After a damaged
/// fragment, reading continues with the next page.
package struct PrometheusLog: ~Copyable {
    /// A damaged part of a segment: its start, and whether no valid data follow it.
    package struct Damage: Sendable, Equatable {
        package var offset: Int
        package var reason: String
        package var isAtEnd: Bool
    }

    private static let page = 32 << 10
    private static let headerSize = 7
    /// The longest record that is accepted, bytes.
    private static let longest = 256 << 20

    private let decompressor: ZstdDecompressor

    package init() throws { decompressor = try ZstdDecompressor() }

    /// Calls `body` with each complete record; an error that it throws counts as damage of the record.
    ///
    /// - Returns: The first damage.
    package func read(_ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Void) -> Damage? {
        var damage: Damage?
        func note(_ offset: Int, _ reason: String) {
            if damage == nil { damage = Damage(offset: offset, reason: reason, isAtEnd: true) }
        }
        var record: [UInt8] = []
        var (isInRecord, start, at) = (false, 0, 0)
        while at < bytes.count {
            let pageEnd = min(at - at % Self.page + Self.page, bytes.count)
            let kind = bytes[at] & 7
            if kind == 0 {
                // The rest of a page is zeros.
                if !bytes[at..<pageEnd].allSatisfy({ $0 == 0 }) { note(at, "expected zeros up to the end of the page") }
                at = pageEnd
                continue
            }
            guard let fragment = Self.fragment(bytes, at, pageEnd), kind <= 4 else {
                note(
                    at, at + Self.headerSize > pageEnd ? "a record ends early" : "expected a whole fragment of a record"
                )
                isInRecord = false
                at = pageEnd
                continue
            }
            let place = at
            at = fragment.upperBound
            switch (kind, isInRecord) {
            case (1, _), (2, _):
                if isInRecord { note(start, "a record has no end") }
                (start, isInRecord) = (place, true)
                record.removeAll(keepingCapacity: true)
            case (_, true): break
            default:
                note(place, "a record has no beginning")
                continue
            }
            guard record.count + fragment.count <= Self.longest else {
                note(start, "a record is longer than \(Self.longest) bytes")
                isInRecord = false
                continue
            }
            record.append(contentsOf: bytes[fragment])
            guard kind == 1 || kind == 4 else { continue }
            isInRecord = false
            do {
                try hand(record, bytes[place], body)
                damage?.isAtEnd = false
            } catch { note(start, "\(error)") }
        }
        if isInRecord { note(start, "a record ends early") }
        return damage
    }

    /// The content of the fragment at `at`, if it is valid.
    private static func fragment(_ bytes: UnsafeRawBufferPointer, _ at: Int, _ end: Int) -> Range<Int>? {
        guard at + headerSize <= end else { return nil }
        let length = Int(bytes[at + 1]) << 8 | Int(bytes[at + 2])
        let start = at + headerSize
        guard length <= end - start else { return nil }
        let checksum = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: at + 3, as: UInt32.self))
        let content = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + length)])
        return CRC32C.hash(content) == checksum ? start..<(start + length) : nil
    }

    private func hand(_ record: [UInt8], _ head: UInt8, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        try record.withUnsafeBytes { bytes in
            // The decompressed size is limited by the size of the file.
            let limit = min(Self.longest, (64 + bytes.count) << 10)
            if head & 8 != 0 {
                try SnappyBlock.decompress(bytes, limit: limit).withUnsafeBytes(body)
            } else if head & 16 != 0 {
                try decompressor.decompress(bytes, limit: limit).withUnsafeBytes(body)
            } else {
                try body(bytes)
            }
        }
    }
}
