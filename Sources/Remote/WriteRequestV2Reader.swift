import Encoding
import Model

/// Reads `io.prometheus.write.v2.Request`, whose texts are in one symbol table.
struct WriteRequestV2Reader {
    /// One series of a request.
    struct Series {
        /// Symbol numbers: names and values alternately.
        var labels: [UInt64] = []
        var samples: [(value: Double, time: Int64, start: Int64)] = []
        var histograms: [RemoteHistogram] = []
        var exemplars: [(labels: [UInt64], value: Double, time: Int64)] = []
        var type = MetricType.unknown
        /// Symbol number; 0 is the empty text.
        var help: UInt64 = 0
        var unit: UInt64 = 0
    }

    /// The reason why a series is refused while the rest of its request is stored.
    struct BadSeries: Error {
        /// Empty if nobody reads it.
        var reason: String
    }

    /// Whether errors get a text: of thousands in one request only the first are shown, and a text costs more than the
    /// series.
    var describesErrors = true

    /// References to symbols that an error names.
    private static let namedRefs = 100

    private let reader: WriteRequestReader
    /// The symbols; nil for bytes that are not UTF-8.
    private var symbols: [String?] = []
    /// The series in order, for ``read(_:)``.
    private(set) var series: [Range<Int>] = []

    /// Finds symbols and series, and charges `budget` for them.
    init(_ bytes: UnsafeBufferPointer<UInt8>, _ budget: inout PushBudget) throws {
        reader = WriteRequestReader(bytes: bytes)
        var cursor = ProtobufCursor(bytes, 0..<bytes.count, .requestV2)
        while let (number, content) = try cursor.next() {
            guard case .bytes(let range) = content else { continue }
            if number == 4 {
                try budget.charge(64 + (range.count > 15 ? range.count : 0))
                symbols.append(String(validating: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self))
            }
            if number == 5 {
                try budget.charge(64)
                series.append(range)
            }
        }
    }

    /// Throws if the labels of all series need more memory than a request may use: a symbol is short in the message
    /// however many series refer to it.
    ///
    /// Series with labels that cannot be stored are not counted, because their labels are not made.
    func checkLabelSizes(_ budget: PushBudget) throws {
        let longest = symbols.reduce(0) { max($0, $1?.utf8.count ?? 0) }
        // A reference has at least one byte.
        let references = series.reduce(0) { $0 + $1.count }
        let (most, isOver) = references.multipliedReportingOverflow(by: longest + 8)
        guard isOver || most > budget.left else { return }
        var total = 0
        for range in series {
            var cursor = ProtobufCursor(reader.bytes, range, .seriesV2)
            var size = 0
            while let (number, content) = try cursor.next() {
                guard number == 1 else { continue }
                try cursor.varints(content) { size &+= self.size(ofSymbol: $0) }
            }
            if size <= Labels.mostStoredBytes { total += size }
            try budget.require(total)
        }
    }

    /// The bytes of a symbol in packed labels; 0 if there is no such symbol.
    private func size(ofSymbol ref: UInt64) -> Int {
        guard ref < symbols.count, let text = symbols[Int(ref)] else { return 0 }
        return Labels.sizeWidth(text.utf8.count) + text.utf8.count
    }

    /// The bytes of packed labels with these symbols.
    func size(of refs: [UInt64]) -> Int { refs.reduce(0) { $0 + size(ofSymbol: $1) } }

    /// Reads one series, and charges `budget` for it.
    func read(_ range: Range<Int>, _ budget: inout PushBudget) throws -> Series {
        var result = Series()
        var cursor = ProtobufCursor(reader.bytes, range, .seriesV2)
        while let (number, content) = try cursor.next() {
            switch (number, content) {
            case (1, _):
                let refs = try numbers(cursor, content, &budget)
                result.labels += refs
            case (2, .bytes(let part)):
                try budget.charge(24)
                result.samples.append(try reader.sample(part))
            case (3, .bytes(let part)):
                try budget.require(histogramOf: part)
                let read = try RemoteHistogram(reader.bytes, part)
                try budget.charge(read.histogram)
                result.histograms.append(read)
            case (4, .bytes(let part)):
                try budget.charge(64)
                result.exemplars.append(try exemplar(part, &budget))
            case (5, .bytes(let part)): try metadata(part, &result)
            default: continue
            }
        }
        return result
    }

    /// Symbol numbers; `budget` is charged for the pairs of texts that are made from them.
    private func numbers(
        _ cursor: ProtobufCursor, _ content: ProtobufCursor.Content, _ budget: inout PushBudget
    ) throws -> [UInt64] {
        if case .bytes(let range) = content { try budget.require(8 * range.count) }
        var result: [UInt64] = []
        try cursor.varints(content) { result.append($0) }
        try budget.charge(24 * result.count)
        return result
    }

