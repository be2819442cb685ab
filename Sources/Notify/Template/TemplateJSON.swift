import GoCompatibility
import GoTemplate
import JSON
import Model

/// Values of templates as JSON, as Go's encoder writes them.
enum TemplateJSON {
    /// The result of `toJson`.
    static func text(of value: TemplateValue) -> TemplateOutcome {
        var json = JSONWriter()
        do throws(TemplateFunctionError) {
            try write(value, into: &json)
        } catch { return .failed(error.description) }
        return .value(.string(String(decoding: WebhookPayload.escapingHTML(json.bytes), as: UTF8.self)))
    }

    /// The most bytes of one text.
    private static let limit = NotificationTemplates.limits.output

    private static func write(_ value: TemplateValue, into json: inout JSONWriter) throws(TemplateFunctionError) {
        if json.bytes.count > limit {
            throw TemplateFunctionError(description: "output exceeds \(limit) bytes")
        }
        switch value {
        case .null: json.null()
        case .bool(let value): json.bool(value)
        case .integer(let value), .duration(let value), .named(let value, _): json.integer(value)
        case .float(let value):
            guard value.isFinite else {
                throw TemplateFunctionError(description: "json: unsupported value: \(GoFormat.general(value))")
            }
            json.number(value)
        case .string(let text): json.string(text)
        case .time(let time, _): json.string(time.format("2006-01-02T15:04:05.999999999Z07:00"))
        case .typed(let base, _): try write(base, into: &json)
        case .list(let values, _):
            var failure: TemplateFunctionError?
            json.array { json in
                for value in values where failure == nil { failure = problem(value, into: &json) }
            }
            if let failure { throw failure }
        case .labels(let labels):
            json.object { json in
                for (name, value) in GoFormat.sorted(labels) {
                    json.key(name)
                    json.string(value)
                }
            }
        case .map(let entries): try members(GoFormat.sorted(entries), into: &json)
        case .object(let object):
            // Pairs have no names of their own in JSON.
            let isPair = object.fields.first?.name == "Name"
            try members(
                object.fields.map { field in
                    (isPair ? field.name : field.name.prefix(1).lowercased() + field.name.dropFirst(), field.value)
                }, into: &json)
        }
    }

    private static func members(
        _ members: [(key: String, value: TemplateValue)], into json: inout JSONWriter
    ) throws(TemplateFunctionError) {
        var failure: TemplateFunctionError?
        json.object { json in
            for member in members where failure == nil {
                json.key(member.key)
                failure = problem(member.value, into: &json)
            }
        }
        if let failure { throw failure }
    }

    /// Writes a value within another; the writer closes what was begun also after a failure.
    private static func problem(_ value: TemplateValue, into json: inout JSONWriter) -> TemplateFunctionError? {
        do throws(TemplateFunctionError) {
            try write(value, into: &json)
            return nil
        } catch { return error }
    }
}
