import GoCompatibility
import Model

/// Executes parsed templates.
///
/// After the executor of Go's `text/template`.
struct TemplateEvaluator {
    /// A control transfer out of a loop's body.
    private enum Flow { case next, leaveLoop, nextIteration }

    private let definitions: [String: [TemplateNode]]
    private let name: String
    private let source: [UInt8]
    private let functions: any TemplateFunctionSet
    private let limits: TemplateLimits
    private var out = ""
    private var outputBytes = 0
    private var steps = 0
    private var depth = 0
    private var variables: [(name: String, value: TemplateValue)] = []
    /// The template that is being executed.
    private var current: String

    static func run(
        _ definitions: [String: [TemplateNode]], name: String, source: [UInt8], data: TemplateValue,
        functions: any TemplateFunctionSet, limits: TemplateLimits
    ) throws(TemplateError) -> String {
        var evaluator = TemplateEvaluator(
            definitions: definitions, name: name, source: source, functions: functions, limits: limits)
        evaluator.variables = [("$", data)]
        _ = try evaluator.walk(definitions[name] ?? [], data)
        return evaluator.out
    }

    private init(
        definitions: [String: [TemplateNode]], name: String, source: [UInt8], functions: any TemplateFunctionSet,
        limits: TemplateLimits
    ) {
        self.definitions = definitions
        self.name = name
        self.source = source
        self.functions = functions
        self.limits = limits
        current = name
    }

    /// `template: NAME:LINE:COLUMN: executing "NAME" at <NODE>: MESSAGE`.
    private func failure(_ message: String, at position: Int, _ node: String) -> TemplateError {
        let before = source.prefix(position)
        let line = before.count { $0 == 0x0A } + 1
        let column = before.lastIndex(of: 0x0A).map { position - $0 - 1 } ?? position
        return TemplateError(
            "template: \(name):\(line):\(column): executing \(GoQuote.quote(current)) at <\(node)>: \(message)")
    }

    private mutating func step(_ position: Int) throws(TemplateError) {
        steps &+= 1
        if steps > limits.steps { throw failure("exceeded \(limits.steps) steps", at: position, "") }
    }

    private mutating func write(_ text: String, at position: Int) throws(TemplateError) {
        outputBytes += text.utf8.count
        if outputBytes > limits.output { throw failure("output exceeds \(limits.output) bytes", at: position, "") }
        out += text
    }

    // MARK: Nodes

    private mutating func walk(_ nodes: [TemplateNode], _ dot: TemplateValue) throws(TemplateError) -> Flow {
        for node in nodes {
            let flow = try walk(node, dot)
            if flow != .next { return flow }
        }
        return .next
    }

    private mutating func walk(_ node: TemplateNode, _ dot: TemplateValue) throws(TemplateError) -> Flow {
        switch node {
        case .text(let text):
            try write(text, at: 0)
            return .next
        case .action(let pipeline):
            let value = try evaluate(pipeline, dot)
            if pipeline.variables.isEmpty { try write(value.printed, at: pipeline.position) }
            return .next
        case .condition(let pipeline, let then, let otherwise):
            let mark = variables.count
            defer { variables.removeLast(variables.count - mark) }
            return try walk(try evaluate(pipeline, dot).isTrue ? then : otherwise, dot)
        case .with(let pipeline, let body, let otherwise):
            let mark = variables.count
            defer { variables.removeLast(variables.count - mark) }
            let value = try evaluate(pipeline, dot)
            return value.isTrue ? try walk(body, value) : try walk(otherwise, dot)
        case .range(let pipeline, let body, let otherwise):
            return try walkRange(pipeline, body, otherwise, dot)
        case .template(let called, let argument, let position):
            try call(called, argument, position, dot)
            return .next
        case .leaveLoop: return .leaveLoop
        case .nextIteration: return .nextIteration
        }
    }

