import GoCompatibility
import Model

/// Builds the syntax trees of a template and of the templates that it defines.
struct TemplateParser {
    /// The largest depth of blocks and parentheses, which limits the recursion of parser and evaluator.
    static let maximumDepth = 200

    private let tokens: [TemplateToken]
    private let source: [UInt8]
    private let name: String
    private let functions: Set<String>
    private var at = 0
    private var depth = 0
    private var loopDepth = 0
    /// The names of variables in scope, with their dollar.
    private var variables = ["$"]
    private var definitions: [ExactText: [TemplateNode]] = [:]

    /// Parses `text`; the result contains the template `name` and all that it defines.
    static func parse(_ text: String, name: String, functions: Set<String>) throws(TemplateError)
        -> [ExactText: [TemplateNode]]
    {
        let source = Array(text.utf8)
        let tokens = try TemplateLexer.tokens(of: source, name: name)
        var parser = TemplateParser(tokens: tokens, source: source, name: name, functions: functions)
        let (nodes, stop) = try parser.block(isTop: true)
        if let stop { throw parser.failure("unexpected {{\(stop)}}") }
        try parser.add(nodes, as: name)
        return parser.definitions
    }

    private init(tokens: [TemplateToken], source: [UInt8], name: String, functions: Set<String>) {
        self.tokens = tokens
        self.source = source
        self.name = name
        self.functions = functions
    }

    // MARK: Tokens

    private var token: TemplateToken {
        at < tokens.count ? tokens[at] : TemplateToken(kind: .end, text: "", position: source.count)
    }

    private mutating func next() -> TemplateToken {
        let token = token
        at += 1
        return token
    }

    private mutating func skipSpace() { while token.kind == .space { at += 1 } }

    private func failure(_ message: String, at position: Int? = nil) -> TemplateError {
        .parse(name: name, source, at: min(position ?? token.position, source.count), message)
    }

    private func unexpected(_ token: TemplateToken, _ context: String) -> TemplateError {
        failure("unexpected \(Self.show(token)) in \(context)")
    }

    private static func show(_ token: TemplateToken) -> String {
        switch token.kind {
        case .end: "EOF"
        case .identifier where keywords.contains(token.text): "<\(token.text)>"
        case _ where token.text.utf8.count > 10: GoQuote.quote(String(token.text.prefix(10))) + "..."
        default: GoQuote.quote(token.text)
        }
    }

    private static let keywords: Set<String> = [
        "block", "break", "continue", "define", "else", "end", "if", "range", "nil", "template", "with",
    ]

    // MARK: Blocks

    /// The nodes up to `{{end}}` or `{{else …}}`, whose word is returned; nil at the end of the text.
    ///
    /// The position afterwards is after the word `else`, or after the action of `end`.
    private mutating func block(isTop: Bool = false) throws(TemplateError) -> ([TemplateNode], String?) {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else { throw failure("blocks are nested deeper than \(Self.maximumDepth)") }
        var nodes: [TemplateNode] = []
        while true {
            let token = next()
            switch token.kind {
            case .end:
                if isTop { return (nodes, nil) }
                throw failure("unexpected EOF")
            case .text: nodes.append(.text(token.text))
            case .leftDelimiter:
                skipSpace()
                let word = self.token.kind == .identifier ? self.token.text : ""
                switch word {
                case "end":
                    at += 1
                    try closeAction("end")
                    return (nodes, "end")
                case "else":
                    at += 1
                    return (nodes, "else")
                default:
                    if let node = try action(word) { nodes.append(node) }
                }
            default: throw unexpected(token, "input")
            }
        }
    }

    private mutating func closeAction(_ context: String) throws(TemplateError) {
        skipSpace()
        let token = next()
        guard token.kind == .rightDelimiter else { throw unexpected(token, context) }
    }

    private mutating func action(_ word: String) throws(TemplateError) -> TemplateNode? {
        switch word {
        case "if", "with", "range":
            at += 1
            return try control(word)
        case "define":
            at += 1
            try define()
            return nil
        case "block":
            at += 1
            return try blockAction()
        case "template":
            at += 1
            return try templateAction()
        case "break", "continue":
            at += 1
            guard loopDepth > 0 else { throw failure("{{\(word)}} outside {{range}}") }
            try closeAction("{{\(word)}}")
            return word == "break" ? .leaveLoop : .nextIteration
        default:
            let position = token.position
            let pipeline = try pipeline("command", end: .rightDelimiter, position: position)
            return .action(pipeline)
        }
    }

