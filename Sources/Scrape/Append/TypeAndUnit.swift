import Exposition
import Model

/// The values of the labels `__type__` and `__unit__` of a series.
struct TypeAndUnit: Equatable {
    static let none = TypeAndUnit(type: .unknown, unit: "")

    /// The type; an unknown one adds no label.
    var type: MetricType
    /// The unit; an empty one adds no label.
    var unit: String

    /// The labels.
    var labels: [Label] {
        var result: [Label] = []
        if type != .unknown { result.append(Label(name: Labels.typeLabel, value: type.rawValue)) }
        if !unit.isEmpty { result.append(Label(name: Labels.unitLabel, value: unit)) }
        return result
    }

    /// A number that changes with type or unit, so that a line whose family changes is resolved again.
    ///
    /// It is mixed into the hashes of the lines. It is 0 without labels: then the hashes do not change.
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
