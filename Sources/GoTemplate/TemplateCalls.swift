import GoCompatibility
import Model

/// The field, method or function at the start of a command, and its arguments.
struct TemplateCall {
    var node: TemplateOperand
    var command: TemplateCommand
    var dot: TemplateValue
    /// The value of the preceding command, which is the last argument.
    var piped: TemplateValue?

    var operands: ArraySlice<TemplateOperand> { command.operands.dropFirst() }
    var count: Int { operands.count + (piped == nil ? 0 : 1) }
}

extension TemplateEvaluator {
    // MARK: Fields

    /// Evaluates `.a.b`; the last field may be a method with the command's arguments.
    mutating func chain(
        _ base: TemplateValue, _ fields: [String], _ call: TemplateCall
    ) throws(TemplateError) -> TemplateValue {
        var value = base
        var isEntry = false
        for (index, field) in fields.enumerated() {
            var call = call
            if index < fields.count - 1 {
                call.command.operands = [call.node]
                call.piped = nil
            }
            if isEntry, case .null = value {
                // Outside of a pipeline, a missing entry is a nil interface.
                throw failure(
                    "nil pointer evaluating interface {}.\(field)", at: call.node.position, call.node.description)
            }
            isEntry = if case .map = value.base { true } else { false }
            value = try self.field(field, of: value, call)
        }
        return value
    }

    private mutating func field(
        _ field: String, of value: TemplateValue, _ call: TemplateCall
    ) throws(TemplateError) -> TemplateValue {
        let node = call.node
        if let signature = TimeMethods.signature(field, of: value) {
            let arguments = try arguments(field, signature, call)
            switch TimeMethods.call(field, of: value, arguments) {
            case .value(let result): return result
            case .failed(let message):
                throw failure("error calling \(field): \(message)", at: node.position, node.description)
            }
        }
        if case .typed(let base, let type) = value, let signature = type.signature(field) {
            let arguments = try arguments(field, signature, call)
            switch type.call(field, of: base, arguments) {
            case .value(let result): return result
            case .failed(let message):
                throw failure("error calling \(field): \(message)", at: node.position, node.description)
            }
        }
        let found: TemplateValue?
        switch value.base {
        // A field of nil is nil: Prometheus executes its templates with `missingkey=zero`.
        case .null: return .null
        case .labels(let labels): found = .string(labels[ExactText(field)] ?? "")
        case .map(let entries): found = entries[ExactText(field)] ?? .null
        case .object(let object): found = object[field]
        default: found = nil
        }
        guard let found else {
            throw failure(
                "can't evaluate field \(field) in type \(value.typeName)", at: node.position, node.description)
        }
        if call.count > 0 {
            var reason = "is not a method but has arguments"
            if case .object = value { reason = "has arguments but cannot be invoked as function" }
            throw failure("\(field) \(reason)", at: node.position, node.description)
        }
        return found
    }

    // MARK: Functions

    mutating func call(_ function: String, _ call: TemplateCall) throws(TemplateError) -> TemplateValue {
        guard let signature = TemplateBuiltins.signatures[function] ?? type(of: functions).signatures[function] else {
            throw failure(
                "\(GoQuote.quote(function)) is not a defined function", at: call.node.position, call.node.description)
        }
        if function == "and" || function == "or" {
            try checkCount(function, signature, call)
            // Short-circuit evaluation: the arguments after the deciding one are not evaluated.
            var value = TemplateValue.null
            for argument in call.operands {
                value = try operand(argument, call.dot)
                if value.isTrue == (function == "or") { return value }
            }
            return call.piped ?? value
        }
        let values = try arguments(function, signature, call)
        for value in values {
            if case .string = value.base { try charge(value, call.command.position) }
        }
        if TemplateBuiltins.printing.contains(function) {
            for value in values { try checkSize(value, call.command.position) }
        }
        switch TemplateBuiltins.call(function, values) ?? functions.call(function, values) {
        case .value(let value):
            try charge(value, call.command.position)
            return value
        case .failed(let message):
            throw failure(
                "error calling \(function): \(message)", at: call.command.position, call.command.description)
        }
    }

    // MARK: Arguments

    private func checkCount(
        _ name: String, _ signature: TemplateSignature, _ call: TemplateCall
    ) throws(TemplateError) {
        guard let wanted = signature.wanted(insteadOf: call.count) else { return }
        throw failure(
            "wrong number of args for \(name): want \(wanted) got \(call.count)", at: call.node.position,
            call.node.description)
    }

    /// The arguments of a call: their number is checked first, then each is evaluated and its type checked.
    private mutating func arguments(
        _ name: String, _ signature: TemplateSignature, _ call: TemplateCall
    ) throws(TemplateError) -> [TemplateValue] {
        try checkCount(name, signature, call)
        var values: [TemplateValue] = []
        for argument in call.operands {
            values.append(try self.argument(argument, signature.parameter(values.count) ?? .any, call.dot))
        }
        if let piped = call.piped {
            values.append(
                try checked(piped, signature.parameter(values.count) ?? .any, call.operands.last ?? call.node))
        }
        return values
    }

    private mutating func argument(
        _ argument: TemplateOperand, _ parameter: TemplateSignature.Parameter, _ dot: TemplateValue
    ) throws(TemplateError) -> TemplateValue {
        switch (argument.kind, parameter) {
        case (.null, _):
            if let zero = parameter.zero { return zero }
            throw failure(
                "cannot assign nil to \(parameter.typeName)", at: argument.position, argument.description)
        case (.bool, .any), (.integer, .any), (.largeInteger, .any), (.float, .any), (.string, .any),
            (.string, .string), (.integer, .integer):
            return try operand(argument, dot)
        case (.integer(let value, _), .duration): return .duration(value)
        case (.bool, _), (.integer, _), (.largeInteger, _), (.float, _), (.string, _):
            let found = argument.description
            let message =
                switch parameter {
                case .string: "expected string; found \(found)"
                case .integer, .duration: "expected integer; found \(found)"
                default: "can't handle \(found) for arg of type \(parameter.typeName)"
                }
            throw failure(message, at: argument.position, found)
        default: return try checked(try operand(argument, dot), parameter, argument)
        }
    }

    /// A value as an argument; `place` is the position of an error.
    private func checked(
        _ value: TemplateValue, _ parameter: TemplateSignature.Parameter, _ place: TemplateOperand
    ) throws(TemplateError) -> TemplateValue {
        if case .null = value {
            if let zero = parameter.zero { return zero }
            throw failure(
                "invalid value; expected \(parameter.typeName)", at: place.position, place.description)
        }
        if parameter.accepts(value) { return value }
        throw failure(
            "wrong type for value; expected \(parameter.typeName); got \(value.typeName)", at: place.position,
            place.description)
    }
}
