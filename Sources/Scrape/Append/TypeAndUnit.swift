import Exposition
import Model

/// What becomes the labels `__type__` and `__unit__` of a series.
struct TypeAndUnit: Equatable {
    static let none = TypeAndUnit(type: .unknown, unit: "")

    /// An unknown type becomes no label.
    var type: MetricType
    /// An empty unit becomes no label.
    var unit: String

    /// The labels.
    var labels: [Label] {
        var result: [Label] = []
        if type != .unknown { result.append(Label(name: Labels.typeLabel, value: type.rawValue)) }
        if !unit.isEmpty { result.append(Label(name: Labels.unitLabel, value: unit)) }
        return result
    }

    /// A number that differs where type or unit differ, so that a line whose family changes is resolved anew.
    ///
    /// It is mixed into the hashes of the lines. 0 where there are no labels: then the hashes stay as they are.
    static func key(_ type: MetricType, _ unit: UnsafeBufferPointer<UInt8>) -> UInt64 {
        if type == .unknown, unit.isEmpty { return 0 }
        var bytes = Array(type.rawValue.utf8)
        bytes.append(0)
        bytes += unit
        return bytes.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            return SeriesHash.hash(base, bytes.count, seed: SeriesHash.processSeed)
        }
    }
}

/// The family whose lines are being read of a page of text.
struct CurrentFamily {
    private var name = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    private var type = MetricType.unknown
    private var unit = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    /// ``TypeAndUnit/key(_:_:)`` of the family.
    private(set) var key: UInt64 = 0

    /// Takes a line of metadata; one that names another family begins that.
    mutating func see(_ entry: ExpositionEntry, _ reader: ExpositionReader) {
        let named = reader.bytes(reader.metadataName)
        if !Labels.equal(named, name) {
            self = CurrentFamily()
            name = named
        }
        switch entry {
        case .type: type = reader.metadataType ?? .unknown
        case .unit: unit = reader.bytes(reader.metadataText)
        default: return
        }
        key = TypeAndUnit.key(type, unit)
    }

    /// Type and unit of a metric: those of the family if it is one of its samples.
    func typeAndUnit(of metric: String) -> TypeAndUnit {
        guard key != 0 else { return .none }
        let family = ExpositionReader.familyName(name)
        let isMember =
            metric == family || OpenMetricsValidator.suffixes(type).contains { metric == family + $0 }
        return isMember ? TypeAndUnit(type: type, unit: String(decoding: unit, as: UTF8.self)) : .none
    }
}
