import JSON

extension YAMLNode {
    /// The node as JSON; nil if it has more than `most` nodes, or a number that JSON does not have.
    ///
    /// Members whose key is no text are left out. An integer that no double equals stays a text.
    package func json(atMost most: Int) -> JSONValue? {
        var left = most
        return json(&left)
    }

    private func json(_ left: inout Int) -> JSONValue? {
        left -= 1
        if left < 0 { return nil }
        switch content {
        case .scalar(let text, let isPlain):
            switch YAMLScalar(text, isPlain: isPlain) {
            case .null: return .null
            case .bool(let value): return .bool(value)
            case .int(let value): return Double(exactly: value).map { .number($0) } ?? .string(text)
            case .uint(let value): return Double(exactly: value).map { .number($0) } ?? .string(text)
            case .float(let value): return value.isFinite ? .number(value) : nil
            case .string: return .string(text)
            }
        case .sequence(let elements):
            var values: [JSONValue] = []
            for element in elements {
                guard let value = element.json(&left) else { return nil }
                values.append(value)
            }
            return .array(values)
        case .mapping(let members):
            var values: [(key: String, value: JSONValue)] = []
            for member in members {
                guard case .scalar(let name, let isPlain) = member.key.content else { continue }
                guard let value = member.value.json(&left) else { return nil }
                if YAMLScalar(name, isPlain: isPlain) == .string { values.append((name, value)) }
            }
            return .object(values)
        }
    }
}
