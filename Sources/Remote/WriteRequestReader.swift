import Encoding
import Model

/// Reads `prometheus.WriteRequest` in place.
///
/// The labels of a series are recognized by a hash of their bytes, so that an unchanged sender needs neither strings
/// nor look-ups of label sets.
struct WriteRequestReader {
    let bytes: UnsafeBufferPointer<UInt8>

    /// Receives the contents of the request, in order.
    protocol Receiver {
        /// The memory limit of the request.
        var budget: PushBudget { get set }
        /// A series begins.
        mutating func series(labelBytes: Range<Int>, isContiguous: Bool, labels: [Range<Int>]) throws
        mutating func sample(_ value: Double, at time: Int64) throws
        mutating func histogram(_ histogram: RemoteHistogram) throws
        mutating func exemplar(_ exemplar: Exemplar) throws
        mutating func metadata(metric: String, _ metadata: MetricMetadata) throws
    }

    func text(_ range: Range<Int>) -> String {
        String(decoding: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }

    func read(into receiver: inout some Receiver) throws {
        var cursor = ProtobufCursor(bytes, 0..<bytes.count, .request)
        while let (number, content) = try cursor.next() {
            guard case .bytes(let range) = content else { continue }
            if number == 1 { try series(range, &receiver) }
            if number == 3 { try metadata(range, &receiver) }
        }
    }

    private func series(_ range: Range<Int>, _ receiver: inout some Receiver) throws {
        var labels: [Range<Int>] = []
        var first = range.lowerBound
        var last = range.lowerBound
        var isContiguous = true
        var cursor = ProtobufCursor(bytes, range, .series)
        var at = cursor.offset
        // Senders write labels first, but other orders are accepted, too.
        while let (number, content) = try cursor.next() {
            if number == 1, case .bytes(let label) = content {
                if labels.isEmpty { first = at } else if last != at { isContiguous = false }
                try receiver.budget.charge(16)
                labels.append(label)
                last = cursor.offset
            }
            at = cursor.offset
        }
        try receiver.series(labelBytes: first..<last, isContiguous: isContiguous, labels: labels)
        cursor = ProtobufCursor(bytes, range, .series)
        while let (number, content) = try cursor.next() {
            guard case .bytes(let part) = content else { continue }
            switch number {
            case 2:
                let (value, time, _) = try sample(part)
                try receiver.sample(value, at: time)
            case 3: try exemplar(part, &receiver)
            case 4:
                try receiver.budget.require(histogramOf: part)
                try receiver.histogram(try RemoteHistogram(bytes, part))
            default: continue
            }
        }
    }

    /// The value, the time and the start timestamp of a sample of either version, ms; the latter is 0 if there is none.
    func sample(_ range: Range<Int>) throws -> (value: Double, time: Int64, start: Int64) {
        var (value, time, start) = (0.0, Int64(0), Int64(0))
        var cursor = ProtobufCursor(bytes, range, .sample)
        while let (number, content) = try cursor.next() {
            switch (number, content) {
            case (1, .fixed64(let bits)): value = Double(bitPattern: bits)
            case (2, .varint(let raw)): time = Int64(bitPattern: raw)
            case (3, .varint(let raw)): start = Int64(bitPattern: raw)
            default: continue
            }
        }
        return (value, time, start)
    }

    /// The name and the value of a label.
    func label(_ range: Range<Int>) throws -> (name: Range<Int>, value: Range<Int>) {
        var (name, value) = (range.lowerBound..<range.lowerBound, range.lowerBound..<range.lowerBound)
        var cursor = ProtobufCursor(bytes, range, .label)
        while let (number, content) = try cursor.next() {
            switch (number, content) {
            case (1, .bytes(let found)): name = found
            case (2, .bytes(let found)): value = found
            default: continue
            }
        }
        return (name, value)
    }

    private func exemplar(_ range: Range<Int>, _ receiver: inout some Receiver) throws {
        var labels: [(String, String)] = []
        var (value, time) = (0.0, Int64(0))
        var cursor = ProtobufCursor(bytes, range, .exemplar)
        while let (number, content) = try cursor.next() {
            switch (number, content) {
            case (1, .bytes(let part)):
                let (name, value) = try label(part)
                try receiver.budget.charge(32 + part.count)
                labels.append((text(name), text(value)))
            case (2, .fixed64(let bits)): value = Double(bitPattern: bits)
            case (3, .varint(let raw)): time = Int64(bitPattern: raw)
            default: continue
            }
        }
        try receiver.exemplar(Exemplar(labels: Labels(labels), value: value, timestamp: time))
    }

    /// The type of a number, of either version.
    static func metricType(_ number: UInt64) -> MetricType {
        let types: [MetricType] = [.unknown, .counter, .gauge, .histogram, .gaugeHistogram, .summary, .info, .stateSet]
        return number < UInt64(types.count) ? types[Int(number)] : .unknown
    }

    private func metadata(_ range: Range<Int>, _ receiver: inout some Receiver) throws {
        var metric = ""
        var metadata = MetricMetadata()
        var cursor = ProtobufCursor(bytes, range, .metadata)
        while let (number, content) = try cursor.next() {
            switch (number, content) {
            case (1, .varint(let type)): metadata.type = Self.metricType(type)
            case (2, .bytes(let part)): metric = text(part)
            case (4, .bytes(let part)): metadata.help = text(part)
            case (5, .bytes(let part)): metadata.unit = text(part)
            default: continue
            }
        }
        if !metric.isEmpty { try receiver.metadata(metric: metric, metadata) }
    }
}
