import GoCompatibility
import Model

/// The own functions of Go's `text/template`.
enum TemplateBuiltins {
    /// The functions that print values of any size, even if only in an error.
    static let printing: Set<String> = [
        "eq", "ge", "gt", "html", "js", "le", "lt", "ne", "print", "printf", "println", "urlquery",
    ]

    static let signatures: [String: TemplateSignature] = {
        let one = TemplateSignature([.any])
        let two = TemplateSignature([.any, .any])
        let some = TemplateSignature([.any], variadic: .any)
        let texts = TemplateSignature([], variadic: .any)
        return [
            "and": some, "call": some, "eq": some, "ge": two, "gt": two, "html": texts, "index": some, "js": texts,
            "le": two, "len": one, "lt": two, "ne": two, "not": one, "or": some, "print": texts,
            "printf": TemplateSignature([.string], variadic: .any), "println": texts, "slice": some,
            "urlquery": texts,
        ]
    }()

    /// The result, or nil if `name` is not one of the functions; the arguments match the ``signatures``.
    static func call(_ name: String, _ arguments: [TemplateValue]) -> TemplateOutcome? {
        let first = arguments.first ?? .null
        switch name {
        case "not": return .value(.bool(!first.isTrue))
        case "eq":
            guard arguments.count > 1 else { return .failed("missing argument for comparison") }
            var isEqual = false
            for other in arguments.dropFirst() {
                switch equal(first, other) {
                case .success(let result): isEqual = isEqual || result
                case .failure(let reason): return .failed(reason.description)
                }
                if isEqual { break }
            }
            return .value(.bool(isEqual))
        case "ne", "lt", "le", "gt", "ge":
            guard arguments.count == 2 else { return nil }
            return compare(name, first, arguments[1])
        case "len":
            switch first.base {
            case .string(let text): return .value(.integer(Int64(text.utf8.count)))
            case .list(let values, _): return .value(.integer(Int64(values.count)))
            case .labels(let labels): return .value(.integer(Int64(labels.count)))
            case .map(let entries): return .value(.integer(Int64(entries.count)))
            case .null: return .failed("len of nil pointer")
            default: return .failed("len of type \(first.typeName)")
            }
        case "index": return index(arguments)
        case "slice": return slice(arguments)
        case "print": return .value(.string(GoFormat.print(arguments)))
        case "println": return .value(.string(GoFormat.printLine(arguments)))
        case "printf":
            guard case .string(let format) = first else { return nil }
            guard let text = GoFormat.printf(format, Array(arguments.dropFirst())) else {
                return .failed("output exceeds \(GoFormat.maximumOutput) bytes")
            }
            return .value(.string(text))
        case "html": return .value(.string(TextEscape.html(joined(arguments))))
        case "js": return .value(.string(TextEscape.script(joined(arguments))))
        case "urlquery": return .value(.string(GoURL.queryEscape(joined(arguments))))
        case "call": return .failed("non-function of type \(first.typeName)")
        default: return nil
        }
    }

    private static func joined(_ arguments: [TemplateValue]) -> String {
        if arguments.count == 1, case .string(let text) = arguments[0] { return text }
        // The values are printed as an action does: without the mark of a pointer.
        return GoFormat.print(
            arguments.map { argument in
                guard case .object(var object) = argument else {
                    if case .null = argument { return .string(argument.printed) }
                    return argument
                }
                object.isPointer = false
                return .object(object)
            })
    }

    // MARK: Comparison

    private static let incompatible = TemplateFunctionError(description: "incompatible types for comparison")
    private static let invalid = TemplateFunctionError(description: "invalid type for comparison")

    private static func equal(_ a: TemplateValue, _ b: TemplateValue) -> Result<Bool, TemplateFunctionError> {
        if let x = a.wholeNumber, let y = b.wholeNumber { return .success(x == y) }
        return switch (a.base, b.base) {
        case (.bool(let x), .bool(let y)): .success(x == y)
        case (.time(let x, _), .time(let y, _)): .success(x.isSameMoment(as: y))
        case (.float(let x), .float(let y)): .success(x == y)
        case (.string(let x), .string(let y)): .success(Array(x.utf8) == Array(y.utf8))
        case (.null, .null): .success(true)
        case (.null, _), (_, .null): .success(false)
        case (.list, _), (.labels, _), (.map, _):
            isBasic(b)
                ? .failure(incompatible)
                : .failure(
                    TemplateFunctionError(description: "non-comparable type \(GoFormat.plain(a)): \(a.typeName)"))
        default: .failure(incompatible)
        }
    }

