/// A template in the language of Go's `text/template`, parsed once and executed for any data.
public struct Template: Sendable {
    private let name: String
    private let templates: TemplateSet

    /// Parses a template.
    ///
    /// - Parameters:
    ///   - name: The name in errors.
    ///   - functions: The functions that it may call beside Go's own.
    /// - Throws: Go's reason, without a prefix.
    public init(_ text: String, name: String, functions: Set<String>) throws(TemplateError) {
        self.name = name
        var templates = TemplateSet(functions: functions)
        try templates.add(text, name: name)
        self.templates = templates
    }

    /// The output of the template for `data`, its dot.
    ///
    /// An execution that exceeds ``TemplateLimits`` is an error.
    public func execute(
        _ data: TemplateValue, functions: some TemplateFunctionSet, limits: TemplateLimits = TemplateLimits()
    ) throws(TemplateError) -> String {
        try templates.execute(name, data, functions: functions, limits: limits)
    }
}

/// Limits of the cost of one execution of a template.
public struct TemplateLimits: Sendable {
    /// The depth of templates that call each other.
    public var depth = 100
    /// The number of evaluated nodes and operands.
    public var steps = 1_000_000
    /// The number of written bytes.
    public var output = 1 << 20

    public init() {}
}
