import Model

/// The state of a chunk that still grows: 16 trivial bytes; its code is in memory of the caller.
///
/// The caller keeps three things per series: this state, the last value that is not a stale marker (`last`), and some
/// bytes. A series that never changed needs no bytes at all. Starts as a constant; the first other value makes it a
/// stream of exactly scaled integers (``DeltaCode``) if all values are exact decimals, else of XORed doubles
/// (``XORCode``). Staleness is a code, not a value, and leaves `last` as it is.
///
///     stream = header, codes     header of integers: 6 bits width − 1, that many bits of the zigzag-coded base
///                                header of doubles:  64 bits of the base
///                                both, then: 0 if one sample equals the base, else 1 and their number in 16 bits
public struct OpenChunk: Sendable, Hashable {
    private enum Kind {
        static let constant: UInt8 = 0
        static let integers: UInt8 = 1
        static let doubles: UInt8 = 2
        static let mask: UInt8 = 0x0F
        static let stale: UInt8 = 0x80
    }

    /// The last change of the scaled value.
    private var delta: Int64 = 0
    /// Bits of code.
    private var bits: UInt16 = 0
    private var samples: UInt16 = 0
    private var kind: UInt8 = 0
    /// Decimal places of the integers; kept from chunk to chunk as a first guess.
    private var scale: UInt8 = 0
    private var leading: UInt8 = 255
    private var size: UInt8 = 0

    public init() {}

    /// Samples in the chunk.
    public var count: Int { Int(samples) }

    /// Bytes of code in use; the last one perhaps in part.
    public var byteCount: Int { (Int(bits) &+ 7) &>> 3 }

    /// Whether the newest sample is a stale marker.
    public var isStale: Bool { kind & Kind.stale != 0 }

    /// What became of an append.
    public enum Outcome: Equatable, Sendable {
        case appended
        /// Nothing was changed; call again with at least this many bytes of memory, the old content copied.
        case needsRoom(Int)
        /// Nothing was changed; seal the chunk and begin the next one.
        case full
    }

    /// Begins the next chunk; what is known about the series' decimals is kept.
    public mutating func reset() {
        let known = scale
        self = OpenChunk()
        scale = known
    }

    /// Appends `value`.
    ///
    /// - Parameters:
    ///   - value: Any bit pattern; the stale marker becomes a code.
    ///   - last: The series' last value that was no marker; replaced by `value`.
    ///   - bytes: The chunk's memory; may be nil while `capacity` is 0.
    public mutating func append(
        _ value: Double, last: inout Double, bytes: UnsafeMutablePointer<UInt8>?, capacity: Int
    ) -> Outcome {
        let isMarker = Staleness.isMarker(value)
        if kind & Kind.mask == Kind.constant {
            if !isMarker, samples == 0 || value.bitPattern == last.bitPattern {
                guard samples < .max else { return .full }
                if samples == 0 { last = value }
                samples &+= 1
                return .appended
            }
            return begin(value, isMarker, &last, bytes, capacity)
        }
        guard samples < .max, let bytes else { return bytes == nil ? .needsRoom(32) : .full }
        if kind & Kind.mask == Kind.integers {
            if isMarker {
                if let outcome = room(DeltaCode.staleSize, capacity) { return outcome }
                var writer = BitWriter(bytes, capacity: capacity, at: Int(bits))
                DeltaCode.putStale(into: &writer)
                finish(writer, isStale: true)
                return .appended
            }
            var next: Int64 = 0
            if value.bitPattern == last.bitPattern {
                next = 0
            } else {
                let power = ExactDecimal.power(Int(scale))
                guard let m = ExactDecimal.mantissa(value, power: power),
                    let previous = ExactDecimal.mantissa(last, power: power)
                else { return convert(value, &last, bytes, capacity) }
                next = m &- previous
            }
            let residual = next &- delta
            if let outcome = room(DeltaCode.size(residual), capacity) { return outcome }
            var writer = BitWriter(bytes, capacity: capacity, at: Int(bits))
            DeltaCode.put(residual, into: &writer)
            finish(writer, isStale: false)
            delta = next
            last = value
            return .appended
        }
        var code = XORCode(leading: leading, size: size)
        let difference = value.bitPattern ^ last.bitPattern
        if let outcome = room(isMarker ? XORCode.staleSize : code.size(difference), capacity) { return outcome }
        var writer = BitWriter(bytes, capacity: capacity, at: Int(bits))
        if isMarker {
            XORCode.putStale(into: &writer)
        } else {
            code.put(difference, into: &writer)
            (leading, size) = (code.leading, code.size)
            last = value
        }
        finish(writer, isStale: isMarker)
        return .appended
    }

    /// Nil if `extra` bits fit, else what to answer.
    @inline(__always)
    private func room(_ extra: Int, _ capacity: Int) -> Outcome? {
        let total = Int(bits) &+ extra
        if total > 65_000 { return .full }
        let needed = (total &+ 7) &>> 3
        return needed <= capacity ? nil : .needsRoom(needed)
    }

    @inline(__always)
    private mutating func finish(_ writer: BitWriter, isStale: Bool) {
        bits = UInt16(truncatingIfNeeded: writer.position)
        samples &+= 1
        kind = kind & Kind.mask | (isStale ? Kind.stale : 0)
    }

