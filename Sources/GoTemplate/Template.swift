import Model

/// A template in the language of Go's `text/template`, parsed once and executed for any data.
public struct Template: Sendable {
    private let name: String
    private let source: [UInt8]
    private let definitions: [ExactText: [TemplateNode]]

    /// Parses a template.
    ///
    /// - Parameters:
    ///   - name: Stands in errors.
    ///   - functions: The names that it may call besides Go's own functions.
    /// - Throws: Go's reason, without a prefix.
    public init(_ text: String, name: String, functions: Set<String>) throws(TemplateError) {
        self.name = name
        source = Array(text.utf8)
        definitions = try TemplateParser.parse(
            text, name: name, functions: functions.union(TemplateBuiltins.signatures.keys))
    }

    /// The text that the template makes of `data`, its dot.
    ///
    /// An execution that takes more than ``TemplateLimits`` is an error.
    public func execute(
        _ data: TemplateValue, functions: some TemplateFunctionSet, limits: TemplateLimits = TemplateLimits()
    ) throws(TemplateError) -> String {
        try TemplateEvaluator.run(
            definitions, name: name, source: source, data: data, functions: functions, limits: limits)
    }
}

/// Bounds on what one execution of a template may cost.
public struct TemplateLimits: Sendable {
    /// Templates that call each other.
    public var depth = 100
    /// Nodes and operands evaluated.
    public var steps = 1_000_000
    /// Bytes written.
    public var output = 1 << 20

    public init() {}
}
