import Model

/// The syntax tree of a template.
enum TemplateNode: Sendable {
    case text(String)
    case action(TemplatePipeline)
    case condition(TemplatePipeline, then: [TemplateNode], otherwise: [TemplateNode])
    case range(TemplatePipeline, body: [TemplateNode], otherwise: [TemplateNode])
    case with(TemplatePipeline, body: [TemplateNode], otherwise: [TemplateNode])
    case template(name: String, argument: TemplatePipeline?, position: Int)
    case leaveLoop
    case nextIteration

    /// Whether it is text of white space only.
    var isBlank: Bool {
        guard case .text(let text) = self else { return false }
        return text.unicodeScalars.allSatisfy(\.properties.isWhitespace)
    }

    /// The templates that it calls.
    var calls: [(name: String, position: Int)] {
        switch self {
        case .template(let name, _, let position): [(name, position)]
        case .condition(_, let body, let otherwise), .range(_, let body, let otherwise),
            .with(_, let body, let otherwise):
            (body + otherwise).flatMap(\.calls)
        case .text, .action, .leaveLoop, .nextIteration: []
        }
    }
}

/// `$x := a | f y`.
struct TemplatePipeline: Sendable {
    /// The variables that are declared or assigned, with their dollar.
    var variables: [String] = []
    var isAssignment = false
    var commands: [TemplateCommand] = []
    var position: Int
}

/// A function or value and its arguments.
struct TemplateCommand: Sendable {
    var operands: [TemplateOperand]
    var position: Int
}

/// A value in a command.
struct TemplateOperand: Sendable {
    indirect enum Kind: Sendable {
        case dot
        case null
        case bool(Bool)
        case integer(Int64, String)
        /// An integer up to 2^64 that does not fit an int, which only the execution refuses.
        case largeInteger(String)
        case float(Double, String)
        case string(String, String)
        case field([String])
        case variable(String, [String])
        case function(String)
        case pipeline(TemplatePipeline)
        case chain(TemplateOperand, [String])
    }

    var kind: Kind
    var position: Int
}

extension TemplateOperand: CustomStringConvertible {
    /// The text of a node in Go's errors.
    var description: String {
        func path(_ fields: [String]) -> String { fields.map { "." + $0 }.joined() }
        return switch kind {
        case .dot: "."
        case .null: "nil"
        case .bool(let value): value ? "true" : "false"
        case .integer(_, let text), .largeInteger(let text), .float(_, let text), .string(_, let text): text
        case .field(let fields): path(fields)
        case .variable(let name, let fields): name + path(fields)
        case .function(let name): name
        case .pipeline(let pipeline): "(" + pipeline.description + ")"
        case .chain(let base, let fields): base.description + path(fields)
        }
    }
}

extension TemplateCommand: CustomStringConvertible {
    var description: String { operands.map(\.description).joined(separator: " ") }
}

extension TemplatePipeline: CustomStringConvertible {
    var description: String {
        (variables.isEmpty ? "" : variables.joined(separator: ", ") + (isAssignment ? " = " : " := "))
            + commands.map(\.description).joined(separator: " | ")
    }
}
