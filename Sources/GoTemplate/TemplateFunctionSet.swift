/// The functions that templates may call besides Go's own.
public protocol TemplateFunctionSet: Sendable {
    /// All names: a template that names another function is not parsed.
    static var names: Set<String> { get }

    /// Calls one of ``names``.
    func call(_ name: String, _ arguments: [TemplateValue]) -> TemplateOutcome
}

/// What a call of a function of a template gave.
public enum TemplateOutcome: Sendable {
    case value(TemplateValue)
    /// The number of arguments that is wanted.
    case wrongCount(String)
    /// Which argument, and the Go type that is wanted.
    case wrongType(Int, String)
    case failed(String)
}

/// Why a function of a template refuses its argument.
public struct TemplateFunctionError: Error, CustomStringConvertible {
    public var description: String

    public init(description: String) { self.description = description }
}
