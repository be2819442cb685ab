import Encoding
import Model

/// The encoded values of a chunk, open or sealed, with all that is needed to decode them.
struct ChunkView {
    var codec: UInt8
    var scale: Int8
    var count: Int
    var bits: Int
    /// The value of a constant chunk.
    var constant: Double
    /// The encoded bits, followed by two words that may be read.
    var words: UnsafeBufferPointer<UInt32>

    init(codec: UInt8, scale: Int8, count: Int, bits: Int, constant: Double, words: UnsafeBufferPointer<UInt32>) {
        self.codec = codec
        self.scale = scale
        self.count = count
        self.bits = bits
        self.constant = constant
        self.words = words
    }

    init(_ state: SeriesState, words: UnsafeBufferPointer<UInt32>) {
        self.init(
            codec: state.codec, scale: state.scale, count: Int(state.count), bits: Int(state.bits),
            constant: state.lastValue, words: words)
    }

    /// A reader of up to 32 bits at a time.
    ///
    /// A read that starts past the end returns zeros; callers compare `at` with the number of bits.
    private struct Reader {
        private let words: UnsafePointer<UInt32>
        private let end: Int
        var at = 0

        /// Makes a reader of the first `bits` bits of `words`; nil if there are no words.
        init?(_ words: UnsafeBufferPointer<UInt32>, _ bits: Int) {
            guard let base = words.baseAddress else { return nil }
            // `peek` reads two words, from the word of the bit at `at` on; `at` is at most `bits`.
            assert(bits >= 0 && bits >> 5 &+ 2 <= words.count, "\(bits) bits in \(words.count) words")
            self.words = base
            end = bits
        }

        @inline(__always)
        mutating func peek() -> UInt64 {
            guard at <= end else { return 0 }
            assert(at >= 0)
            let word = at >> 5
            let pair = UInt64(words[word]) | UInt64(words[word &+ 1]) << 32
            return pair >> UInt64(at & 31)
        }

        @inline(__always)
        mutating func take(_ count: Int) -> UInt64 {
            let value = peek() & (1 << UInt64(count) &- 1)
            at &+= count
            return value
        }

        @inline(__always)
        mutating func takeLong(_ count: Int) -> UInt64 {
            if count <= 32 { return take(count) }
            let low = take(32)
            return low | take(count &- 32) << 32
        }
    }

    /// Decodes `count` values, with stale markers as values; returns false if the bits end early or are not valid.
    @discardableResult
    func decode(into values: UnsafeMutableBufferPointer<Double>) -> Bool {
        guard count > 0 else { return true }
        guard let base = values.baseAddress else { return false }
        assert(count <= values.count, "\(count) values, and space for \(values.count)")
        return decode(to: base)
    }

    /// Decodes `count` values; the memory must suffice.
    private func decode(to values: UnsafeMutablePointer<Double>) -> Bool {
        switch codec {
        case SeriesState.constant:
            for i in 0..<count { values[i] = constant }
            return true
        case SeriesState.integer: return decodeInteger(to: values)
        case SeriesState.xor: return decodeXOR(to: values)
        case SealedRecord.packed: return decodePacked(to: values)
        default: return false
        }
    }

    private func decodePacked(to values: UnsafeMutablePointer<Double>) -> Bool {
        guard scale >= 0, scale <= Decimal.maxScale else { return false }
        // Integers are decoded in place: both are 8 bytes wide.
        let raw = UnsafeMutableRawPointer(values)
        let integers = raw.bindMemory(to: Int64.self, capacity: count)
        defer { _ = raw.bindMemory(to: Double.self, capacity: count) }
        do throws(DecodeError) {
            let bytes = (bits &+ 7) >> 3
            assert(bytes <= words.count &* 4, "\(bytes) bytes in \(words.count) words")
            try FrameOfReference.read(
                UnsafeRawBufferPointer(start: words.baseAddress, count: bytes), count: count, into: integers)
        } catch { return false }
        let power = Decimal.power(scale)
        for i in 0..<count { raw.storeBytes(of: Double(integers[i]) / power, toByteOffset: i &* 8, as: Double.self) }
        return true
    }

    private func decodeInteger(to values: UnsafeMutablePointer<Double>) -> Bool {
        guard scale >= 0, scale <= Decimal.maxScale, var reader = Reader(words, bits) else { return false }
        let power = Decimal.power(scale)
        var mantissa = Int64(bitPattern: reader.takeLong(64))
        var value = Double(mantissa) / power
        var delta: Int64 = 0
        for i in 0..<count {
            let next = reader.peek()
            if next & 1 == 0 {
                reader.at &+= 1
                if delta != 0 {
                    mantissa = mantissa &+ delta
                    value = Double(mantissa) / power
                }
                values[i] = value
                continue
            }
            let second: UInt64
            switch (~next).trailingZeroBitCount {
            case 1:
                second = next >> 2 & 0x3F
                reader.at &+= 8
            case 2:
                second = next >> 3 & 0xFFF
                reader.at &+= 15
            case 3:
                second = next >> 4 & 0xFFFFF
                reader.at &+= 24
            case 4:
                reader.at &+= 5
                second = reader.take(32)
            case 5:
                reader.at &+= 6
                delta = Int64(bitPattern: reader.takeLong(64))
                mantissa = mantissa &+ delta
                if Int64(Int32(truncatingIfNeeded: delta)) != delta { delta = 0 }
                value = Double(mantissa) / power
                values[i] = value
                continue
            default:
                reader.at &+= 6
                values[i] = Staleness.marker
                continue
            }
            delta = delta &+ (Int64(bitPattern: second >> 1) ^ -Int64(second & 1))
            mantissa = mantissa &+ delta
            if Int64(Int32(truncatingIfNeeded: delta)) != delta { delta = 0 }
            value = Double(mantissa) / power
            values[i] = value
        }
        return reader.at <= bits
    }

    private func decodeXOR(to values: UnsafeMutablePointer<Double>) -> Bool {
        guard var reader = Reader(words, bits) else { return false }
        var pattern = reader.takeLong(64)
        var (lead, width) = (0, 0)
        for i in 0..<count {
            let next = reader.peek()
            if next & 1 == 0 {
                reader.at &+= 1
            } else if next & 0b11 == 0b01 {
                reader.at &+= 2
                guard width > 0 else { return false }
                pattern ^= reader.takeLong(width) << UInt64(64 &- lead &- width)
            } else if next & 0b111 == 0b011 {
                lead = Int(next >> 3 & 31)
                width = Int(next >> 8 & 63) &+ 1
                guard lead &+ width <= 64 else { return false }
                reader.at &+= 14
                pattern ^= reader.takeLong(width) << UInt64(64 &- lead &- width)
            } else {
                reader.at &+= 3
                values[i] = Staleness.marker
                continue
            }
            values[i] = Double(bitPattern: pattern)
        }
        return reader.at <= bits
    }
}