    private mutating func control(_ word: String) throws(TemplateError) -> TemplateNode {
        let scope = variables.count
        defer { variables.removeLast(max(0, variables.count - scope)) }
        let pipeline = try pipeline(word, end: .rightDelimiter, position: token.position)
        if word == "range" { loopDepth += 1 }
        let (body, stop) = try block()
        if word == "range" { loopDepth -= 1 }
        var otherwise: [TemplateNode] = []
        if stop == "else" {
            skipSpace()
            if token.kind == .identifier, token.text == "if" || token.text == "with", word == token.text {
                // `else if` is an `if` inside the `else` that shares its `end`.
                let inner = next().text
                otherwise = [try control(inner)]
            } else {
                try closeAction("else")
                let (nodes, stop) = try block()
                guard stop == "end" else { throw failure("expected end; found {{else}}") }
                otherwise = nodes
            }
        }
        return switch word {
        case "if": .condition(pipeline, then: body, otherwise: otherwise)
        case "with": .with(pipeline, body: body, otherwise: otherwise)
        default: .range(pipeline, body: body, otherwise: otherwise)
        }
    }

    private mutating func quotedName(_ context: String) throws(TemplateError) -> String {
        skipSpace()
        let token = next()
        guard token.kind == .string || token.kind == .rawString, let name = GoLiteral.unquote(token.text) else {
            throw unexpected(token, context)
        }
        return name
    }

    /// The nodes of a separate template, which does not see outer variables.
    private mutating func definitionBody(_ context: String) throws(TemplateError) -> [TemplateNode] {
        let outer = (variables, loopDepth)
        (variables, loopDepth) = (["$"], 0)
        defer { (variables, loopDepth) = outer }
        let (nodes, stop) = try block()
        guard stop == "end" else { throw failure("unexpected {{else}} in \(context)") }
        return nodes
    }

    private mutating func define() throws(TemplateError) {
        guard depth == 1 else { throw failure("unexpected {{define}}") }
        let name = try quotedName("define clause")
        try closeAction("define clause")
        try add(try definitionBody("define clause"), as: name)
    }

    /// Defines a template.
    ///
    /// An empty one does not replace another, and may be replaced.
    private mutating func add(_ nodes: [TemplateNode], as name: String) throws(TemplateError) {
        func isEmpty(_ nodes: [TemplateNode]) -> Bool { nodes.allSatisfy(\.isBlank) }
        if let known = definitions[ExactText(name)], !isEmpty(known) {
            if isEmpty(nodes) { return }
            throw failure("template: multiple definition of template \(GoQuote.quote(name))")
        }
        definitions[ExactText(name)] = nodes
    }

    private mutating func blockAction() throws(TemplateError) -> TemplateNode {
        let position = token.position
        let name = try quotedName("block clause")
        skipSpace()
        let argument = try pipeline("block clause", end: .rightDelimiter, position: position)
        let body = try definitionBody("block clause")
        try add(body, as: name)
        return .template(name: name, argument: argument, position: position)
    }

    private mutating func templateAction() throws(TemplateError) -> TemplateNode {
        skipSpace()
        let position = token.position
        let name = try quotedName("template clause")
        skipSpace()
        if token.kind == .rightDelimiter {
            at += 1
            return .template(name: name, argument: nil, position: position)
        }
        let argument = try pipeline("template clause", end: .rightDelimiter, position: position)
        return .template(name: name, argument: argument, position: position)
    }

    // MARK: Pipelines

    private mutating func pipeline(
        _ context: String, end: TemplateToken.Kind, position: Int
    ) throws(TemplateError) -> TemplatePipeline {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else { throw failure("nested deeper than \(Self.maximumDepth)") }
        skipSpace()
        var result = TemplatePipeline(position: position)
        try declarations(context, &result)
        while true {
            skipSpace()
            let token = token
            if token.kind == end {
                at += 1
                break
            }
            guard token.kind.beginsOperand else { throw unexpected(token, context) }
            result.commands.append(try command(end: end))
            skipSpace()
            if self.token.kind == .pipe {
                at += 1
                skipSpace()
                if self.token.kind == end { throw failure("missing value for \(context)") }
            } else if self.token.kind != end {
                throw unexpected(self.token, context)
            }
        }
        if result.commands.isEmpty { throw failure("missing value for \(context)") }
        for command in result.commands.dropFirst() {
            switch command.operands.first?.kind {
            case .bool, .dot, .null, .integer, .float, .string:
                let index = (result.commands.firstIndex { $0.position == command.position } ?? 0) + 1
                throw failure(
                    "non executable command in pipeline stage \(index)")
            default: break
            }
        }
        // A declared variable is only visible after its pipeline. As in Go, an assignment declares, too: the error of a
        // missing variable is found during the execution.
        variables += result.variables
        return result
    }

