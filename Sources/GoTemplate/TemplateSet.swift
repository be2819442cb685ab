import GoCompatibility
import Model

/// Templates that call each other by name, parsed from one or more texts.
public struct TemplateSet: Sendable {
    private(set) var definitions: [ExactText: TemplateDefinition] = [:]
    private let functions: Set<String>

    /// A set without templates.
    ///
    /// - Parameter functions: The functions that templates may call beside Go's own.
    public init(functions: Set<String>) { self.functions = functions.union(TemplateBuiltins.signatures.keys) }

    /// The names of all templates.
    public var names: [String] { definitions.keys.map(\.text) }

    /// Adds the template `name` and all that its text defines, which replace those of the same names.
    ///
    /// An empty template replaces no other.
    ///
    /// - Throws: Go's reason, without a prefix; the set is unchanged.
    public mutating func add(_ text: String, name: String) throws(TemplateError) {
        let unit = TemplateUnit(name: name, source: Array(text.utf8))
        for (name, nodes) in try TemplateParser.parse(text, name: name, functions: functions) {
            if nodes.allSatisfy(\.isBlank), let known = definitions[name], !known.nodes.allSatisfy(\.isBlank) {
                continue
            }
            definitions[name] = TemplateDefinition(nodes: nodes, unit: unit)
        }
    }

    /// The output of the template `name` for `data`, its dot.
    ///
    /// An execution that exceeds ``TemplateLimits`` is an error.
    ///
    /// - Parameter isHTML: Whether the output is a HTML page, in which values are escaped for their places.
    public func execute(
        _ name: String, _ data: TemplateValue, functions: some TemplateFunctionSet, isHTML: Bool = false,
        limits: TemplateLimits = TemplateLimits()
    ) throws(TemplateError) -> String {
        try TemplateEvaluator.run(
            name, of: self, data: data, functions: functions, isHTML: isHTML, limits: limits)
    }

    /// The first call of a template that is not there, in the text from which `name` was parsed; nil without one.
    public func missingTemplate(in name: String) -> (name: String, line: Int, column: Int)? {
        guard let own = definitions[ExactText(name)] else { return nil }
        var found: (name: String, position: Int)?
        for definition in definitions.values where definition.unit.name.isExactly(name) {
            for call in definition.nodes.flatMap(\.calls) where definitions[ExactText(call.name)] == nil {
                if found.map({ call.position < $0.position }) ?? true { found = call }
            }
        }
        return found.map { call in
            let before = own.unit.source.prefix(call.position)
            let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
            return (call.name, before.count { $0 == 0x0A } + 1, before.count - lineStart + 1)
        }
    }
}

/// A template and the text in which it was defined.
struct TemplateDefinition: Sendable {
    var nodes: [TemplateNode]
    var unit: TemplateUnit
}

/// A text that was parsed, for the places in errors.
struct TemplateUnit: Sendable {
    var name: String
    var source: [UInt8]
}
