import GoCompatibility
import Model

/// Reads the keys of one mapping into typed values; keys that were not read are errors at the end.
package final class MappingReader {
    package let place: ConfigPlace
    /// The type's name for messages, for example `scrape_config`.
    package let context: String
    private let members: [(key: YAMLNode, value: YAMLNode)]
    private var taken: Set<ExactText> = []
    private let problems: ConfigProblems
    /// The sections with secrets: messages about them show no text that may be a misplaced secret.
    private static let secretSections: Set<String> = [
        "config.BasicAuth", "config.Authorization", "config.OAuth2", "config.TLSConfig", "config.Header",
        "sigv4.SigV4Config",
    ]
    private var isSecret: Bool { Self.secretSections.contains(context) }

    /// Makes a reader of a mapping; null counts as an empty one.
    ///
    /// - Parameter problems: Collects the unknown keys.
    package init(_ node: YAMLNode, _ context: String, _ problems: ConfigProblems) throws(ConfigError) {
        place = node.place
        self.problems = problems
        self.context = context
        if node.isNull {
            members = []
        } else if let members = node.members {
            self.members = members
        } else {
            throw node.place.error("cannot unmarshal \(node.kind) into \(context)")
        }
    }

    /// The value of `key`, which now counts as known; nil if absent.
    package func node(_ key: String) -> YAMLNode? {
        taken.insert(ExactText(key))
        return members.first { $0.key.isText(key) }?.value
    }

    /// Whether `key` is there, whatever its value.
    package func has(_ key: String) -> Bool { members.contains { $0.key.isText(key) } }

    /// The place of `key`, or of the mapping if it is absent.
    package func place(of key: String) -> ConfigPlace { members.first { $0.key.isText(key) }?.key.place ?? place }

    /// All keys in order.
    package var keys: [String] { members.compactMap(\.key.text) }

    /// Ends reading: every unknown key is an error.
    package func finish() {
        for (key, _) in members {
            let name = key.text ?? ""
            if taken.contains(ExactText(name)) { continue }
            let near = Spelling.nearest(to: name, among: taken.sorted().map(\.text))
            let hint = near.map { ", did you mean \($0)?" } ?? ""
            // A text that is similar to no key may be a value in the wrong place.
            let field = isSecret && near == nil ? "a field is" : "field \(name)"
            problems.addUnknown(key.place.error("\(field) not found in type \(context)\(hint)"))
        }
    }

    /// A scalar for messages.
    private func shown(_ value: YAMLNode) -> String { isSecret ? value.kind : value.kindAndText }

    private func scalar(_ key: String, _ type: String) throws(ConfigError) -> (String, ConfigPlace)? {
        guard let value = node(key), !value.isNull else { return nil }
        guard let text = value.text else {
            throw value.place.error("cannot unmarshal \(value.kind) into \(type) (\(key))")
        }
        return (text, value.place)
    }

    package func string(_ key: String) throws(ConfigError) -> String? { try scalar(key, "string")?.0 }

    package func string(_ key: String, _ standard: String) throws(ConfigError) -> String { try string(key) ?? standard }

    /// The value of a scalar that is not null.
    private func resolved(_ key: String, _ type: String) throws(ConfigError) -> (YAMLScalar, YAMLNode)? {
        guard let value = node(key), !value.isNull else { return nil }
        guard let scalar = value.scalar else {
            throw value.place.error("cannot unmarshal \(value.kind) into \(type) (\(key))")
        }
        return (scalar, value)
    }

    package func bool(_ key: String) throws(ConfigError) -> Bool? {
        guard let (scalar, value) = try resolved(key, "bool") else { return nil }
        guard case .bool(let isOn) = scalar else {
            throw value.place.error("cannot unmarshal \(shown(value)) into bool (\(key))")
        }
        return isOn
    }

    /// A boolean; null is false, as in go-yaml.
    package func bool(_ key: String, _ standard: Bool) throws(ConfigError) -> Bool {
        if let value = node(key), value.isNull { return false }
        return try bool(key) ?? standard
    }

    /// An integer; a float is truncated, as in go-yaml.
    package func integer(_ key: String) throws(ConfigError) -> Int? {
        guard let (scalar, value) = try resolved(key, "int") else { return nil }
        switch scalar {
        case .int(let number): return Int(number)
        case .float(let number):
            if let whole = Int(exactly: number.rounded(.towardZero)) { return whole }
        default: break
        }
        throw value.place.error("cannot unmarshal \(shown(value)) into int (\(key))")
    }

    /// An integer of at least 0, up to 2^64.
    package func unsigned(_ key: String) throws(ConfigError) -> UInt64? {
        guard let (scalar, value) = try resolved(key, "uint64") else { return nil }
        switch scalar {
        case .int(let number) where number >= 0: return UInt64(number)
        case .uint(let number): return number
        case .float(let number) where number >= 0:
            if let whole = UInt64(exactly: number.rounded(.towardZero)) { return whole }
        default: break
        }
        throw value.place.error("cannot unmarshal \(shown(value)) into uint64 (\(key))")
    }

    /// A count of at least 0; values above `Int.max` become that.
    package func count(_ key: String) throws(ConfigError) -> Int? { try unsigned(key).map { Int(clamping: $0) } }

    package func number(_ key: String) throws(ConfigError) -> Double? {
        guard let (scalar, value) = try resolved(key, "float64") else { return nil }
        switch scalar {
        case .int(let number): return Double(number)
        case .uint(let number): return Double(number)
        case .float(let number): return number
        default: throw value.place.error("cannot unmarshal \(shown(value)) into float64 (\(key))")
        }
    }

    /// A duration in milliseconds.
    package func duration(_ key: String) throws(ConfigError) -> Int64? {
        guard let (text, place) = try scalar(key, "duration") else { return nil }
        do throws(DurationText.ParseError) {
            return try DurationText.parse(text)
        } catch {
            throw place.error("\(error) (\(key))")
        }
    }

    package func duration(_ key: String, _ standard: Int64) throws(ConfigError) -> Int64 {
        try duration(key) ?? standard
    }

    /// A size in bytes.
    package func size(_ key: String) throws(ConfigError) -> Int64? {
        guard let (text, place) = try scalar(key, "size") else { return nil }
        guard let value = ByteSize.parse(text) else {
            throw place.error("units: unknown unit or number in \(GoQuote.quote(text)) (\(key))")
        }
        return value
    }

    /// A list of strings; a single scalar is not accepted.
    package func strings(_ key: String) throws(ConfigError) -> [String]? {
        guard let value = node(key), !value.isNull else { return nil }
        return try Self.strings(value, key)
    }

    /// The strings of a list, of which null is the empty one.
    private static func strings(_ value: YAMLNode, _ key: String) throws(ConfigError) -> [String] {
        guard let elements = value.elements else {
            throw value.place.error("cannot unmarshal \(value.kind) into []string (\(key))")
        }
        var result: [String] = []
        for element in elements {
            guard let text = element.text else {
                throw element.place.error("cannot unmarshal \(element.kind) into string (\(key))")
            }
            result.append(element.isNull ? "" : text)
        }
        return result
    }

    /// A map of lists of strings, in order; null is a list without any.
    package func stringLists(_ key: String) throws(ConfigError) -> [(key: String, values: [String])]? {
        guard let value = node(key), !value.isNull else { return nil }
        guard let members = value.members else {
            throw value.place.error("cannot unmarshal \(value.kind) into map[string][]string (\(key))")
        }
        var result: [(key: String, values: [String])] = []
        for (name, member) in members {
            result.append((name.text ?? "", member.isNull ? [] : try Self.strings(member, key)))
        }
        return result
    }

    /// A map of strings, in order.
    package func stringMap(_ key: String) throws(ConfigError) -> [(key: String, value: String)]? {
        guard let value = node(key), !value.isNull else { return nil }
        guard let members = value.members else {
            throw value.place.error("cannot unmarshal \(value.kind) into map[string]string (\(key))")
        }
        var result: [(key: String, value: String)] = []
        for (name, member) in members {
            guard let text = member.text else {
                throw member.place.error("cannot unmarshal \(member.kind) into string (\(key))")
            }
            result.append((name.text ?? "", member.isNull ? "" : text))
        }
        return result
    }

    /// Reads a mapping inside of this one.
    package func child(_ node: YAMLNode, _ context: String) throws(ConfigError) -> MappingReader {
        try MappingReader(node, context, problems)
    }

    /// A nested mapping; nil if absent or null.
    package func mapping(_ key: String, _ context: String) throws(ConfigError) -> MappingReader? {
        guard let value = node(key), !value.isNull else { return nil }
        return try child(value, context)
    }

    /// The elements of a list; `empty` is the error of a null element.
    package func list(_ key: String, empty: String? = nil) throws(ConfigError) -> [YAMLNode] {
        guard let value = node(key), !value.isNull else { return [] }
        guard let elements = value.elements else {
            throw value.place.error("cannot unmarshal \(value.kind) into a list (\(key))")
        }
        if let empty {
            for element in elements where element.isNull { throw element.place.error(empty) }
        }
        return elements
    }
}
