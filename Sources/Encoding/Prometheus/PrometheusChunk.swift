import Model

/// The chunks of Prometheus's blocks: XOR floats, histograms of integers, histograms of floats, and each of these with
/// start timestamps.
///
/// The format is described in Prometheus's `tsdb/docs/format/chunks.md`.
package enum PrometheusChunk {
    package static let xor: UInt8 = 1
    package static let histogram: UInt8 = 2
    package static let floatHistogram: UInt8 = 3
    /// Floats in Prometheus's newer XOR code, with or without start timestamps.
    package static let xor2: UInt8 = 4
    package static let startedHistogram: UInt8 = 5
    package static let startedFloatHistogram: UInt8 = 6
    /// The most samples in a chunk of floats.
    package static let capacity = 120

    /// The meaning of the flags before a histogram chunk for its first sample.
    enum ResetFlag {
        static let reset: UInt8 = 0b1000_0000
        static let gauge: UInt8 = 0b1100_0000
        static let mask: UInt8 = 0b1100_0000

        static func of(_ first: FloatHistogram) -> UInt8 {
            switch first.resetHint {
            case .gauge: gauge
            case .reset: reset
            case .unknown, .notReset: 0
            }
        }
    }

    // MARK: Reading

    /// The number of samples in the header of a chunk.
    package static func count(_ encoding: UInt8, _ bytes: UnsafeRawBufferPointer) -> Int {
        guard bytes.count >= 2 else { return 0 }
        let high = isStartedHistogram(encoding) ? bytes[0] & ~ResetFlag.mask : bytes[0]
        return Int(high) << 8 | Int(bytes[1])
    }

    private static func isStartedHistogram(_ encoding: UInt8) -> Bool {
        encoding == startedHistogram || encoding == startedFloatHistogram
    }

    /// Appends the samples of a chunk.
    ///
    /// - Throws: `DecodeError` if the bytes end early or the encoding is unknown.
    package static func read(_ encoding: UInt8, _ bytes: UnsafeRawBufferPointer, into columns: inout SampleColumns)
        throws(DecodeError)
    {
        guard encoding >= xor, encoding <= startedFloatHistogram else {
            throw DecodeError(expected: "a chunk encoding of 1 to 6, not \(encoding)", offset: 0)
        }
        guard bytes.count >= 3, let base = bytes.bindMemory(to: UInt8.self).baseAddress else {
            throw DecodeError(expected: "a chunk", offset: 0)
        }
        let count = count(encoding, bytes)
        // A sample needs at least one bit.
        guard count <= bytes.count * 8 else { throw DecodeError(expected: "\(count) samples", offset: 0) }
        let first = columns.count
        var reader = BitReader(base, size: bytes.count, at: 16)
        switch encoding {
        case xor: readFloats(&reader, count, into: &columns)
        case xor2: readFloats2(&reader, count, into: &columns)
        default: try readHistograms(&reader, count, encoding, base[isStartedHistogram(encoding) ? 0 : 2], &columns)
        }
        if reader.isOverrun { throw DecodeError(expected: "\(count) samples", offset: bytes.count) }
        let hasStarts = encoding == xor2 || isStartedHistogram(encoding)
        if !hasStarts, !columns.starts.isEmpty, columns.count > first {
            columns.starts.append(0, from: columns.timestamps[first])
        }
    }

    private static func readFloats(_ reader: inout BitReader, _ count: Int, into columns: inout SampleColumns) {
        var values = XORRow()
        var (time, delta): (Int64, Int64) = (0, 0)
        for i in 0..<count {
            switch i {
            case 0:
                time = Zigzag.decode(reader.varint())
                columns.append(time, values.begin(&reader))
                continue
            case 1: delta = Int64(bitPattern: reader.varint())
            default:
                var ones = 0
                while ones < 4, reader.get(1) == 1 { ones += 1 }
                let width = [0, 14, 17, 20, 64][ones]
                if width > 0 { delta &+= reader.signed(reader.get(width), width) }
            }
            time &+= delta
            columns.append(time, values.next(&reader))
            if reader.isOverrun { return }
        }
    }

    private static func readHistograms(
        _ reader: inout BitReader, _ count: Int, _ encoding: UInt8, _ head: UInt8, _ columns: inout SampleColumns
    ) throws(DecodeError) {
        let isFloat = encoding == floatHistogram || encoding == startedFloatHistogram
        let flag = head & ResetFlag.mask
        let header = UInt8(reader.get(8))
        var starts = isStartedHistogram(encoding) ? ChunkStarts(header) : nil
        let layout = try HistogramLayout(&reader)
        let (positives, negatives) = (layout.positiveCount, layout.negativeCount)
        // A bucket needs at least one bit.
        guard !reader.isOverrun, positives + negatives <= reader.left else {
            throw DecodeError(expected: "a histogram", offset: reader.position / 8)
        }
        var (time, delta): (Int64, Int64) = (0, 0)
        var sum = XORRow()
        // The state of integers: the value and its last difference. The state of floats: the XOR code of each.
        var integers = [(value: Int64, delta: Int64)](
            repeating: (0, 0), count: isFloat ? 0 : 2 + positives + negatives)
        var floats = [XORRow](repeating: XORRow(), count: isFloat ? 2 + positives + negatives : 0)
        for i in 0..<count {
            switch i {
            case 0: time = reader.varbit()
            case 1: delta = reader.varbit()
            default: delta &+= reader.varbit()
            }
            time &+= delta
            func number(_ at: Int) -> Double {
                if isFloat { return i == 0 ? floats[at].begin(&reader) : floats[at].next(&reader) }
                switch i {
                case 0:
                    integers[at].value = at < 2 ? Int64(bitPattern: reader.unsignedVarbit()) : reader.varbit()
                case 1:
                    integers[at].delta = reader.varbit()
                    integers[at].value &+= integers[at].delta
                default:
                    integers[at].delta &+= reader.varbit()
                    integers[at].value &+= integers[at].delta
                }
                return Double(integers[at].value)
            }
            var result = FloatHistogram(
                resetHint: flag == ResetFlag.gauge ? .gauge : i == 0 && flag == ResetFlag.reset ? .reset : .unknown,
                schema: layout.schema, zeroThreshold: layout.zeroThreshold, positiveSpans: layout.positive,
                negativeSpans: layout.negative, customBounds: layout.bounds, hasFloatCounts: isFloat)
            result.count = number(0)
            result.zeroCount = number(1)
            result.sum = i == 0 ? sum.begin(&reader) : sum.next(&reader)
            if Staleness.isMarker(result.sum) {
                columns.append(time, Staleness.marker)
                starts?.read(&reader, i, time, &columns)
                if reader.isOverrun { return }
                continue
            }
            // Integers are written as differences between neighbours.
            var running = 0.0
            for at in 0..<positives {
                running = isFloat ? number(2 + at) : running + number(2 + at)
                result.positiveBuckets.append(running)
            }
            running = 0
            for at in 0..<negatives {
                running = isFloat ? number(2 + positives + at) : running + number(2 + positives + at)
                result.negativeBuckets.append(running)
            }
            columns.append(time, result)
            starts?.read(&reader, i, time, &columns)
            if reader.isOverrun { return }
        }
    }

    // MARK: Writing

    private static func header(_ count: Int) -> [UInt8] { [UInt8(count >> 8), UInt8(count & 0xFF)] }

    /// A chunk of floats; at least one, at most 65,535.
    package static func floats(_ times: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>) -> [UInt8] {
        var writer = ChunkBitWriter(header(times.count))
        var row = XORRow()
        var delta: Int64 = 0
        for i in times.indices {
            switch i {
            case 0:
                writer.putVarint(Zigzag.encode(times[0]))
                row.begin(values[0], &writer)
                continue
            case 1:
                delta = times[1] &- times[0]
                writer.putVarint(UInt64(bitPattern: delta))
            default:
                let next = times[i] &- times[i - 1]
                putTime(next &- delta, &writer)
                delta = next
            }
            row.put(values[i], &writer)
        }
        return writer.bytes
    }

    private static func putTime(_ change: Int64, _ writer: inout ChunkBitWriter) {
        func fits(_ width: Int64) -> Bool { change >= -(1 << (width - 1)) + 1 && change <= 1 << (width - 1) }
        let bits = UInt64(bitPattern: change)
        if change == 0 {
            writer.put(0, 1)
        } else if fits(14) {
            writer.put(0b10, 2)
            writer.put(bits, 14)
        } else if fits(17) {
            writer.put(0b110, 3)
            writer.put(bits, 17)
        } else if fits(20) {
            writer.put(0b1110, 4)
            writer.put(bits, 20)
        } else {
            writer.put(0b1111, 4)
            writer.put(bits, 64)
        }
    }
}