    private mutating func declarations(
        _ context: String, _ result: inout TemplatePipeline
    ) throws(TemplateError) {
        let start = at
        guard token.kind == .variable else { return }
        let first = next().text
        skipSpace()
        switch token.kind {
        case .declare, .assign:
            result.isAssignment = next().kind == .assign
            result.variables = [first]
        case .comma:
            guard context == "range" else { throw failure("too many declarations in \(context)") }
            at += 1
            skipSpace()
            let second = next()
            guard second.kind == .variable else { throw failure("range can only initialize variables") }
            skipSpace()
            if token.kind == .comma { throw failure("too many declarations in \(context)") }
            guard token.kind == .declare || token.kind == .assign else {
                throw unexpected(token, context)
            }
            result.isAssignment = next().kind == .assign
            result.variables = [first, second.text]
        default:
            at = start
            return
        }
    }

    private mutating func command(end: TemplateToken.Kind) throws(TemplateError) -> TemplateCommand {
        let position = token.position
        var operands: [TemplateOperand] = []
        while true {
            skipSpace()
            guard token.kind.beginsOperand else {
                if operands.isEmpty { throw failure("empty command") }
                return TemplateCommand(operands: operands, position: position)
            }
            operands.append(try operand())
            switch token.kind {
            case .space, .pipe, .rightDelimiter, .rightParenthesis: break
            default: throw unexpected(token, "operand")
            }
        }
    }

    private mutating func operand() throws(TemplateError) -> TemplateOperand {
        let token = next()
        let position = token.position
        var base: TemplateOperand
        switch token.kind {
        case .identifier:
            switch token.text {
            case "true": base = TemplateOperand(kind: .bool(true), position: position)
            case "false": base = TemplateOperand(kind: .bool(false), position: position)
            case "nil": base = TemplateOperand(kind: .null, position: position)
            case _ where Self.keywords.contains(token.text): throw unexpected(token, "operand")
            default:
                guard functions.contains(token.text) else {
                    throw failure("function \(GoQuote.quote(token.text)) not defined", at: position)
                }
                base = TemplateOperand(kind: .function(token.text), position: position)
            }
        case .dot: base = TemplateOperand(kind: .dot, position: position)
        case .field: base = TemplateOperand(kind: .field([String(token.text.dropFirst())]), position: position)
        case .variable:
            guard variables.contains(token.text) else {
                throw failure("undefined variable \(GoQuote.quote(token.text))", at: position)
            }
            base = TemplateOperand(kind: .variable(token.text, []), position: position)
        case .leftParenthesis:
            let inner = try pipeline("parenthesized pipeline", end: .rightParenthesis, position: position)
            base = TemplateOperand(kind: .pipeline(inner), position: position)
        case .string, .rawString:
            guard let value = GoLiteral.unquote(token.text) else { throw failure("invalid syntax: \(token.text)") }
            base = TemplateOperand(kind: .string(value, token.text), position: position)
        case .character:
            guard let value = GoLiteral.unquote(token.text), let scalar = value.unicodeScalars.first,
                value.unicodeScalars.count == 1
            else { throw failure("malformed character constant: \(token.text)") }
            base = TemplateOperand(kind: .integer(Int64(scalar.value), token.text), position: position)
        case .number:
            switch GoLiteral.number(token.text) {
            case .integer(let value): base = TemplateOperand(kind: .integer(value, token.text), position: position)
            case .largeInteger: base = TemplateOperand(kind: .largeInteger(token.text), position: position)
            case .float(let value): base = TemplateOperand(kind: .float(value, token.text), position: position)
            case nil:
                let digits = token.text.drop { $0 == "-" || $0 == "+" }
                let isOverflow = !digits.isEmpty && digits.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
                throw failure(
                    "\(isOverflow ? "integer overflow" : "illegal number syntax"): \(GoQuote.quote(token.text))")
            }
        default: throw unexpected(token, "operand")
        }
        var fields: [String] = []
        // The position of a chain in Go's errors: its first further field.
        let chainPosition = self.token.position
        while self.token.kind == .field { fields.append(String(next().text.dropFirst())) }
        if fields.isEmpty { return base }
        let basePosition = base.position
        base.position = chainPosition
        switch base.kind {
        case .field(let own): base.kind = .field(own + fields)
        case .variable(let name, let own): base.kind = .variable(name, own + fields)
        case .bool, .string, .integer, .largeInteger, .float, .null, .dot:
            throw failure("unexpected . after term \(GoQuote.quote(base.description))")
        default:
            base.position = basePosition
            base = TemplateOperand(kind: .chain(base, fields), position: chainPosition)
        }
        return base
    }
}

extension TemplateToken.Kind {
    fileprivate var beginsOperand: Bool {
        switch self {
        case .identifier, .dot, .field, .variable, .leftParenthesis, .string, .rawString, .character, .number: true
        default: false
        }
    }
}
