import Exposition
import Model

/// The family whose lines are being read of a page of text, for all that depends on it: how bounds are written, the
/// labels of type and unit, and start timestamps.
struct PageFamily {
    /// Whether type and unit become labels.
    private let hasLabels: Bool
    /// Whether start timestamps are read.
    private let hasStarts: Bool

    /// The type that the last TYPE line says.
    private(set) var type = MetricType.unknown
    /// The name on that line; empty if no start timestamps are read.
    private var typedName = ""

    /// The metadata of one family, of lines that follow each other.
    private struct Own {
        var name = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
        var type = MetricType.unknown
        var unit = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    }
    private var own = Own()
    /// ``TypeAndUnit/key(_:_:)`` of the family.
    private(set) var key: UInt64 = 0

    init(hasLabels: Bool = false, hasStarts: Bool = false) {
        self.hasLabels = hasLabels
        self.hasStarts = hasStarts
    }

    /// Takes a line of metadata.
    mutating func see(_ entry: ExpositionEntry, _ reader: ExpositionReader) {
        if entry == .type {
            type = reader.metadataType ?? .unknown
            if hasStarts { typedName = reader.metadataNameText }
        }
        if hasLabels { seeOwn(entry, reader) }
    }

    // MARK: Labels of type and unit

    /// Takes a line of metadata; one that names another family begins that.
    private mutating func seeOwn(_ entry: ExpositionEntry, _ reader: ExpositionReader) {
        let named = reader.bytes(reader.metadataName)
        if !Labels.equal(named, own.name) {
            own = Own(name: named)
            key = 0
        }
        switch entry {
        case .type: own.type = type
        case .unit: own.unit = reader.bytes(reader.metadataText)
        default: return
        }
        key = TypeAndUnit.key(own.type, own.unit)
    }

    /// Type and unit of a metric: those of the family if it is one of its samples.
    func typeAndUnit(of metric: String) -> TypeAndUnit {
        guard key != 0 else { return .none }
        let family = ExpositionReader.familyName(own.name)
        let isMember =
            metric == family || OpenMetricsValidator.suffixes(own.type).contains { metric == family + $0 }
        return isMember ? TypeAndUnit(type: own.type, unit: String(decoding: own.unit, as: UTF8.self)) : .none
    }

    // MARK: Start timestamps

    /// Whether its samples have start timestamps.
    var isStarted: Bool { hasStarts && (type == .counter || type == .summary || type == .histogram) }

    /// The key of the samples of the family that began together; nil for a sample of another one.
    func startKey(_ text: SeriesText, ofCreated isCreated: Bool) -> ExactText? {
        guard let metric = text.metricName.map(text.string), metric.hasPrefix(typedName) else { return nil }
        let suffix = metric.dropFirst(typedName.count)
        if isCreated {
            guard suffix == "_created" else { return nil }
        } else {
            guard ["", "_total", "_sum", "_count", "_bucket"].contains(suffix) else { return nil }
        }
        let pairs = text.pairs.map { (name: text.string($0.name), value: text.string($0.value)) }
            .filter { $0.name != (type == .histogram ? "le" : type == .summary ? "quantile" : "") }
            .sorted { $0.name.isExactlyBefore($1.name) }
        return ExactText(pairs.reduce(into: typedName) { $0 += "\u{0}\($1.name)\u{0}\($1.value)" })
    }
}
