/// Bytes as Prometheus writes them: big-endian numbers and varints.
public struct PrometheusBytes: Sendable {
    public private(set) var bytes: [UInt8] = []

    public init() {}
    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    public mutating func byte(_ value: UInt8) { bytes.append(value) }
    public mutating func big32(_ value: UInt32) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }
    public mutating func big64(_ value: UInt64) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }
    public mutating func float(_ value: Double) { big64(value.bitPattern) }

    public mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    public mutating func zigzag(_ value: Int64) { varint(UInt64(bitPattern: (value << 1) ^ (value >> 63))) }

    public mutating func text(_ text: String) {
        varint(UInt64(text.utf8.count))
        bytes += Array(text.utf8)
    }

    public mutating func run(_ run: [UInt8]) { bytes += run }
}

/// CRC32 of Castagnoli, bit by bit.
public func castagnoli(_ bytes: [UInt8]) -> UInt32 {
    var checksum = ~UInt32(0)
    for byte in bytes {
        checksum ^= UInt32(byte)
        for _ in 0..<8 { checksum = checksum >> 1 ^ (checksum & 1 == 1 ? 0x82F6_3B78 : 0) }
    }
    return ~checksum
}

/// A segment of Prometheus's write-ahead log.
public struct PrometheusSegment: Sendable {
    private static let page = 32 << 10
    private static let header = 7
    public private(set) var bytes: [UInt8] = []

    public init() {}

    /// Appends a record in as many fragments as the pages ask for.
    ///
    /// - Parameter compression: The bits of each fragment that say how `record` was compressed.
    public mutating func append(_ record: [UInt8], compression: UInt8 = 0) {
        var rest = record[...]
        var isFirst = true
        repeat {
            var free = Self.page - bytes.count % Self.page
            if free <= Self.header {
                bytes += [UInt8](repeating: 0, count: free)
                free = Self.page
            }
            let part = rest.prefix(free - Self.header)
            rest = rest.dropFirst(part.count)
            let kind: UInt8 = isFirst ? (rest.isEmpty ? 1 : 2) : (rest.isEmpty ? 4 : 3)
            isFirst = false
            var fragment = PrometheusBytes([kind | compression, UInt8(part.count >> 8), UInt8(part.count & 0xFF)])
            fragment.big32(castagnoli(Array(part)))
            fragment.run(Array(part))
            bytes += fragment.bytes
        } while !rest.isEmpty
    }

    /// Fills the page with zeros, as Prometheus does with each that it ends.
    public mutating func pad() {
        let rest = bytes.count % Self.page
        if rest > 0 { bytes += [UInt8](repeating: 0, count: Self.page - rest) }
    }
}

/// A file of Prometheus's `chunks_head`.
public struct PrometheusHeadChunkFile: Sendable {
    public private(set) var bytes: [UInt8] = [0x01, 0x30, 0xBC, 0x91, 1, 0, 0, 0]

    public init() {}

    public mutating func append(
        _ reference: UInt64, _ times: ClosedRange<Int64>, encoding: UInt8, isOutOfOrder: Bool = false, _ data: [UInt8]
    ) {
        var chunk = PrometheusBytes()
        chunk.big64(reference)
        chunk.big64(UInt64(bitPattern: times.lowerBound))
        chunk.big64(UInt64(bitPattern: times.upperBound))
        chunk.byte(encoding | (isOutOfOrder ? 0x80 : 0))
        chunk.varint(UInt64(data.count))
        chunk.run(data)
        chunk.big32(castagnoli(chunk.bytes))
        bytes += chunk.bytes
    }
}
