import GoCompatibility
import JSON
import Model

/// Reads data of templates from JSON, as Go's decoder does for the data of a webhook.
///
/// The case of names does not matter, null is no value, and unknown names are passed over.
package struct NotificationFieldsReader {
    private var json: JSONReader
    /// The place in the data, for messages: `Alert.alerts.status`.
    private var path = "Data"

    /// - Throws: ``JSONError`` for a text that is not JSON, or a value of the wrong type.
    package static func read(_ bytes: [UInt8]) throws -> NotificationFields {
        var reader = NotificationFieldsReader(json: JSONReader(bytes))
        let data = try reader.data()
        try reader.json.end()
        return data
    }

    private init(json: JSONReader) { self.json = json }

    private mutating func data() throws -> NotificationFields {
        var data = NotificationFields()
        try members("template.Data") { name, reader in
            switch name {
            case "receiver": try reader.text(into: &data.receiver)
            case "status": try reader.text(into: &data.status)
            case "alerts": try reader.alerts(into: &data.alerts)
            case "notificationreason", "notification_reason": try reader.text(into: &data.notificationReason)
            case "grouplabels": try reader.pairs(into: &data.groupLabels)
            case "commonlabels": try reader.pairs(into: &data.commonLabels)
            case "commonannotations": try reader.pairs(into: &data.commonAnnotations)
            case "routelabels": try reader.pairs(into: &data.routeLabels)
            case "externalurl": try reader.text(into: &data.externalURL)
            default: _ = try reader.json.value()
            }
        }
        return data
    }

    private mutating func alerts(into alerts: inout [NotificationFields.Alert]) throws {
        guard try begins(.array, "template.Alerts") else { return }
        var read: [NotificationFields.Alert] = []
        var inner = self
        try json.array { json in
            inner.json = json
            read.append(try inner.alert())
            json = inner.json
        }
        alerts = read
    }

    private mutating func alert() throws -> NotificationFields.Alert {
        var alert = NotificationFields.Alert()
        try members("template.Alert") { name, reader in
            switch name {
            case "status": try reader.text(into: &alert.status)
            case "labels": try reader.pairs(into: &alert.labels)
            case "annotations": try reader.pairs(into: &alert.annotations)
            case "startsat": try reader.time(into: &alert.startsAt)
            case "endsat": try reader.time(into: &alert.endsAt)
            case "generatorurl": try reader.text(into: &alert.generatorURL)
            case "fingerprint": try reader.text(into: &alert.fingerprint)
            default: _ = try reader.json.value()
            }
        }
        return alert
    }

    // MARK: Values

    /// Reads the members of an object; `member` gets the name in lower case, and must read one value.
    private mutating func members(
        _ type: String, _ member: (String, inout NotificationFieldsReader) throws -> Void
    ) throws {
        guard try begins(.object, type) else { return }
        var inner = self
        let start = path + "."
        try json.object { name, json in
            inner.json = json
            inner.path = start + name
            try member(name.lowercased(), &inner)
            json = inner.json
        }
    }

    private mutating func text(into text: inout String) throws {
        if try begins(.string, "string") { text = try json.string() }
    }

    private mutating func time(into time: inout GoTime) throws {
        let layout = "2006-01-02T15:04:05Z07:00"
        var place = json
        guard try begins(.string, "time.Time") else { return }
        let text = try json.string()
        guard let parsed = GoTime.parse(text, layout: layout) else {
            throw place.failure("parsing time \(GoQuote.quote(text)) as \(GoQuote.quote(layout)) (\(path))")
        }
        time = parsed
    }

    private mutating func pairs(into pairs: inout [ExactText: String]) throws {
        guard try begins(.object, "template.KV") else { return }
        var read = pairs
        var inner = self
        let start = path + "."
        try json.object { name, json in
            inner.json = json
            inner.path = start + name
            var text = ""
            try inner.text(into: &text)
            read[ExactText(name)] = text
            json = inner.json
        }
        pairs = read
    }

    /// Whether a value of a kind begins; false after null.
    private mutating func begins(_ kind: JSONKind, _ type: String) throws -> Bool {
        let found = try json.kind()
        if found == kind { return true }
        if found == .null {
            try json.null()
            return false
        }
        throw json.failure("json: cannot unmarshal \(Self.name(found)) into \(path) of type \(type)")
    }

    private static func name(_ kind: JSONKind) -> String {
        switch kind {
        case .null: "null"
        case .bool: "bool"
        case .number: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }
}
