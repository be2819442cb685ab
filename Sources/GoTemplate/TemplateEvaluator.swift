import GoCompatibility
import Model

/// Executes parsed templates, as the executor of Go's `text/template`.
struct TemplateEvaluator {
    /// A control transfer out of a loop's body.
    private enum Flow { case next, leaveLoop, nextIteration }

    private let templates: TemplateSet
    let functions: any TemplateFunctionSet
    private let limits: TemplateLimits
    private var out = ""
    private var outputBytes = 0
    private var steps = 0
    /// The bytes of all texts that functions took and gave.
    private var functionBytes = 0
    private var depth = 0
    private var variables: [(name: String, value: TemplateValue)] = []
    /// The name of the template that is being executed, and the text in which it was defined.
    private var current: String
    private var unit: TemplateUnit
    /// The place in a HTML page that the output has reached; nil for plain text.
    private var page: HTMLEscape?

    /// The output of a template of the set.
    static func run(
        _ name: String, of templates: TemplateSet, data: TemplateValue, functions: any TemplateFunctionSet,
        isHTML: Bool, limits: TemplateLimits
    ) throws(TemplateError) -> String {
        guard let body = templates.definitions[ExactText(name)] else {
            throw TemplateError("template: no template \(GoQuote.quote(name))")
        }
        var evaluator = TemplateEvaluator(
            templates: templates, current: name, unit: body.unit, functions: functions, isHTML: isHTML, limits: limits)
        evaluator.variables = [("$", data)]
        _ = try evaluator.walk(body.nodes, data)
        return evaluator.out
    }

    private init(
        templates: TemplateSet, current: String, unit: TemplateUnit, functions: any TemplateFunctionSet, isHTML: Bool,
        limits: TemplateLimits
    ) {
        self.templates = templates
        self.current = current
        self.unit = unit
        self.functions = functions
        self.limits = limits
        page = isHTML ? HTMLEscape() : nil
    }

    /// `template: NAME:LINE:COLUMN: executing "NAME" at <NODE>: MESSAGE`.
    func failure(_ message: String, at position: Int, _ node: String) -> TemplateError {
        let before = unit.source.prefix(position)
        let line = before.count { $0 == 0x0A } + 1
        let column = before.lastIndex(of: 0x0A).map { position - $0 - 1 } ?? position
        return TemplateError(
            "template: \(unit.name):\(line):\(column): executing \(GoQuote.quote(current)) at <\(node)>: \(message)")
    }

    mutating func step(_ position: Int) throws(TemplateError) {
        steps &+= 1
        if steps > limits.steps { throw failure("exceeded \(limits.steps) steps", at: position, "") }
    }

    /// Refuses a value whose text would exceed the largest output of a template, before the text is made.
    func checkSize(_ value: TemplateValue, _ position: Int) throws(TemplateError) {
        if value.textSize(atMost: limits.output) > limits.output {
            throw failure("output exceeds \(limits.output) bytes", at: position, "")
        }
    }

