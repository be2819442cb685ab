import Model

/// The start timestamps in one of Prometheus's chunks: each follows its sample.
struct ChunkStarts {
    /// Whether the first sample has one; it applies until `from`.
    private let hasFirst: Bool
    /// The first sample of those that all have one; 0 for none.
    private let from: Int
    private var start: Int64 = 0
    /// The distance of the newest start timestamp before the preceding sample, ms.
    private var distance: Int64 = 0
    private var timeBefore: Int64 = 0

    /// - Parameter header: The byte of the chunk that encodes which samples have one.
    init(_ header: UInt8) {
        hasFirst = header & 0x80 != 0
        from = Int(header & 0x7F)
    }

    /// Reads the data after sample `at`, which is the newest of `columns`.
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

/// The XOR code of the floats of chunk encoding 4, with separate stale markers.
private struct XOR2Row {
    /// The newest value that is not a stale marker.
    private var bits: UInt64 = 0
    private var (leading, width) = (0, 0)

    mutating func begin(_ reader: inout BitReader) -> Double {
        let value = Double(bitPattern: reader.get(64))
        if !Staleness.isMarker(value) { bits = value.bitPattern }
        return value
    }

    var value: Double { Double(bitPattern: bits) }

    /// A value that may be unchanged or a stale marker.
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
    /// Reads a chunk of encoding 4 after its number of samples.
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
                // After at least three ones, a change of the distance in time follows, in two's complement.
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
