import Model

/// The start timestamps in one of Prometheus's chunks: each stands behind its sample.
struct ChunkStarts {
    /// Whether the first sample has one; it holds until `from`.
    private let hasFirst: Bool
    /// The sample from which on every one has one; 0 for none.
    private let from: Int
    private var start: Int64 = 0
    /// How long before the sample in front of it the newest start timestamp is, ms.
    private var distance: Int64 = 0
    private var timeBefore: Int64 = 0

    /// - Parameter header: The byte of the chunk that says which samples have one.
    init(_ header: UInt8) {
        hasFirst = header & 0x80 != 0
        from = Int(header & 0x7F)
    }

    /// Reads what stands behind sample `at`, which is the newest of `columns`.
    mutating func read(_ reader: inout BitReader, _ at: Int, _ time: Int64, _ columns: inout SampleColumns) {
        if at == 0 {
            if hasFirst { start = time &- Zigzag.decode(reader.varint()) }
        } else if from > 0, at >= from {
            distance = at == from ? reader.varbit() : distance &+ reader.varbit()
            start = timeBefore &- distance
        }
        timeBefore = time
        columns.starts.append(start, from: time)
    }
}

/// The XOR code of the floats of chunk encoding 4: staleness markers stand beside it.
private struct XOR2Row {
    /// The newest value that is no staleness marker.
    private var bits: UInt64 = 0
    private var (leading, width) = (0, 0)

    mutating func begin(_ reader: inout BitReader) -> Double {
        let value = Double(bitPattern: reader.get(64))
        if !Staleness.isMarker(value) { bits = value.bitPattern }
        return value
    }

    var value: Double { Double(bitPattern: bits) }

    /// A value that may be unchanged or a staleness marker.
    mutating func next(_ reader: inout BitReader) -> Double {
        if reader.get(1) == 0 { return value }
        if reader.get(1) == 0 { return inOldWindow(&reader) }
        return reader.get(1) == 0 ? inNewWindow(&reader) : Staleness.marker
    }

    /// A value that has changed.
    mutating func changed(_ reader: inout BitReader) -> Double {
        reader.get(1) == 0 ? inOldWindow(&reader) : inNewWindow(&reader)
    }

    private mutating func inNewWindow(_ reader: inout BitReader) -> Double {
        leading = Int(reader.get(5))
        width = Int(reader.get(6))
        if width == 0 { width = 64 }
        width = min(width, 64 - leading)
        return inOldWindow(&reader)
    }

    private mutating func inOldWindow(_ reader: inout BitReader) -> Double {
        bits ^= reader.get(width) &<< UInt64(64 - leading - width)
        return value
    }
}

extension PrometheusChunk {
    /// Reads a chunk of encoding 4 behind its number of samples.
    static func readFloats2(_ reader: inout BitReader, _ count: Int, into columns: inout SampleColumns) {
        var starts = ChunkStarts(UInt8(reader.get(8)))
        var values = XOR2Row()
        var (time, delta): (Int64, Int64) = (0, 0)
        for i in 0..<count {
            let value: Double
            switch i {
            case 0:
                time = Zigzag.decode(reader.varint())
                value = values.begin(&reader)
            case 1:
                delta = Int64(bitPattern: reader.varint())
                value = values.next(&reader)
            default:
                var ones = 0
                while ones < 5, reader.get(1) == 1 { ones += 1 }
                // From three ones on a change of the distance in time follows, in two's complement.
                let size = [0, 0, 13, 20, 64, 0][ones]
                if size > 0 {
                    delta &+= Int64(bitPattern: reader.get(size) &<< UInt64(64 - size)) &>> Int64(64 - size)
                }
                value =
                    switch ones {
                    case 0: values.value
                    case 1: values.changed(&reader)
                    case 5: Staleness.marker
                    default: values.next(&reader)
                    }
            }
            if i > 0 { time &+= delta }
            columns.append(time, value)
            starts.read(&reader, i, time, &columns)
            if reader.isOverrun { return }
        }
    }
}
