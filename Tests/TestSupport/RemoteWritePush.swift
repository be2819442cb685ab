/// A push of remote write 1.0, as a Prometheus takes it: protobuf in snappy.
public struct RemoteWritePush: Sendable {
    /// A native histogram with one span of positive buckets, as the message has it.
    public struct Histogram: Sendable {
        public var schema: Int64
        public var isFloat: Bool
        public var isGauge: Bool
        public var sum: Double
        public var offset: Int64
        /// The observations in each bucket.
        public var buckets: [Int64]
        public var zeroCount: Int64

        public init(
            schema: Int64, isFloat: Bool = false, isGauge: Bool = false, sum: Double, offset: Int64 = 0,
            buckets: [Int64], zeroCount: Int64 = 0
        ) {
            (self.schema, self.isFloat, self.isGauge, self.sum) = (schema, isFloat, isGauge, sum)
            (self.offset, self.buckets, self.zeroCount) = (offset, buckets, zeroCount)
        }
    }

    public enum Value: Sendable {
        case float(Double)
        case histogram(Histogram)
        case exemplar(String)
    }

    private var message = PrometheusBytes()
    public private(set) var count = 0

    public init() {}

    /// Appends a series with its samples, ms.
    ///
    /// - Parameter labels: In order of names.
    public mutating func append(_ labels: [(String, String)], _ samples: [(Int64, Value)]) {
        var series = PrometheusBytes()
        for (name, value) in labels {
            var label = PrometheusBytes()
            label.field(1, Array(name.utf8))
            label.field(2, Array(value.utf8))
            series.field(1, label.bytes)
        }
        for (time, value) in samples {
            var sample = PrometheusBytes()
            switch value {
            case .float(let number):
                sample.field(1, number)
                sample.field(2, UInt64(bitPattern: time))
                series.field(2, sample.bytes)
            case .histogram(let histogram):
                series.field(4, Self.bytes(histogram, time))
            case .exemplar(let trace):
                var label = PrometheusBytes()
                label.field(1, Array("trace_id".utf8))
                label.field(2, Array(trace.utf8))
                sample.field(1, label.bytes)
                sample.field(2, 1.0)
                sample.field(3, UInt64(bitPattern: time))
                series.field(3, sample.bytes)
            }
            count += 1
        }
        message.field(1, series.bytes)
    }

    static func bytes(_ histogram: Histogram, _ time: Int64) -> [UInt8] {
        var bytes = PrometheusBytes()
        let count = histogram.buckets.reduce(histogram.zeroCount, +)
        if histogram.isFloat {
            bytes.field(2, Double(count))
        } else {
            bytes.field(1, UInt64(count))
        }
        bytes.field(3, histogram.sum)
        bytes.field(4, zigzag: histogram.schema)
        bytes.field(5, 0.001)
        if histogram.isFloat {
            bytes.field(7, Double(histogram.zeroCount))
        } else {
            bytes.field(6, UInt64(histogram.zeroCount))
        }
        if !histogram.buckets.isEmpty {
            var span = PrometheusBytes()
            span.field(1, zigzag: histogram.offset)
            span.field(2, UInt64(histogram.buckets.count))
            bytes.field(11, span.bytes)
            var numbers = PrometheusBytes()
            var before: Int64 = 0
            for bucket in histogram.buckets {
                if histogram.isFloat {
                    numbers.little64(Double(bucket).bitPattern)
                } else {
                    numbers.zigzag(bucket - before)
                }
                before = bucket
            }
            bytes.field(histogram.isFloat ? 13 : 12, numbers.bytes)
        }
        if histogram.isGauge { bytes.field(14, UInt64(3)) }
        bytes.field(15, UInt64(bitPattern: time))
        return bytes.bytes
    }

    /// The body of the request.
    public var body: [UInt8] { Self.snappy(message.bytes) }

    /// Snappy without matches: literals of 64 KiB at most.
    static func snappy(_ message: [UInt8]) -> [UInt8] {
        var out = PrometheusBytes()
        out.varint(UInt64(message.count))
        var rest = message[...]
        while !rest.isEmpty {
            let part = rest.prefix(1 << 16)
            rest = rest.dropFirst(part.count)
            out.run([61 << 2, UInt8((part.count - 1) & 0xFF), UInt8((part.count - 1) >> 8)])
            out.run(Array(part))
        }
        return out.bytes
    }

    /// Sends it; the status of the answer.
    public func send(_ probe: HTTPProbe) -> HTTPProbe.Answer? {
        probe.request(
            "POST", "/api/v1/write",
            headers: [
                "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
                "X-Prometheus-Remote-Write-Version": "0.1.0",
            ], body: body)
    }
}

extension PrometheusBytes {
    mutating func little64(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { run(Array($0)) } }

    mutating func field(_ number: UInt64, _ value: UInt64) {
        varint(number << 3)
        varint(value)
    }

    mutating func field(_ number: UInt64, zigzag value: Int64) {
        varint(number << 3)
        zigzag(value)
    }

    mutating func field(_ number: UInt64, _ value: Double) {
        varint(number << 3 | 1)
        little64(value.bitPattern)
    }

    mutating func field(_ number: UInt64, _ value: [UInt8]) {
        varint(number << 3 | 2)
        varint(UInt64(value.count))
        run(value)
    }
}
