import GoTemplate
import Model

/// A series of an instant vector in templates.
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

    /// The result of the expression for this series.
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

extension TemplateSample {
    static let typeName = "*template.sample"

    /// The sample as a value of templates.
    var object: TemplateValue {
        .object(
            TemplateObject(
                typeName: Self.typeName, fields: [("Labels", .labels(labels)), ("Value", .float(value))],
                isPointer: true))
    }

    /// The sample of an object; nil if the value is something else.
    init?(_ value: TemplateValue) {
        guard case .object(let object) = value, object.typeName == Self.typeName,
            case .labels(let labels)? = object["Labels"], case .float(let number)? = object["Value"]
        else { return nil }
        self.init(labels: labels, value: number)
    }
}

extension TemplateData {
    /// The data as a value of templates.
    var object: TemplateValue {
        .object(
            TemplateObject(
                typeName: "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; "
                    + "Value interface {} }",
                fields: [
                    ("Labels", .labels(labels)), ("ExternalLabels", .labels(externalLabels)),
                    ("ExternalURL", .string(externalURL)), ("Value", value.object),
                ]))
    }
}

extension TemplateData.Value {
    fileprivate var object: TemplateValue {
        switch self {
        case .float(let value): .float(value)
        case .histogram(let histogram, let text):
            .object(
                TemplateObject(
                    typeName: "*histogram.FloatHistogram",
                    fields: [
                        ("Count", .float(histogram.count)), ("Sum", .float(histogram.sum)),
                        ("Schema", .integer(Int64(histogram.schema))), ("ZeroCount", .float(histogram.zeroCount)),
                        ("ZeroThreshold", .float(histogram.zeroThreshold)), ("String", .string(text)),
                    ], isPointer: true, text: text))
        }
    }
}
