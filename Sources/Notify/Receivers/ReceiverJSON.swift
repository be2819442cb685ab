import JSON
import Model

/// The JSON of requests to receivers, as Go's encoder writes it: with `<`, `>` and `&` escaped and a line feed at the end.
package enum ReceiverJSON {
    package static func encode(_ value: JSONValue) -> [UInt8] {
        var json = JSONWriter(capacity: 1024)
        json.value(value)
        return finished(json)
    }

    /// An object whose members `body` writes.
    package static func object(_ body: (inout JSONWriter) throws -> Void) rethrows -> [UInt8] {
        var json = JSONWriter(capacity: 1024)
        try json.object(body)
        return finished(json)
    }

    private static func finished(_ json: JSONWriter) -> [UInt8] {
        WebhookPayload.escapingHTML(json.bytes) + [UInt8(ascii: "\n")]
    }
}

extension JSONWriter {
    /// Writes a member with a text.
    package mutating func member(_ name: String, _ value: String) {
        key(name)
        string(value)
    }

    /// Writes a member with a text, unless that is empty.
    package mutating func memberIfAny(_ name: String, _ value: String) {
        if !value.isEmpty { member(name, value) }
    }
}

extension JSONValue {
    /// The value with the members of objects by name, as Go's encoder writes maps; of members of one name the last.
    package var sorted: JSONValue {
        switch self {
        case .array(let elements): return .array(elements.map(\.sorted))
        case .object(let members):
            var values: [ExactText: JSONValue] = [:]
            for (key, value) in members { values[ExactText(key)] = value }
            return .object(values.sorted { $0.key < $1.key }.map { ($0.key.text, $0.value.sorted) })
        default: return self
        }
    }
}