    private mutating func walkRange(
        _ pipeline: TemplatePipeline, _ body: [TemplateNode], _ otherwise: [TemplateNode], _ dot: TemplateValue
    ) throws(TemplateError) -> Flow {
        let mark = variables.count
        defer { variables.removeLast(variables.count - mark) }
        let value = try evaluate(pipeline, dot, isRange: true)
        let inner = variables.count
        var isEmpty = true
        func entries() throws(TemplateError) -> [(TemplateValue, TemplateValue)] {
            switch value {
            case .null: return []
            case .list(let values, _): return values.enumerated().map { (.integer(Int64($0.offset)), $0.element) }
            case .labels(let labels): return GoFormat.sorted(labels).map { (.string($0.key), .string($0.value)) }
            case .map(let map): return GoFormat.sorted(map).map { (.string($0.key), $0.value) }
            case .integer(let count):
                if count > Int64(limits.steps) {
                    throw failure("exceeded \(limits.steps) steps", at: pipeline.position, pipeline.description)
                }
                return (0..<max(0, count)).map { (.integer($0), .integer($0)) }
            default:
                throw failure("range can't iterate over \(value.printed)", at: pipeline.position, pipeline.description)
            }
        }
        for (key, element) in try entries() {
            isEmpty = false
            try step(pipeline.position)
            switch pipeline.variables.count {
            case 1: bind(pipeline.variables[0], element, pipeline.isAssignment)
            case 2:
                bind(pipeline.variables[0], key, pipeline.isAssignment)
                bind(pipeline.variables[1], element, pipeline.isAssignment)
            default: break
            }
            let flow = try walk(body, element)
            variables.removeLast(variables.count - inner)
            if flow == .leaveLoop { return .next }
        }
        return isEmpty ? try walk(otherwise, dot) : .next
    }

    private mutating func bind(_ name: String, _ value: TemplateValue, _ isAssignment: Bool) {
        if isAssignment, let index = variables.lastIndex(where: { $0.name == name }) {
            variables[index].value = value
        } else {
            variables.append((name, value))
        }
    }

    private mutating func call(
        _ called: String, _ argument: TemplatePipeline?, _ position: Int, _ dot: TemplateValue
    ) throws(TemplateError) {
        let shown = "{{template \(GoQuote.quote(called))\(argument.map { " " + $0.description } ?? "")}}"
        guard let body = definitions[called] else {
            throw failure("template \(GoQuote.quote(called)) not defined", at: position, shown)
        }
        guard depth < limits.depth else {
            throw failure("exceeded maximum template depth (\(limits.depth))", at: position, shown)
        }
        let value = if let argument { try evaluate(argument, dot) } else { TemplateValue.null }
        let (outerVariables, outerName) = (variables, current)
        variables = [("$", value)]
        current = called
        depth += 1
        defer {
            variables = outerVariables
            current = outerName
            depth -= 1
        }
        _ = try walk(body, value)
    }

    // MARK: Pipelines

    private mutating func evaluate(
        _ pipeline: TemplatePipeline, _ dot: TemplateValue, isRange: Bool = false
    ) throws(TemplateError) -> TemplateValue {
        var value: TemplateValue?
        for command in pipeline.commands { value = try evaluate(command, dot, piped: value) }
        let result = value ?? .null
        if !isRange { for name in pipeline.variables { bind(name, result, pipeline.isAssignment) } }
        return result
    }

    private mutating func evaluate(
        _ command: TemplateCommand, _ dot: TemplateValue, piped: TemplateValue?
    ) throws(TemplateError) -> TemplateValue {
        guard let first = command.operands.first else { return .null }
        try step(command.position)
        let hasArguments = command.operands.count > 1 || piped != nil
        switch first.kind {
        case .function(let function): return try call(function, first, command, dot, piped)
        case .field(let fields): return try chain(dot, fields, first, command, dot, piped)
        case .variable(let name, let fields):
            let value = variables.last { $0.name == name }?.value ?? .null
            if fields.isEmpty {
                if hasArguments { throw notAFunction(first) }
                return value
            }
            return try chain(value, fields, first, command, dot, piped)
        case .chain(let base, let fields):
            return try chain(try operand(base, dot), fields, first, command, dot, piped)
        case .null: throw failure("nil is not a command", at: first.position, first.description)
        default:
            if hasArguments { throw notAFunction(first) }
            return try operand(first, dot)
        }
    }

    private func notAFunction(_ operand: TemplateOperand) -> TemplateError {
        failure(
            "can't give argument to non-function \(operand.description)", at: operand.position, operand.description)
    }

    /// The value of an operand that stands as an argument.
    private mutating func operand(_ operand: TemplateOperand, _ dot: TemplateValue) throws(TemplateError)
        -> TemplateValue
    {
        try step(operand.position)
        let alone = TemplateCommand(operands: [operand], position: operand.position)
        switch operand.kind {
        case .dot: return dot
        case .null: return .null
        case .bool(let value): return .bool(value)
        case .integer(let value, _): return .integer(value)
        case .largeInteger(let text):
            throw failure("\(text) overflows int", at: operand.position, operand.description)
        case .float(let value, _): return .float(value)
        case .string(let value, _): return .string(value)
        case .pipeline(let pipeline): return try evaluate(pipeline, dot)
        case .field, .variable, .function, .chain: return try evaluate(alone, dot, piped: nil)
        }
    }

