/// The functions that templates may call besides Go's own.
public protocol TemplateFunctionSet: Sendable {
    /// The parameters of all functions by name. A template with an unknown function is not parsed.
    static var signatures: [String: TemplateSignature] { get }

    /// Calls one of ``signatures`` with arguments that match its parameters.
    func call(_ name: String, _ arguments: [TemplateValue]) -> TemplateOutcome
}

/// The result of a call of a template function.
public enum TemplateOutcome: Sendable {
    case value(TemplateValue)
    case failed(String)
}

/// The reason why a template function refuses its argument.
public struct TemplateFunctionError: Error, CustomStringConvertible {
    public var description: String

    public init(description: String) { self.description = description }
}

/// The parameters of a function or a method.
///
/// Go checks the number of arguments before it evaluates them, and the type of each before it evaluates the next.
public struct TemplateSignature: Sendable {
    /// The Go type of a parameter.
    public enum Parameter: Sendable {
        /// An interface, or a value of `reflect`: accepts all values, including nil.
        case any
        case string
        case integer
        case duration
        case time
        /// A slice type; nil is an empty slice.
        case slice(String)
        /// A pointer type, which accepts nil.
        case pointer(String)

        /// The type's name in errors.
        var typeName: String {
            switch self {
            case .any: "interface {}"
            case .string: "string"
            case .integer: "int"
            case .duration: "time.Duration"
            case .time: "time.Time"
            case .slice(let name), .pointer(let name): name
            }
        }

        /// The value of nil in this type; nil if the type has no nil.
        var zero: TemplateValue? {
            switch self {
            case .any, .pointer: .null
            case .slice(let name): .list([], type: name)
            case .string, .integer, .duration, .time: nil
            }
        }

        func accepts(_ value: TemplateValue) -> Bool {
            switch (self, value) {
            case (.any, _), (.string, .string), (.integer, .integer), (.duration, .duration), (.time, .time): true
            case (.slice(let name), .list(_, let type)): name == type
            case (.slice, .typed(let base, _)): accepts(base)
            case (.pointer(let name), .object(let object)): name == object.typeName
            default: false
            }
        }
    }

    var parameters: [Parameter]
    /// The parameter of all further arguments, if there may be any number.
    var variadic: Parameter?

    public init(_ parameters: [Parameter], variadic: Parameter? = nil) {
        self.parameters = parameters
        self.variadic = variadic
    }

    /// The parameter of an argument; nil if there is none.
    func parameter(_ index: Int) -> Parameter? { index < parameters.count ? parameters[index] : variadic }

    /// The least number of arguments.
    public var count: Int { parameters.count }

    /// The expected number of arguments, for an error, if `count` are too few or too many.
    func wanted(insteadOf count: Int) -> String? {
        if variadic != nil { return count < parameters.count ? "at least \(parameters.count)" : nil }
        return count == parameters.count ? nil : String(parameters.count)
    }
}
