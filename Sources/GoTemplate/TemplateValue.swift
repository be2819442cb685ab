import GoCompatibility
import Model

/// A value in a template.
public indirect enum TemplateValue: Sendable {
    /// Go's nil, and the value of a missing entry in an untyped map.
    case null
    case bool(Bool)
    case integer(Int64)
    case float(Double)
    case string(String)
    /// A slice of the Go type `type`.
    case list([TemplateValue], type: String)
    /// Go's `map[string]string`: a missing key is the empty string.
    case labels([ExactText: String])
    /// Go's `map[string]any`: a missing key is nil.
    case map([ExactText: TemplateValue])
    /// Only the type's name shows that it is a pointer.
    case time(GoTime, isPointer: Bool = false)
    /// Nanoseconds.
    case duration(Int64)
    /// An integer of another type than `int`.
    case named(Int64, NamedInteger)
    case object(TemplateObject)
    /// A value of a type with a name and methods, whose base is a list, a map or a string.
    case typed(TemplateValue, any TemplateType)
}

/// A Go type with a name and methods around a list, a map or a string.
public protocol TemplateType: Sendable {
    /// The Go type in errors and in `%T`.
    var typeName: String { get }

    /// The result of its `String` method; nil without one.
    func text(of base: TemplateValue) -> String?

    /// The parameters of a method; nil if it has none of this name.
    func signature(_ method: String) -> TemplateSignature?

    /// Calls a method with arguments that match its ``signature(_:)``.
    func call(_ method: String, of base: TemplateValue, _ arguments: [TemplateValue]) -> TemplateOutcome
}

/// The Go integer types beside `int` and `time.Duration` that methods of times return.
public enum NamedInteger: Sendable {
    case int64
    case month
    case weekday

    var typeName: String {
        switch self {
        case .int64: "int64"
        case .month: "time.Month"
        case .weekday: "time.Weekday"
        }
    }

    /// The result of the type's `String` method; nil for a type without one.
    func text(_ value: Int64) -> String? {
        switch self {
        case .int64: nil
        case .month: GoTime.monthName(Int(value))
        case .weekday: GoTime.weekdayName(Int(value))
        }
    }
}

/// A Go struct for templates: its fields by name, in their order.
public struct TemplateObject: Sendable {
    /// The Go type in errors and in `%T`.
    public var typeName: String
    public var fields: [(name: String, value: TemplateValue)]
    /// Whether it is a pointer to the struct, which `%v` of `printf` shows with an ampersand.
    public var isPointer: Bool
    /// The result of its `String` method; nil without one.
    public var text: String?

    public init(
        typeName: String, fields: [(name: String, value: TemplateValue)], isPointer: Bool = false, text: String? = nil
    ) {
        self.typeName = typeName
        self.fields = fields
        self.isPointer = isPointer
        self.text = text
    }

    /// The value of a field; nil if there is none of this name.
    public subscript(_ name: String) -> TemplateValue? { fields.first { $0.name.isExactly(name) }?.value }
}

extension TemplateValue {
    /// The value without the name and methods of its type.
    public var base: TemplateValue {
        if case .typed(let base, _) = self { base.base } else { self }
    }

    /// Go's truth value: not zero and not empty.
    public var isTrue: Bool {
        switch self {
        case .null: false
        case .bool(let value): value
        case .integer(let value), .duration(let value), .named(let value, _): value != 0
        case .float(let value): value != 0
        case .string(let value): !value.isEmpty
        case .list(let values, _): !values.isEmpty
        case .labels(let labels): !labels.isEmpty
        case .map(let entries): !entries.isEmpty
        case .object, .time: true
        case .typed(let base, _): base.isTrue
        }
    }

    /// The number of an integer of any type.
    var wholeNumber: Int64? {
        switch self {
        case .integer(let value), .duration(let value), .named(let value, _): value
        default: nil
        }
    }

    /// The name of the corresponding Go type.
    public var typeName: String {
        switch self {
        case .null: "<nil>"
        case .bool: "bool"
        case .integer: "int"
        case .float: "float64"
        case .string: "string"
        case .list(_, let type): type
        case .labels: "map[string]string"
        case .map: "map[string]interface {}"
        case .time(_, let isPointer): isPointer ? "*time.Time" : "time.Time"
        case .duration: "time.Duration"
        case .named(_, let type): type.typeName
        case .object(let object): object.typeName
        case .typed(_, let type): type.typeName
        }
    }

    /// The output of an action: `fmt.Fprint`, with `<no value>` for nil.
    public var printed: String {
        if case .null = self { return "<no value>" }
        return GoFormat.plain(self)
    }

    /// The approximate bytes of its text, or more than `most` as soon as there are more.
    ///
    /// A value that contains the same part many times, on each level, is small in memory but has an extremely long
    /// text.
    func textSize(atMost most: Int) -> Int {
        var size = 1
        func add(_ value: TemplateValue) { if size <= most { size += value.textSize(atMost: most - size) } }
        switch self {
        case .null, .bool, .integer, .float, .time, .duration: size = 24
        case .string(let text): size += text.utf8.count
        case .list(let values, _): for value in values where size <= most { add(value) }
        case .labels(let labels):
            for (name, value) in labels where size <= most { size += name.text.utf8.count + value.utf8.count + 2 }
        case .map(let entries):
            for (name, value) in entries where size <= most {
                size += name.text.utf8.count + 2
                add(value)
            }
        case .object(let object):
            for field in object.fields where size <= most { add(field.value) }
        case .named: size = 24
        // The text of the type may have separators of its own.
        case .typed(let base, _): size += 2 * base.textSize(atMost: most - size)
        }
        return size
    }

    /// Whether lists and maps in it are nested more than `levels` deep, or hold so many values that the check takes
    /// long.
    ///
    /// A recursive function, also the release of the value, would overflow the stack if the nesting were not limited.
    public func isNested(deeperThan levels: Int) -> Bool {
        var visits = 10_000
        func visit(_ value: TemplateValue, _ levels: Int) -> Bool {
            let value = value.base
            switch value {
            case .list, .map: visits -= 1
            default: return false
            }
            if visits < 0 { return true }
            switch value {
            case .list(let values, _):
                // The results of a query are samples, which contain no further lists.
                if case .object? = values.first { return false }
                return levels == 0 || values.contains { visit($0, levels - 1) }
            case .map(let entries): return levels == 0 || entries.values.contains { visit($0, levels - 1) }
            default: return false
            }
        }
        return visit(self, levels)
    }
}
