import GoCompatibility
import GoTemplate
import Model

/// The functions that templates may call, and what they need of the world.
package struct AlertTemplateFunctions: TemplateFunctionSet {
    /// Evaluates an expression at the time of the alert's evaluation.
    package typealias Query = @Sendable (_ expression: String) throws -> [TemplateSample]

    let query: Query
    let externalURL: String
    /// Evaluation time in ms since the epoch.
    let now: Int64

    package init(now: Int64, externalURL: String, query: @escaping Query) {
        self.now = now
        self.externalURL = externalURL
        self.query = query
    }

    package static let names: Set<String> = [
        "args", "externalURL", "first", "graphLink", "humanize", "humanize1024", "humanizeDuration",
        "humanizePercentage", "humanizeTimestamp", "label", "match", "now", "parseDuration", "pathPrefix", "query",
        "reReplaceAll", "safeHtml", "sortByLabel", "stripDomain", "stripPort", "strvalue", "tableLink", "title",
        "toDuration", "toLower", "toTime", "toUpper", "urlQueryEscape", "value",
    ]

    package func call(_ name: String, _ arguments: [TemplateValue]) -> TemplateOutcome {
        switch name {
        case "query":
            return TextFunctions.strings(arguments, 1) { strings in
                do { return .value(.list(try query(strings[0]).map(\.object), type: "template.queryResult")) } catch {
                    return .failed("\(error)")
                }
            }
        case "first":
            return vector(arguments, 0, of: 1) { samples in
                samples.first.map { .value($0) } ?? .failed("first() called on vector with no elements")
            }
        case "sortByLabel":
            guard arguments.count == 2 else { return .wrongCount("2") }
            guard case .string(let label) = arguments[0] else { return .wrongType(0, "string") }
            return vector(arguments, 1, of: 2) { samples in
                let keys = samples.map { Array(Self.labels(of: $0)[ExactText(label), default: ""].utf8) }
                // The position makes the sort stable.
                let order = samples.indices.sorted { a, b in
                    keys[a] == keys[b] ? a < b : keys[a].lexicographicallyPrecedes(keys[b])
                }
                return .value(.list(order.map { samples[$0] }, type: "template.queryResult"))
            }
        case "label":
            guard arguments.count == 2 else { return .wrongCount("2") }
            guard case .string(let label) = arguments[0] else { return .wrongType(0, "string") }
            guard let sample = TemplateSample(arguments[1]) else { return .wrongType(1, "*template.sample") }
            return .value(.string(sample.labels[ExactText(label)] ?? ""))
        case "value", "strvalue":
            guard arguments.count == 1 else { return .wrongCount("1") }
            guard let sample = TemplateSample(arguments[0]) else { return .wrongType(0, "*template.sample") }
            return .value(name == "value" ? .float(sample.value) : .string(sample.labels["__value__"] ?? ""))
        case "args":
            return .value(
                .map(
                    [ExactText: TemplateValue](
                        arguments.enumerated().map { (ExactText("arg\($0.offset)"), $0.element) },
                        uniquingKeysWith: { $1 })))
        case "now": return arguments.isEmpty ? .value(.float(Double(now) / 1000)) : .wrongCount("0")
        case "externalURL": return arguments.isEmpty ? .value(.string(externalURL)) : .wrongCount("0")
        case "pathPrefix":
            return arguments.isEmpty ? .value(.string(GoURL.path(of: externalURL))) : .wrongCount("0")
        default: return TextFunctions.call(name, arguments) ?? numeric(name, arguments)
        }
    }

    private func numeric(_ name: String, _ arguments: [TemplateValue]) -> TemplateOutcome {
        guard arguments.count == 1 else { return .wrongCount("1") }
        let number: Double
        switch NumberConversion.double(arguments[0]) {
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
            case .success(let value): return .value(.time(value))
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

    // MARK: Arguments

    private func vector(
        _ arguments: [TemplateValue], _ index: Int, of count: Int, _ body: ([TemplateValue]) -> TemplateOutcome
    ) -> TemplateOutcome {
        guard arguments.count == count else { return .wrongCount(String(count)) }
        guard case .list(let samples, _) = arguments[index] else { return .wrongType(index, "template.queryResult") }
        return body(samples)
    }

    private static func labels(of value: TemplateValue) -> [ExactText: String] {
        TemplateSample(value)?.labels ?? [:]
    }
}

/// What the number functions accept: numbers, durations in seconds, and strings that hold a number.
enum NumberConversion {
    static func double(_ value: TemplateValue) -> Result<Double, TemplateFunctionError> {
        switch value {
        case .float(let value): return .success(value)
        case .integer(let value): return .success(Double(value))
        case .duration(let nanoseconds): return .success(Double(nanoseconds) / 1e9)
        case .string(let text):
            if let value = parse(text) { return .success(value) }
            return .failure(
                TemplateFunctionError(description: "strconv.ParseFloat: parsing \(GoQuote.quote(text)): invalid syntax")
            )
        default:
            return .failure(TemplateFunctionError(description: "can't convert \(value.typeName) to float"))
        }
    }

    /// Go's `strconv.ParseFloat`, which knows `Inf` and `infinity` in any case, but no white space.
    static func parse(_ text: String) -> Double? {
        guard let value = Double(text), !text.lowercased().contains("nan(") else { return nil }
        return value
    }
}