    /// Turns a constant into a stream by its first other sample.
    private mutating func begin(
        _ value: Double, _ isMarker: Bool, _ last: inout Double,
        _ bytes: UnsafeMutablePointer<UInt8>?, _ capacity: Int
    ) -> Outcome {
        guard samples < .max else { return .full }
        guard let bytes, capacity >= 12 else { return .needsRoom(12) }
        var chosen: Int?
        if let own = ExactDecimal.scale(of: last, atLeast: Int(scale)) ?? ExactDecimal.scale(of: last) {
            chosen = own
            if !isMarker {
                chosen = ExactDecimal.scale(of: value, atLeast: own)
                if let both = chosen, ExactDecimal.mantissa(last, scale: both) == nil { chosen = nil }
            }
        }
        var next = OpenChunk()
        var writer = BitWriter(bytes, capacity: capacity)
        if let chosen, let base = ExactDecimal.mantissa(last, scale: chosen) {
            next.kind = Kind.integers
            next.scale = UInt8(truncatingIfNeeded: chosen)
            let coded = Zigzag.encode(base)
            let width = max(64 &- coded.leadingZeroBitCount, 1)
            writer.put(UInt64(width &- 1), 6)
            writer.put(coded, width)
        } else {
            next.kind = Kind.doubles
            next.scale = scale
            writer.put(last.bitPattern, 64)
        }
        if samples == 1 {
            writer.put(0, 1)
        } else {
            writer.put(1 &<< 16 | UInt64(samples), 17)
        }
        next.samples = samples
        next.bits = UInt16(truncatingIfNeeded: writer.position)
        // The header is written anew by the next attempt if there is no room for the sample.
        let outcome = next.append(value, last: &last, bytes: bytes, capacity: capacity)
        if outcome == .appended { self = next }
        return outcome
    }

    /// Writes the chunk anew at a larger scale, or as doubles, because `value` does not fit the present one.
    private mutating func convert(
        _ value: Double, _ last: inout Double, _ bytes: UnsafeMutablePointer<UInt8>, _ capacity: Int
    ) -> Outcome {
        let number = Int(samples)
        return withUnsafeTemporaryAllocation(of: Double.self, capacity: number &+ 1) { values -> Outcome in
            guard let base = values.baseAddress else { return .full }
            do throws(DecodeError) {
                try decode(UnsafePointer(bytes), size: byteCount, last: last, into: base)
            } catch { return .full }
            base[number] = value
            var wanted = ExactDecimal.scale(of: value, atLeast: Int(scale))
            if let larger = wanted {
                let power = ExactDecimal.power(larger)
                for i in 0..<number
                where !Staleness.isMarker(base[i])
                    && ExactDecimal.mantissa(base[i], power: power) == nil
                {
                    wanted = nil
                    break
                }
            }
            // 13 bits of code and 64 of value at most, and the header.
            let room = number &* 10 &+ 32
            return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: room) { scratch -> Outcome in
                guard let memory = scratch.baseAddress else { return .full }
                var next = OpenChunk()
                next.scale = UInt8(truncatingIfNeeded: wanted ?? 0)
                var newLast = Staleness.isMarker(base[0]) ? 0 : base[0]
                if wanted == nil { next.beginDoubles(base[0], memory, room) }
                for i in (wanted == nil ? 1 : 0)...number {
                    let outcome = next.append(base[i], last: &newLast, bytes: memory, capacity: room)
                    guard outcome == .appended else { return .full }
                }
                guard next.byteCount <= capacity else { return .needsRoom(next.byteCount) }
                bytes.update(from: memory, count: next.byteCount)
                self = next
                last = newLast
                return .appended
            }
        }
    }

    /// Begins a stream of doubles whose first sample is `value`.
    private mutating func beginDoubles(_ value: Double, _ bytes: UnsafeMutablePointer<UInt8>, _ capacity: Int) {
        var writer = BitWriter(bytes, capacity: capacity)
        kind = Kind.doubles
        if Staleness.isMarker(value) {
            writer.put(0, 64)
            writer.put(1 &<< 16, 17)
            XORCode.putStale(into: &writer)
            kind |= Kind.stale
        } else {
            writer.put(value.bitPattern, 64)
            writer.put(0, 1)
        }
        samples = 1
        bits = UInt16(truncatingIfNeeded: writer.position)
    }

    /// Writes the ``count`` values to `values`, staleness as the marker.
    ///
    /// - Parameter last: The series' last value that was no marker.
    public func decode(
        _ bytes: UnsafePointer<UInt8>?, size: Int, last: Double, into values: UnsafeMutablePointer<Double>
    ) throws(DecodeError) {
        let number = Int(samples)
        if kind & Kind.mask == Kind.constant {
            values.update(repeating: last, count: number)
            return
        }
        guard let bytes, size >= byteCount else { throw DecodeError(expected: "\(byteCount) bytes", offset: size) }
        var reader = BitReader(bytes, size: byteCount)
        let isInteger = kind & Kind.mask == Kind.integers
        var base: UInt64
        if isInteger {
            let width = Int(reader.get(6)) &+ 1
            base = reader.get(width)
        } else {
            base = reader.get(64)
        }
        let prefix = reader.get(1) == 0 ? 1 : Int(reader.get(16))
        guard prefix <= number else { throw DecodeError(expected: "at most \(number) samples", offset: 0) }
        let marker = Staleness.marker
        if isInteger {
            let power = ExactDecimal.power(Int(scale))
            var integer = Zigzag.decode(base)
            var change: Int64 = 0
            values.update(repeating: Double(integer) / power, count: prefix)
            for i in prefix..<number {
                if let residual = DeltaCode.get(from: &reader) {
                    change &+= residual
                    integer &+= change
                    values[i] = Double(integer) / power
                } else {
                    values[i] = marker
                }
            }
        } else {
            var code = XORCode()
            values.update(repeating: Double(bitPattern: base), count: prefix)
            for i in prefix..<number {
                if let difference = code.get(from: &reader) {
                    base ^= difference
                    values[i] = Double(bitPattern: base)
                } else {
                    values[i] = marker
                }
            }
        }
        guard !reader.isOverrun else { throw DecodeError(expected: "\(number) samples", offset: size) }
    }
}
