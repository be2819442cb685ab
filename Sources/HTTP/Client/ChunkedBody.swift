/// Takes the chunked transfer coding off a body, as strictly as Go's reader does (RFC 9112, section 7.1).
struct ChunkedBody {
    private enum Step {
        case size, data, dataEnd, done
    }
    private var step = Step.size
    private var line: [UInt8] = []
    private var left: UInt64 = 0
    private static let maxLine = 4096

    /// Whether the last chunk has come.
    var isComplete: Bool { step == .done }

    init() {}

    /// Reads the next bytes, and calls `take` with the parts that belong to the body.
    ///
    /// - Returns: Why the coding is wrong; nil if it is not.
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
            case .done: return nil
            }
        }
        return nil
    }

    private mutating func endLine() -> String? {
        defer { line.removeAll(keepingCapacity: true) }
        if step == .dataEnd {
            guard line == [0x0D, 0x0A] else { return "malformed chunked encoding" }
            step = .size
            return nil
        }
        guard line.count >= 2, line[line.count - 2] == 0x0D else { return "chunked line ends with bare LF" }
        let digits = line.prefix { $0 != 0x3B }.reversed().drop { $0 <= 0x20 }.reversed()
        if digits.isEmpty { return "empty hex number for chunk length" }
        if digits.count > 16 { return "http chunk length too large" }
        var size: UInt64 = 0
        for digit in digits {
            switch digit {
            case 0x30...0x39: size = size << 4 | UInt64(digit - 0x30)
            case 0x41...0x46: size = size << 4 | UInt64(digit - 0x37)
            case 0x61...0x66: size = size << 4 | UInt64(digit - 0x57)
            default: return "invalid byte in chunk length"
            }
        }
        left = size
        step = size == 0 ? .done : .data
        return nil
    }
}
