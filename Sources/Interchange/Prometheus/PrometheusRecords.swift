import Encoding
import Model

/// Receives the contents of the records in Prometheus's logs.
protocol PrometheusRecordVisitor: AnyObject {
    func series(_ reference: UInt64, _ labels: Labels)
    func sample(_ reference: UInt64, _ time: Int64, _ value: Double, start: Int64)
    func histogram(_ reference: UInt64, _ time: Int64, _ histogram: FloatHistogram, start: Int64)
    func tombstone(_ reference: UInt64, _ from: Int64, _ to: Int64)
    func metadata(_ reference: UInt64, _ metadata: MetricMetadata)
    /// An exemplar, which is not read.
    func exemplarRecord()
}

/// Decodes records of Prometheus's write-ahead log and of its log of out-of-order samples.
enum PrometheusRecords {
    private static let types: [MetricType] = [
        .unknown, .counter, .gauge, .histogram, .gaugeHistogram, .summary, .info, .stateSet,
    ]

    static func read(_ bytes: UnsafeRawBufferPointer, _ visitor: some PrometheusRecordVisitor) throws(DecodeError) {
        var reader = ByteReader(bytes)
        switch try reader.byte() {
        case 1:
            while !reader.isAtEnd { visitor.series(try reader.big64(), try labels(&reader)) }
        case 2: try samples(&reader, visitor)
        case 3:
            while !reader.isAtEnd { visitor.tombstone(try reader.big64(), try reader.zigzag(), try reader.zigzag()) }
        case 4: visitor.exemplarRecord()
        case 5: return
        case 6: try metadata(&reader, visitor)
        case 7: try histograms(&reader, visitor, isFloat: false, hasBounds: false)
        case 8: try histograms(&reader, visitor, isFloat: true, hasBounds: false)
        case 9: try histograms(&reader, visitor, isFloat: false, hasBounds: true)
        case 10: try histograms(&reader, visitor, isFloat: true, hasBounds: true)
        case 11:
            try started(&reader) { reader, reference, time, start throws(DecodeError) in
                visitor.sample(reference, time, Double(bitPattern: try reader.big64()), start: start)
            }
        case 12, 13:
            let isFloat = bytes[0] == 13
            try started(&reader) { reader, reference, time, start throws(DecodeError) in
                let histogram = try histogram(&reader, isFloat: isFloat, hasBounds: nil)
                visitor.histogram(reference, time, histogram, start: start)
            }
        case let kind: throw DecodeError(expected: "a kind of record of 1 to 13, not \(kind)", offset: 0)
        }
    }

    private static func labels(_ reader: inout ByteReader) throws(DecodeError) -> Labels {
        var builder = LabelsBuilder()
        for _ in 0..<(try reader.count(reader.remaining / 2)) {
            let name = String(decoding: try reader.sizedRun(), as: UTF8.self)
            builder.set(name, String(decoding: try reader.sizedRun(), as: UTF8.self))
        }
        return builder.labels()
    }

    private static func samples(
        _ reader: inout ByteReader, _ visitor: some PrometheusRecordVisitor
    ) throws(DecodeError) {
        if reader.isAtEnd { return }
        let (base, first) = (try reader.big64(), Int64(bitPattern: try reader.big64()))
        while !reader.isAtEnd {
            let reference = base &+ UInt64(bitPattern: try reader.zigzag())
            let time = first &+ (try reader.zigzag())
            visitor.sample(reference, time, Double(bitPattern: try reader.big64()), start: 0)
        }
    }

    private static func metadata(
        _ reader: inout ByteReader, _ visitor: some PrometheusRecordVisitor
    ) throws(DecodeError) {
        while !reader.isAtEnd {
            let reference = try reader.varint()
            let kind = Int(try reader.byte())
            var metadata = MetricMetadata(type: kind < types.count ? types[kind] : .unknown, help: "", unit: "")
            for _ in 0..<(try reader.count(reader.remaining)) {
                let name = String(decoding: try reader.sizedRun(), as: UTF8.self)
                let value = String(decoding: try reader.sizedRun(), as: UTF8.self)
                if name == "UNIT" { metadata.unit = value }
                if name == "HELP" { metadata.help = value }
            }
            visitor.metadata(reference, metadata)
        }
    }

