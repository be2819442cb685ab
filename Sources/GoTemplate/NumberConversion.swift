import GoCompatibility

/// The arguments of number functions: numbers, durations in seconds, and strings with a number.
package enum NumberConversion {
    /// The number of a value.
    package static func double(_ value: TemplateValue) -> Result<Double, TemplateFunctionError> {
        switch value.base {
        case .float(let value): return .success(value)
        case .integer(let value), .named(let value, .int64): return .success(Double(value))
        case .duration(let nanoseconds): return .success(Double(nanoseconds) / 1e9)
        case .string(let text):
            do throws(GoFloat.Problem) { return .success(try GoFloat.read(text)) } catch {
                return .failure(TemplateFunctionError(description: error.text(of: text)))
            }
        default:
            return .failure(TemplateFunctionError(description: "can't convert \(value.typeName) to float"))
        }
    }
}