    /// Counts an argument or a result of a function: each turn of a loop can read or make the same large text or list.
    mutating func charge(_ value: TemplateValue, _ position: Int) throws(TemplateError) {
        switch value.base {
        case .string(let text):
            try checkSize(value, position)
            functionBytes += text.utf8.count
            if functionBytes / 16 > limits.output {
                throw failure("functions had more than \(16 * limits.output) bytes", at: position, "")
            }
        case .list(let values, _): steps &+= values.count / 16
        case .map(let entries): steps &+= entries.count
        default: break
        }
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
            let shown = page?.literal(text) ?? text
            // Comments are read each time, too.
            outputBytes += text.utf8.count - shown.utf8.count
            try write(shown, at: 0)
            return .next
        case .action(let pipeline):
            let value = try evaluate(pipeline, dot)
            if pipeline.variables.isEmpty {
                try checkSize(value, pipeline.position)
                try write(try printed(value, pipeline), at: pipeline.position)
            }
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

    /// The output of an action, in a page escaped for its place.
    private mutating func printed(
        _ value: TemplateValue, _ pipeline: TemplatePipeline
    ) throws(TemplateError) -> String {
        guard page != nil else { return value.printed }
        var escaper: String?
        if let last = pipeline.commands.last, case .function(let name)? = last.operands.first?.kind { escaper = name }
        if let text = page?.escape(value, after: escaper) { return text }
        throw failure(
            "a value cannot be escaped at this place of a page", at: pipeline.position, pipeline.description)
    }

    private mutating func walkRange(
        _ pipeline: TemplatePipeline, _ body: [TemplateNode], _ otherwise: [TemplateNode], _ dot: TemplateValue
    ) throws(TemplateError) -> Flow {
        let mark = variables.count
        defer { variables.removeLast(variables.count - mark) }
        let value = try evaluate(pipeline, dot)
        let inner = variables.count
        var isEmpty = true
        func entries() throws(TemplateError) -> [(TemplateValue, TemplateValue)] {
            switch value.base {
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
                try checkSize(value, pipeline.position)
                throw failure("range can't iterate over \(value.printed)", at: pipeline.position, pipeline.description)
            }
        }
        for (key, element) in try entries() {
            isEmpty = false
            try step(pipeline.position)
            switch pipeline.variables.count {
            case 1: try bindLoop(pipeline, 0, element, below: inner)
            case 2:
                try bindLoop(pipeline, 0, key, below: inner)
                try bindLoop(pipeline, 1, element, below: inner)
            default: break
            }
            let flow = try walk(body, element)
            variables.removeLast(variables.count - inner)
            if flow == .leaveLoop { return .next }
        }
        return isEmpty ? try walk(otherwise, dot) : .next
    }

    /// Sets a variable of a loop, which the whole pipeline has already declared or assigned.
    private mutating func bindLoop(
        _ pipeline: TemplatePipeline, _ index: Int, _ value: TemplateValue, below inner: Int
    ) throws(TemplateError) {
        if pipeline.isAssignment { return try assign(pipeline.variables[index], value, pipeline) }
        variables[inner - pipeline.variables.count + index].value = value
    }

    private mutating func assign(
        _ name: String, _ value: TemplateValue, _ pipeline: TemplatePipeline
    ) throws(TemplateError) {
        guard let index = variables.lastIndex(where: { $0.name.isExactly(name) }) else {
            throw failure("undefined variable: \(name)", at: pipeline.position, pipeline.description)
        }
        variables[index].value = value
    }

    private mutating func call(
        _ called: String, _ argument: TemplatePipeline?, _ position: Int, _ dot: TemplateValue
    ) throws(TemplateError) {
        let shown = "{{template \(GoQuote.quote(called))\(argument.map { " " + $0.description } ?? "")}}"
        guard let body = templates.definitions[ExactText(called)] else {
            throw failure("template \(GoQuote.quote(called)) not defined", at: position, shown)
        }
        guard depth < limits.depth else {
            throw failure("exceeded maximum template depth (\(limits.depth))", at: position, shown)
        }
        let value = if let argument { try evaluate(argument, dot) } else { TemplateValue.null }
        let (outerVariables, outerName, outerUnit) = (variables, current, unit)
        variables = [("$", value)]
        (current, unit) = (called, body.unit)
        depth += 1
        defer {
            variables = outerVariables
            (current, unit) = (outerName, outerUnit)
            depth -= 1
        }
        _ = try walk(body.nodes, value)
    }

    // MARK: Pipelines

    private mutating func evaluate(
        _ pipeline: TemplatePipeline, _ dot: TemplateValue
    ) throws(TemplateError) -> TemplateValue {
        var value: TemplateValue?
        for command in pipeline.commands { value = try evaluate(command, dot, piped: value) }
        let result = value ?? .null
        for name in pipeline.variables {
            if pipeline.isAssignment {
                try assign(name, result, pipeline)
            } else {
                variables.append((name, result))
            }
        }
        return result
    }

    private mutating func evaluate(
        _ command: TemplateCommand, _ dot: TemplateValue, piped: TemplateValue?
    ) throws(TemplateError) -> TemplateValue {
        guard let first = command.operands.first else { return .null }
        try step(command.position)
        let hasArguments = command.operands.count > 1 || piped != nil
        switch first.kind {
        case .function(let function):
            return try call(function, TemplateCall(node: first, command: command, dot: dot, piped: piped))
        case .field(let fields):
            return try chain(dot, fields, TemplateCall(node: first, command: command, dot: dot, piped: piped))
        case .variable(let name, let fields):
            let value = variables.last { $0.name.isExactly(name) }?.value ?? .null
            if fields.isEmpty {
                if hasArguments { throw notAFunction(first) }
                return value
            }
            return try chain(value, fields, TemplateCall(node: first, command: command, dot: dot, piped: piped))
        case .chain(let base, let fields):
            let call = TemplateCall(node: first, command: command, dot: dot, piped: piped)
            return try chain(try operand(base, dot), fields, call)
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

    /// The value of an operand that is an argument.
    mutating func operand(_ operand: TemplateOperand, _ dot: TemplateValue) throws(TemplateError)
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
}
