import GoCompatibility
import GoTemplate
import Model

/// The functions that templates may call, and the data that these need.
package struct AlertTemplateFunctions: TemplateFunctionSet {
    /// Evaluates an expression at the time of the alert's evaluation.
    package typealias Query = @Sendable (_ expression: String) throws -> [TemplateSample]

    let query: Query
    let externalURL: String
    /// The evaluation time in ms since the epoch.
    let now: Int64

    package init(now: Int64, externalURL: String, query: @escaping Query) {
        self.now = now
        self.externalURL = externalURL
        self.query = query
    }

    package static let signatures: [String: TemplateSignature] = {
        let number = TemplateSignature([.any])
        var signatures = TextFunctions.signatures
        signatures["query"] = TemplateSignature([.string])
        signatures["first"] = TemplateSignature([vector])
        signatures["sortByLabel"] = TemplateSignature([.string, vector])
        signatures["label"] = TemplateSignature([.string, sample])
        signatures["value"] = TemplateSignature([sample])
        signatures["strvalue"] = TemplateSignature([sample])
        signatures["args"] = TemplateSignature([], variadic: .any)
        for name in ["now", "externalURL", "pathPrefix"] { signatures[name] = TemplateSignature([]) }
        for name in [
            "humanize", "humanize1024", "humanizeDuration", "humanizePercentage", "humanizeTimestamp", "toDuration",
            "toTime",
        ] {
            signatures[name] = number
        }
        return signatures
    }()

    package static let names = Set(signatures.keys)

    private static let vectorType = "template.queryResult"
    private static let vector = TemplateSignature.Parameter.slice(vectorType)
    private static let sample = TemplateSignature.Parameter.pointer(TemplateSample.typeName)
    private static let nilSample = TemplateOutcome.failed(
        "runtime error: invalid memory address or nil pointer dereference")

    package func call(_ name: String, _ arguments: [TemplateValue]) -> TemplateOutcome {
        switch (name, arguments.first, arguments.last) {
        case ("query", .string(let expression)?, _):
            do { return .value(.list(try query(expression).map(\.object), type: Self.vectorType)) } catch {
                return .failed("\(error)")
            }
        case ("first", .list(let samples, _)?, _):
            return samples.first.map { .value($0) } ?? .failed("first() called on vector with no elements")
        case ("sortByLabel", .string(let label)?, .list(let samples, _)?):
            let keys = samples.map { Array(Self.labels(of: $0)[ExactText(label), default: ""].utf8) }
            // The position makes the sort stable.
            let order = samples.indices.sorted { a, b in
                keys[a] == keys[b] ? a < b : keys[a].lexicographicallyPrecedes(keys[b])
            }
            return .value(.list(order.map { samples[$0] }, type: Self.vectorType))
        case ("label", .string(let label)?, let last?):
            guard let sample = TemplateSample(last) else { return Self.nilSample }
            return .value(.string(sample.labels[ExactText(label)] ?? ""))
        case ("value", let first?, _):
            guard let sample = TemplateSample(first) else { return Self.nilSample }
            return .value(.float(sample.value))
        case ("strvalue", let first?, _):
            guard let sample = TemplateSample(first) else { return Self.nilSample }
            return .value(.string(sample.labels["__value__"] ?? ""))
        case ("args", _, _):
            if arguments.contains(where: { $0.isNested(deeperThan: 16) }) {
                return .failed("args are nested too deeply")
            }
            return .value(
                .map(
                    [ExactText: TemplateValue](
                        arguments.enumerated().map { (ExactText("arg\($0.offset)"), $0.element) },
                        uniquingKeysWith: { $1 })))
        case ("now", _, _): return .value(.float(Double(now) / 1000))
        case ("externalURL", _, _): return .value(.string(externalURL))
        case ("pathPrefix", _, _): return .value(.string(GoURL.path(of: externalURL)))
        default: return TextFunctions.call(name, arguments) ?? numeric(name, arguments.first ?? .null)
        }
    }

    private func numeric(_ name: String, _ argument: TemplateValue) -> TemplateOutcome {
        let number: Double
        switch NumberConversion.double(argument) {
        case .success(let value): number = value
        case .failure(let reason): return .failed(reason.description)
        }
        switch name {
        case "humanize": return .value(.string(Humanize.decimal(number)))
        case "humanize1024": return .value(.string(Humanize.binary(number)))
        case "humanizeDuration": return .value(.string(Humanize.duration(number)))
        case "humanizePercentage": return .value(.string(Humanize.percentage(number)))
        case "humanizeTimestamp":
            switch Humanize.timestamp(number) {
            case .success(let text): return .value(.string(text))
            case .failure(let reason): return .failed(reason.description)
            }
        case "toTime":
            switch Humanize.nanoseconds(number) {
            case .success(let value): return .value(.time(GoTime(nanoseconds: value), isPointer: true))
            case .failure(let reason): return .failed(reason.description)
            }
        case "toDuration":
            let scaled = number * 1e9
            guard scaled.magnitude < 9.2e18 else {
                return .failed("\(GoFormat.general(number)) cannot be represented as a duration")
            }
            return .value(.duration(Int64(scaled)))
        default: return .failed("function \(GoQuote.quote(name)) is not there")
        }
    }

    private static func labels(of value: TemplateValue) -> [ExactText: String] {
        TemplateSample(value)?.labels ?? [:]
    }
}