    private static func histograms(
        _ reader: inout ByteReader, _ visitor: some PrometheusRecordVisitor, isFloat: Bool, hasBounds: Bool
    ) throws(DecodeError) {
        if reader.isAtEnd { return }
        let (base, first) = (try reader.big64(), Int64(bitPattern: try reader.big64()))
        while !reader.isAtEnd {
            let reference = base &+ UInt64(bitPattern: try reader.zigzag())
            let time = first &+ (try reader.zigzag())
            visitor.histogram(
                reference, time, try histogram(&reader, isFloat: isFloat, hasBounds: hasBounds), start: 0)
        }
    }

    /// Decodes records with start timestamps: each field except the value is a difference.
    private static func started(
        _ reader: inout ByteReader,
        _ body: (inout ByteReader, UInt64, Int64, Int64) throws(DecodeError) -> Void
    ) throws(DecodeError) {
        if reader.isAtEnd { return }
        var reference = UInt64(bitPattern: try reader.zigzag())
        let firstTime = try reader.zigzag()
        let firstStart = try reader.zigzag()
        var start = firstStart
        try body(&reader, reference, firstTime, start)
        while !reader.isAtEnd {
            reference = reference &+ UInt64(bitPattern: try reader.zigzag())
            let time = firstTime &+ (try reader.zigzag())
            switch try reader.byte() {
            case 0: start = 0
            case 1: break
            case 2: start = firstStart &+ (try reader.zigzag())
            case let mark: throw DecodeError(expected: "a mark of 0, 1 or 2, not \(mark)", offset: reader.offset)
            }
            try body(&reader, reference, time, start)
        }
    }

    /// - Parameter hasBounds: Whether custom bounds are at the end; nil if the schema determines this.
    private static func histogram(
        _ reader: inout ByteReader, isFloat: Bool, hasBounds: Bool?
    ) throws(DecodeError) -> FloatHistogram {
        var result = FloatHistogram(hasFloatCounts: isFloat)
        // The hint about the previous sample applies to the order in Prometheus's chunks, which is not ours.
        switch try reader.byte() {
        case 1: result.resetHint = .reset
        case 3: result.resetHint = .gauge
        default: result.resetHint = .unknown
        }
        result.schema = Int32(truncatingIfNeeded: try reader.zigzag())
        result.zeroThreshold = Double(bitPattern: try reader.big64())
        result.zeroCount = isFloat ? Double(bitPattern: try reader.big64()) : Double(try reader.varint())
        result.count = isFloat ? Double(bitPattern: try reader.big64()) : Double(try reader.varint())
        result.sum = Double(bitPattern: try reader.big64())
        result.positiveSpans = try spans(&reader)
        result.negativeSpans = try spans(&reader)
        result.positiveBuckets = try buckets(&reader, isFloat: isFloat)
        result.negativeBuckets = try buckets(&reader, isFloat: isFloat)
        if hasBounds ?? (result.schema == FloatHistogram.customSchema) {
            for _ in 0..<(try reader.count(reader.remaining / 8)) {
                result.customBounds.append(Double(bitPattern: try reader.big64()))
            }
        }
        return result
    }

    private static func spans(_ reader: inout ByteReader) throws(DecodeError) -> [FloatHistogram.Span] {
        var spans: [FloatHistogram.Span] = []
        for _ in 0..<(try reader.count(reader.remaining / 2)) {
            let offset = Int32(truncatingIfNeeded: try reader.zigzag())
            spans.append(.init(offset: offset, length: UInt32(truncatingIfNeeded: try reader.varint())))
        }
        return spans
    }

    private static func buckets(_ reader: inout ByteReader, isFloat: Bool) throws(DecodeError) -> [Double] {
        var buckets: [Double] = []
        var running: Int64 = 0
        for _ in 0..<(try reader.count(reader.remaining)) {
            if isFloat {
                buckets.append(Double(bitPattern: try reader.big64()))
            } else {
                running &+= try reader.zigzag()
                buckets.append(Double(running))
            }
        }
        return buckets
    }
}

extension ByteReader {
    /// A big-endian 64-bit number.
    mutating func big64() throws(DecodeError) -> UInt64 { UInt64(bigEndian: UInt64(littleEndian: try u64())) }

    /// A big-endian 32-bit number.
    mutating func big32() throws(DecodeError) -> UInt32 { UInt32(bigEndian: UInt32(littleEndian: try u32())) }
}
