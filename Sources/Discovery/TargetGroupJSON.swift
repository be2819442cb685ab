import Config
import GoCompatibility
import JSON
import Model

/// Reads target groups from JSON by the rules of Go's `encoding/json`: the case of field names is ignored, the last of
/// equal fields is used, null is the zero value, and an unknown field is an error.
enum TargetGroupJSON {
    static func parse(_ bytes: [UInt8], place: String) throws(ConfigError) -> [TargetGroupConfig] {
        func failure(_ message: String) -> ConfigError { ConfigError(file: place, message: message) }
        let root: JSONValue
        do throws(JSONError) {
            root = try JSONValue.parse(bytes)
        } catch {
            throw failure("\(error)")
        }
        if case .null = root { return [] }
        guard case .array(let elements) = root else {
            throw failure("expected a list of target groups, got \(root.kind)")
        }
        var groups: [TargetGroupConfig] = []
        for (index, element) in elements.enumerated() {
            if case .null = element { throw failure("nil target group item found (index \(index))") }
            guard case .object(let members) = element else {
                throw failure("target group \(index): expected an object, got \(element.kind)")
            }
            var group = TargetGroupConfig(targets: [], labels: [])
            for (name, value) in members {
                do throws(FieldError) {
                    // Go folds the long s and the sign of kelvin, too.
                    switch GoCase.lower(GoCase.upper(name)) {
                    case "targets": group.targets = try targets(value)
                    case "labels": group.labels = try labels(value)
                    default: throw FieldError(message: "unknown field \(GoQuote.quote(name))")
                    }
                } catch {
                    throw failure("target group \(index): \(error.message)")
                }
            }
            groups.append(group)
        }
        return groups
    }

    private struct FieldError: Error {
        var message: String
    }

    private static func targets(_ value: JSONValue) throws(FieldError) -> [String] {
        if case .null = value { return [] }
        guard case .array(let elements) = value else {
            throw FieldError(message: "targets: expected a list, got \(value.kind)")
        }
        var targets: [String] = []
        for element in elements {
            switch element {
            case .string(let text): targets.append(text)
            case .null: targets.append("")
            default: throw FieldError(message: "targets: expected a string, got \(element.kind)")
            }
        }
        return targets
    }

    private static func labels(_ value: JSONValue) throws(FieldError) -> [Label] {
        if case .null = value { return [] }
        guard case .object(let members) = value else {
            throw FieldError(message: "labels: expected an object, got \(value.kind)")
        }
        var labels: [Label] = []
        for (name, member) in members {
            if name.isEmpty { throw FieldError(message: "\"\" is not a valid label name") }
            let text: String
            switch member {
            case .string(let value): text = value
            case .null: text = ""
            default: throw FieldError(message: "label \(name): expected a string, got \(member.kind)")
            }
            labels.append(Label(name: name, value: text))
        }
        return labels
    }
}
