import Model

/// A value in a template.
indirect enum TemplateValue: Sendable {
    /// Go's nil, and what a missing entry of an untyped map gives.
    case null
    case bool(Bool)
    case integer(Int64)
    case float(Double)
    case string(String)
    case list([TemplateValue])
    /// Go's `map[string]string`: a missing key is the empty string.
    case labels([ExactText: String])
    /// Go's `map[string]any`: a missing key is nil.
    case map([ExactText: TemplateValue])
    /// An element of a query's result.
    case sample(TemplateSample)
    case histogram(FloatHistogram, String)
    /// Nanoseconds since the epoch.
    case time(Int64)
    /// Nanoseconds.
    case duration(Int64)
    /// The object templates begin with.
    case data(TemplateData)
}

/// One series of an instant vector, as templates see it.
package struct TemplateSample: Sendable {
    package var labels: [ExactText: String]
    package var value: Double

    package init(labels: [ExactText: String], value: Double) {
        self.labels = labels
        self.value = value
    }

    package init(labels: Labels, value: Double) {
        self.init(
            labels: [ExactText: String](labels.pairs.map { (ExactText($0.name), $0.value) }, uniquingKeysWith: { $1 }),
            value: value)
    }
}

/// The dot of an alert's templates.
package struct TemplateData: Sendable {
    package var labels: [ExactText: String]
    package var externalLabels: [ExactText: String]
    package var externalURL: String
    package var value: Value

    /// What the expression gave for this series.
    package enum Value: Sendable {
        case float(Double)
        /// A histogram and its text.
        case histogram(FloatHistogram, String)
    }

    package init(labels: Labels, externalLabels: Labels, externalURL: String, value: Value) {
        self.labels = TemplateSample(labels: labels, value: 0).labels
        self.externalLabels = TemplateSample(labels: externalLabels, value: 0).labels
        self.externalURL = externalURL
        self.value = value
    }
}

extension TemplateValue {
    /// Go's idea of truth: not zero, not empty.
    var isTrue: Bool {
        switch self {
        case .null: false
        case .bool(let value): value
        case .integer(let value), .duration(let value): value != 0
        case .float(let value): value != 0
        case .string(let value): !value.isEmpty
        case .list(let values): !values.isEmpty
        case .labels(let labels): !labels.isEmpty
        case .map(let entries): !entries.isEmpty
        case .sample, .histogram, .time, .data: true
        }
    }

    /// The name of the corresponding Go type.
    var typeName: String {
        switch self {
        case .null: "<nil>"
        case .bool: "bool"
        case .integer: "int"
        case .float: "float64"
        case .string: "string"
        case .list: "template.queryResult"
        case .labels: "map[string]string"
        case .map: "map[string]interface {}"
        case .sample: "*template.sample"
        case .histogram: "*histogram.FloatHistogram"
        case .time: "time.Time"
        case .duration: "time.Duration"
        case .data:
            "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; "
                + "Value interface {} }"
        }
    }

    /// What an action prints: `fmt.Fprint`, with `<no value>` for nil.
    var printed: String {
        if case .null = self { return "<no value>" }
        return GoFormat.plain(self)
    }
}
