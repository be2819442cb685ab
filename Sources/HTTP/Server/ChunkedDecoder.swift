/// Decodes the chunked transfer coding of a body that is received in parts.
package struct ChunkedDecoder: Sendable {
    private enum State {
        case size(digits: Int), endOfSize
        case extensions
        case data(Int), endOfData, endOfDataFeed
        case trailer(line: Int), trailerFeed(isLast: Bool)
        case done
    }
    private var state = State.size(digits: 0)
    private var size = 0
    private var extra = 0

    /// The most bytes of all extensions of chunks and of the trailers, which are not used.
    static let maxExtra = 16 << 10

    package init() {}

    package var isDone: Bool { if case .done = state { true } else { false } }

    /// Decodes a part.
    ///
    /// - Returns: The number of bytes that belong to the body's encoding; the rest belongs to the next request.
    package mutating func decode(
        _ bytes: UnsafeBufferPointer<UInt8>, _ emit: (UnsafeBufferPointer<UInt8>) throws(RequestRefusal) -> Void
    ) throws(RequestRefusal) -> Int {
        var at = 0
        while at < bytes.count, !isDone {
            if case .data(let left) = state {
                let count = min(left, bytes.count - at)
                try emit(UnsafeBufferPointer(rebasing: bytes[at..<(at + count)]))
                at += count
                state = count == left ? .endOfData : .data(left - count)
                continue
            }
            try take(bytes[at])
            at += 1
        }
        return at
    }

    private mutating func take(_ byte: UInt8) throws(RequestRefusal) {
        switch state {
        case .size(let digits):
            if let digit = URLEncoding.hex(byte) {
                guard digits < 15 else { throw .malformed("chunk size too large") }
                size = size << 4 | Int(digit)
                state = .size(digits: digits + 1)
                return
            }
            guard digits > 0 else { throw .malformed("invalid chunk size") }
            try afterSize(byte)
        case .extensions:
            guard byte != 0x0A, byte != 0 else { throw .malformed("invalid chunk extension") }
            try count()
            if byte == 0x0D { state = .endOfSize }
        case .endOfSize:
            guard byte == 0x0A else { throw .malformed("CR without LF") }
            state = size == 0 ? .trailer(line: 0) : .data(size)
            size = 0
        case .endOfData:
            guard byte == 0x0D else { throw .malformed("chunk longer than its size") }
            state = .endOfDataFeed
        case .endOfDataFeed:
            guard byte == 0x0A else { throw .malformed("CR without LF") }
            state = .size(digits: 0)
        case .trailer(let line):
            if byte == 0x0D {
                state = .trailerFeed(isLast: line == 0)
                return
            }
            guard byte != 0x0A, byte != 0 else { throw .malformed("LF without CR") }
            try count()
            state = .trailer(line: line + 1)
        case .trailerFeed(let isLast):
            guard byte == 0x0A else { throw .malformed("CR without LF") }
            state = isLast ? .done : .trailer(line: 0)
        case .data, .done: break
        }
    }

    private mutating func afterSize(_ byte: UInt8) throws(RequestRefusal) {
        switch byte {
        case 0x0D: state = .endOfSize
        case 0x3B: state = .extensions
        default: throw .malformed("invalid chunk size")
        }
    }

    private mutating func count() throws(RequestRefusal) {
        extra += 1
        guard extra <= Self.maxExtra else { throw .malformed("chunk extensions and trailers too long") }
    }
}
