/// Decodes the chunked transfer coding of a body, as strictly as Go's reader (RFC 9112, section 7.1).
struct ChunkedBody {
    private enum Step {
        case size, data, dataEnd, trailer, done
    }
    private var step = Step.size
    private var line: [UInt8] = []
    private var left: UInt64 = 0
    /// The bytes of sizes and extensions above the allowance of the chunks so far.
    private var excess: UInt64 = 0
    /// The bytes after the last chunk.
    private var trailing = 0
    private var isLineEmpty = true
    /// The number of chunks so far.
    ///
    /// Each costs time, however small it is.
    private(set) var count = 0

    private static let maxLine = 4096
    /// The bytes that each chunk may have beside its data, and the bytes that all chunks may have above that, as in Go.
    private static let chunkOverhead: UInt64 = 16
    private static let maxExcess: UInt64 = 16 << 10
    /// The largest size of the trailers, which are not used.
    static let maxTrailer = 16 << 10
    /// The most bytes after the end of the body.
    ///
    /// They only arrive together with it.
    private static let maxBehind = 256 << 10

    /// Whether the last chunk was received.
    var isComplete: Bool { step == .trailer || step == .done }

    init() {}

    /// Reads the next bytes, and calls `take` with the parts that belong to the body.
    ///
    /// - Returns: The error of the coding; nil if there is none.
    mutating func receive(_ bytes: UnsafeRawBufferPointer, _ take: (UnsafeRawBufferPointer) -> Void) -> String? {
        var position = 0
        while position < bytes.count {
            switch step {
            case .size, .dataEnd:
                let byte = bytes[position]
                position += 1
                line.append(byte)
                if byte == 0x0A {
                    if let problem = endLine() { return problem }
                } else if line.count > (step == .dataEnd ? 2 : Self.maxLine) {
                    return step == .dataEnd ? "malformed chunked encoding" : "header line too long"
                }
            case .data:
                let count = Int(min(left, UInt64(bytes.count - position)))
                take(UnsafeRawBufferPointer(rebasing: bytes[position..<(position + count)]))
                position += count
                left -= UInt64(count)
                if left == 0 { step = .dataEnd }
            case .trailer:
                if let problem = readTrailer(bytes[position]) { return problem }
                position += 1
            case .done:
                trailing += bytes.count - position
                return trailing > Self.maxBehind ? Self.longTrailer : nil
            }
        }
        return nil
    }

    private static let longTrailer = "http: suspiciously long trailer after chunked body"

    /// Skips a byte of the trailers, which end with an empty line.
    private mutating func readTrailer(_ byte: UInt8) -> String? {
        trailing += 1
        if trailing > Self.maxTrailer { return Self.longTrailer }
        if byte == 0x0A {
            if isLineEmpty { step = .done }
            isLineEmpty = true
        } else if byte != 0x0D {
            isLineEmpty = false
        }
        return nil
    }

    private mutating func endLine() -> String? {
        defer { line.removeAll(keepingCapacity: true) }
        if step == .dataEnd {
            guard line.count == 2, line[0] == 0x0D else { return "malformed chunked encoding" }
            step = .size
            return nil
        }
        guard line.count >= 2, line[line.count - 2] == 0x0D else { return "chunked line ends with bare LF" }
        var end = 0
        while end < line.count, line[end] != 0x3B { end += 1 }
        while end > 0, line[end - 1] <= 0x20 { end -= 1 }
        if end == 0 { return "empty hex number for chunk length" }
        if end > 16 { return "http chunk length too large" }
        var size: UInt64 = 0
        for digit in line[..<end] {
            switch digit {
            case 0x30...0x39: size = size << 4 | UInt64(digit - 0x30)
            case 0x41...0x46: size = size << 4 | UInt64(digit - 0x37)
            case 0x61...0x66: size = size << 4 | UInt64(digit - 0x57)
            default: return "invalid byte in chunk length"
            }
        }
        count &+= 1
        // The line end after the data belongs to the chunk, too.
        excess += UInt64(line.count) + 2
        let allowed = Self.chunkOverhead + 2 * min(size, 1 << 32)
        excess -= min(excess, allowed)
        if excess > Self.maxExcess { return "chunked encoding contains too much non-data" }
        left = size
        step = size == 0 ? .trailer : .data
        return nil
    }
}
