/// The type of a metric family.
public enum MetricType: String, Sendable, Hashable {
    case counter, gauge, histogram
    case gaugeHistogram = "gaugehistogram"
    case summary, info
    case stateSet = "stateset"
    case unknown
}

/// The metadata of a metric family in an exposition format.
public struct MetricMetadata: Sendable, Hashable {
    public var type: MetricType
    public var help: String
    public var unit: String

    public init(type: MetricType = .unknown, help: String = "", unit: String = "") {
        self.type = type
        self.help = help
        self.unit = unit
    }

    public static func == (a: MetricMetadata, b: MetricMetadata) -> Bool {
        a.type == b.type && a.help.isExactly(b.help) && a.unit.isExactly(b.unit)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(type)
        hasher.combine(ExactText(help))
        hasher.combine(ExactText(unit))
    }
}