    private mutating func arguments(
        _ command: TemplateCommand, _ dot: TemplateValue, _ piped: TemplateValue?
    ) throws(TemplateError) -> [TemplateValue] {
        var values: [TemplateValue] = []
        for argument in command.operands.dropFirst() { values.append(try operand(argument, dot)) }
        if let piped { values.append(piped) }
        return values
    }

    // MARK: Fields

    /// Follows `.a.b`; the last field may be a method that takes the command's arguments.
    private mutating func chain(
        _ base: TemplateValue, _ fields: [String], _ node: TemplateOperand, _ command: TemplateCommand,
        _ dot: TemplateValue, _ piped: TemplateValue?
    ) throws(TemplateError) -> TemplateValue {
        let arguments = try arguments(command, dot, piped)
        var value = base
        for (index, field) in fields.enumerated() {
            let isLast = index == fields.count - 1
            value = try self.field(field, of: value, isLast ? arguments : [], node)
        }
        return value
    }

    private func field(
        _ field: String, of value: TemplateValue, _ arguments: [TemplateValue], _ node: TemplateOperand
    ) throws(TemplateError) -> TemplateValue {
        var found: TemplateValue?
        switch value {
        case .null:
            throw failure("nil data; no entry for key \(GoQuote.quote(field))", at: node.position, node.description)
        case .labels(let labels): found = .string(labels[ExactText(field)] ?? "")
        case .map(let entries): found = entries[ExactText(field)] ?? .null
        case .object(let object): found = object[field]
        case .time(let nanoseconds):
            if let result = TimeMethods.call(field, of: GoTime(nanoseconds: nanoseconds), arguments) { return result }
        case .duration(let nanoseconds):
            if let result = TimeMethods.callDuration(field, nanoseconds) { return result }
        default: break
        }
        guard let found else {
            throw failure(
                "can't evaluate field \(field) in type \(value.typeName)", at: node.position, node.description)
        }
        if !arguments.isEmpty {
            throw failure("\(field) is not a method but has arguments", at: node.position, node.description)
        }
        return found
    }

    // MARK: Functions

    private mutating func call(
        _ function: String, _ node: TemplateOperand, _ command: TemplateCommand, _ dot: TemplateValue,
        _ piped: TemplateValue?
    ) throws(TemplateError) -> TemplateValue {
        if function == "and" || function == "or" {
            // Short circuit: what follows the deciding argument is not evaluated.
            let count = command.operands.count - 1 + (piped == nil ? 0 : 1)
            if count == 0 {
                throw failure(
                    "wrong number of args for \(function): want at least 1 got 0", at: node.position,
                    node.description)
            }
            var value = TemplateValue.null
            for argument in command.operands.dropFirst() {
                value = try operand(argument, dot)
                if value.isTrue == (function == "or") { return value }
            }
            return piped ?? value
        }
        let values = try arguments(command, dot, piped)
        switch TemplateBuiltins.call(function, values) ?? functions.call(function, values) {
        case .value(let value): return value
        case .wrongCount(let wanted):
            throw failure(
                "wrong number of args for \(function): want \(wanted) got \(values.count)", at: node.position,
                node.description)
        case .wrongType(let index, let expected):
            guard index < values.count else { return .null }
            let value = values[index]
            let operands = command.operands.dropFirst()
            if index < operands.count {
                let operand = operands[operands.startIndex + index]
                switch operand.kind {
                case .bool, .integer, .float, .string, .null:
                    let message =
                        expected == "string"
                        ? "expected string; found \(operand.description)"
                        : "can't handle \(operand.description) for arg of type \(expected)"
                    throw failure(message, at: operand.position, operand.description)
                default:
                    throw failure(
                        "wrong type for value; expected \(expected); got \(value.typeName)", at: operand.position,
                        operand.description)
                }
            }
            throw failure(
                "wrong type for value; expected \(expected); got \(value.typeName)", at: node.position,
                node.description)
        case .failed(let message):
            throw failure("error calling \(function): \(message)", at: command.position, command.description)
        }
    }
}