    private func exemplar(_ range: Range<Int>, _ budget: inout PushBudget) throws -> (
        labels: [UInt64], value: Double, time: Int64
    ) {
        var result = (labels: [UInt64](), value: 0.0, time: Int64(0))
        var cursor = ProtobufCursor(reader.bytes, range, .exemplarV2)
        while let (number, content) = try cursor.next() {
            switch (number, content) {
            case (1, _):
                let refs = try numbers(cursor, content, &budget)
                result.labels += refs
            case (2, .fixed64(let bits)): result.value = Double(bitPattern: bits)
            case (3, .varint(let raw)): result.time = Int64(bitPattern: raw)
            default: continue
            }
        }
        return result
    }

    private func metadata(_ range: Range<Int>, _ series: inout Series) throws {
        var cursor = ProtobufCursor(reader.bytes, range, .metadataV2)
        while let (number, content) = try cursor.next() {
            guard case .varint(let value) = content else { continue }
            switch number {
            case 1: series.type = WriteRequestReader.metricType(value)
            case 3: series.help = value
            case 4: series.unit = value
            default: continue
            }
        }
    }

    // MARK: Symbols

    /// Names and values in the order of the request.
    func pairs(_ refs: [UInt64]) throws(BadSeries) -> [(name: String, value: String)] {
        func fail(_ what: @autoclosure () -> String) -> BadSeries {
            guard describesErrors else { return BadSeries(reason: "") }
            let named = refs.prefix(Self.namedRefs).map { "\($0)" }.joined(separator: " ")
            return BadSeries(reason: "parsing labels for series [\(named)]: \(what())")
        }
        guard refs.count.isMultiple(of: 2) else { throw fail("invalid labelRefs length \(refs.count)") }
        var result: [(name: String, value: String)] = []
        for at in stride(from: 0, to: refs.count, by: 2) {
            let (name, value) = (refs[at], refs[at + 1])
            guard name < symbols.count, value < symbols.count else {
                throw fail(
                    "labelRefs \(name) (name) = \(value) (value) outside of symbols table (size \(symbols.count))")
            }
            guard let nameText = symbols[Int(name)], let valueText = symbols[Int(value)] else {
                throw fail("labelRefs \(name) (name) = \(value) (value) is no UTF-8")
            }
            result.append((nameText, valueText))
        }
        return result
    }

    /// The metadata in the request for the metric of a series.
    func metadata(_ series: Series) throws(BadSeries) -> MetricMetadata {
        func symbol(_ ref: UInt64) throws(BadSeries) -> String {
            if ref == 0 { return "" }
            guard ref < symbols.count, let text = symbols[Int(ref)] else {
                guard describesErrors else { throw BadSeries(reason: "") }
                let refs = series.labels.prefix(Self.namedRefs).map { "\($0)" }.joined(separator: " ")
                throw BadSeries(
                    reason: "parsing metadata for series [\(refs)]: \(ref) outside of symbols table "
                        + "(size \(symbols.count))")
            }
            return text
        }
        return MetricMetadata(type: series.type, help: try symbol(series.help), unit: try symbol(series.unit))
    }

    /// The labels of a series.
    ///
    /// - Parameter metadata: Its type and unit become labels, in place of those of the series; nil for none.
    func labels(_ series: Series, with metadata: MetricMetadata?) throws(BadSeries) -> Labels {
        let size = size(of: series.labels) + (metadata?.unit.utf8.count ?? 0)
        guard size <= Labels.mostStoredBytes else {
            throw BadSeries(
                reason: describesErrors ? "labels of \(size) bytes, more than \(Labels.mostStoredBytes)" : "")
        }
        var pairs = try pairs(series.labels)
        if let metadata, metadata.type != .unknown || !metadata.unit.isEmpty {
            pairs.removeAll { $0.name == Labels.typeLabel || $0.name == Labels.unitLabel }
            if metadata.type != .unknown { pairs.append((Labels.typeLabel, metadata.type.rawValue)) }
            if !metadata.unit.isEmpty { pairs.append((Labels.unitLabel, metadata.unit)) }
        }
        var names: Set<ExactText> = []
        var twice: String?
        for (name, _) in pairs where !names.insert(ExactText(name)).inserted { twice = twice ?? name }
        let metric = pairs.last { $0.name.isExactly(Labels.nameLabel) }?.value ?? ""
        let isNamed = !metric.isEmpty && !names.contains(ExactText(""))
        if isNamed, twice == nil { return Labels(pairs.map { ($0.name, $0.value) }) }
        guard describesErrors else { throw BadSeries(reason: "") }
        // Nothing is made of the labels: a label that comes a thousand times names one symbol.
        pairs.sort { $0.name.isExactlyBefore($1.name) }
        let shown = LabelText.list(pairs, limit: PushProblems.longest)
        guard isNamed, let twice else { throw BadSeries(reason: "invalid metric name or labels, got \(shown)") }
        // The error shows the labels as sent, with the label twice.
        throw BadSeries(
            reason: "invalid labels for series, labels \(shown), duplicated label \(LabelText.cut(twice, 256))")
    }
}
