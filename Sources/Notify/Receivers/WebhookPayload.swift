import GoCompatibility
import JSON
import Model

/// The body of a webhook call.
package enum WebhookPayload {
    /// Writes the payload of a message.
    ///
    /// - Parameter version: That of the format; receivers of one kind expect another one.
    package static func encode(_ message: ReceiverMessage, version: String = "4") -> [UInt8] {
        let data = message.data
        return ReceiverJSON.object { json in
            json.member("receiver", data.receiver)
            json.member("status", data.status)
            json.key("alerts")
            json.array { json in
                for alert in data.alerts { encode(alert, into: &json) }
            }
            json.member("notification_reason", data.notificationReason)
            json.key("groupLabels")
            encode(data.groupLabels, into: &json)
            json.key("commonLabels")
            encode(data.commonLabels, into: &json)
            json.key("commonAnnotations")
            encode(data.commonAnnotations, into: &json)
            json.key("routeLabels")
            encode(data.routeLabels, into: &json)
            json.member("externalURL", data.externalURL)
            json.member("version", version)
            json.member("groupKey", message.groupKey)
            json.key("truncatedAlerts")
            json.integer(message.truncatedAlerts)
        }
    }

    private static func encode(_ alert: NotificationData.Item, into json: inout JSONWriter) {
        json.object { json in
            json.member("status", alert.status)
            json.key("labels")
            encode(alert.labels, into: &json)
            json.key("annotations")
            encode(alert.annotations, into: &json)
            json.member("startsAt", RFC3339.text(alert.startsAt))
            json.member("endsAt", alert.isFiring ? RFC3339.zero : RFC3339.text(alert.endsAt))
            json.member("generatorURL", alert.generatorURL)
            json.member("fingerprint", alert.fingerprint)
        }
    }

    static func encode(_ labels: Labels, into json: inout JSONWriter) {
        json.object { json in
            labels.forEachBytes { name, value in
                json.key(utf8: name)
                json.string(utf8: value)
            }
        }
    }

    /// The labels of the first set that all others have with the same value; an absent one has the empty value.
    static func common(_ sets: [Labels]) -> Labels {
        guard let first = sets.first else { return .empty }
        return Labels(
            keepingEmpty: first.pairs.filter { label in
                sets.allSatisfy { ($0[label.name] ?? "").isExactly(label.value) }
            }.map { ($0.name, $0.value) })
    }

    /// A text with a backslash before each special character of regular expressions, as Go's `regexp.QuoteMeta`.
    ///
    /// Alertmanager writes names of receivers like this.
    static func quotingMeta(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            if "\\.+*?()|[]{}^$".unicodeScalars.contains(scalar) { out += "\\" }
            out.unicodeScalars.append(scalar)
        }
        return out
    }

    /// Escapes `<`, `>` and `&` as Go's encoder does; in JSON these bytes only occur in strings.
    static func escapingHTML(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "<"): out += "\\u003c".utf8
            case UInt8(ascii: ">"): out += "\\u003e".utf8
            case UInt8(ascii: "&"): out += "\\u0026".utf8
            default: out.append(byte)
            }
        }
        return out
    }
}