    private static func less(_ a: TemplateValue, _ b: TemplateValue) -> Result<Bool, TemplateFunctionError> {
        if let x = a.wholeNumber, let y = b.wholeNumber { return .success(x < y) }
        return switch (a.base, b.base) {
        case (.float(let x), .float(let y)): .success(x < y)
        case (.string(let x), .string(let y)): .success(x.utf8.lexicographicallyPrecedes(y.utf8))
        case (.bool, .bool): .failure(invalid)
        default: .failure(isBasic(a) && isBasic(b) ? incompatible : invalid)
        }
    }

    /// Whether the type of the value can be compared.
    private static func isBasic(_ value: TemplateValue) -> Bool {
        switch value.base {
        case .bool, .integer, .float, .string, .duration, .named: true
        default: false
        }
    }

    private static func compare(_ name: String, _ a: TemplateValue, _ b: TemplateValue) -> TemplateOutcome {
        let result: Result<Bool, TemplateFunctionError>
        switch name {
        case "ne": result = equal(a, b).map { !$0 }
        case "lt": result = less(a, b)
        case "le": result = less(a, b).flatMap { isLess in isLess ? .success(true) : equal(a, b) }
        case "gt": result = less(a, b).flatMap { isLess in equal(a, b).map { !isLess && !$0 } }
        default: result = less(a, b).map { !$0 }
        }
        switch result {
        case .success(let value): return .value(.bool(value))
        case .failure(let reason): return .failed(reason.description)
        }
    }

    // MARK: Parts

    private static func index(_ arguments: [TemplateValue]) -> TemplateOutcome {
        var value = arguments.first ?? .null
        for key in arguments.dropFirst() {
            switch (value.base, key.wholeNumber.map { .integer($0) } ?? key.base) {
            case (.labels(let labels), .string(let name)): value = .string(labels[ExactText(name)] ?? "")
            case (.map(let entries), .string(let name)): value = entries[ExactText(name)] ?? .null
            case (.list(let values, _), .integer(let at)):
                guard at >= 0, at < values.count else {
                    return .failed("error calling index: index out of range: \(at)")
                }
                value = values[Int(at)]
            case (.string(let text), .integer(let at)):
                guard at >= 0, at < text.utf8.count else { return .failed("index out of range: \(at)") }
                value = .integer(Int64(Array(text.utf8)[Int(at)]))
            case (.labels, _), (.map, _): return .failed("value has type \(key.typeName); should be string")
            case (.list, _), (.string, _):
                return .failed("cannot index slice/array with type \(key.typeName)")
            case (.null, _): return .failed("index of untyped nil")
            default: return .failed("can't index item of type \(value.typeName)")
            }
        }
        return .value(value)
    }

    private static func slice(_ arguments: [TemplateValue]) -> TemplateOutcome {
        let whole = arguments.first ?? .null
        let value = whole.base
        guard arguments.count <= 4 else { return .failed("too many slice indexes: \(arguments.count - 1)") }
        let count: Int
        switch value {
        case .string(let text):
            guard arguments.count < 4 else { return .failed("cannot 3-index slice a string") }
            count = text.utf8.count
        case .list(let values, _): count = values.count
        default: return .failed("can't slice item of type \(value.typeName)")
        }
        var bounds = [0, count]
        for (position, argument) in arguments.dropFirst().enumerated() {
            guard let at = argument.wholeNumber else {
                return .failed("cannot index slice/array with type \(argument.typeName)")
            }
            guard at >= 0, at <= count else { return .failed("index out of range: \(at)") }
            if position < 2 { bounds[position] = Int(at) }
        }
        guard bounds[0] <= bounds[1] else { return .failed("invalid slice index: \(bounds[0]) > \(bounds[1])") }
        if case .list(let values, let type) = value {
            let part = TemplateValue.list(Array(values[bounds[0]..<bounds[1]]), type: type)
            if case .typed(_, let type) = whole { return .value(.typed(part, type)) }
            return .value(part)
        }
        if case .string(let text) = value {
            return .value(.string(String(decoding: Array(text.utf8)[bounds[0]..<bounds[1]], as: UTF8.self)))
        }
        return .value(.null)
    }
}
