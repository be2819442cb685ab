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
