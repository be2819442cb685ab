import HTTP

/// The protobuf messages that a push may hold.
package enum PushMessage: String, Sendable, CaseIterable {
    case v1 = "prometheus.WriteRequest"
    case v2 = "io.prometheus.write.v2.Request"

    /// Why a content type names none of them; the texts are Prometheus's.
    struct Unknown: Error, CustomStringConvertible {
        var description: String
    }

    /// The message that a `Content-Type` names; without one, and without a parameter `proto`, it is the first version.
    static func parse(_ contentType: String?) throws(Unknown) -> PushMessage {
        let media = "application/x-protobuf"
        let blanks: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        var type = Substring(contentType ?? "")
        type = type.drop(while: blanks)
        while let last = type.last, blanks(last) { type.removeLast() }
        if type.isEmpty { return .v1 }
        let parts = type.split(separator: ";", omittingEmptySubsequences: false)
        guard parts[0] == media else {
            throw Unknown(description: "expected \(media) as the first (media) part, got \(type) content-type")
        }
        for part in parts.dropFirst() {
            let pair = part.split(separator: "=", omittingEmptySubsequences: false)
            guard pair.count == 2 else {
                throw Unknown(
                    description: "as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be "
                        + "key-values, got \(part) in \(type) content-type")
            }
            guard pair[0].drop(while: blanks) == "proto" else { continue }
            guard let message = PushMessage(rawValue: String(pair[1])) else {
                throw Unknown(
                    description: "got \(type) content type; unknown type for remote write protobuf message "
                        + "\(pair[1]), supported: \(list(allCases))")
            }
            return message
        }
        return .v1
    }

    /// Messages in the order of an error text.
    static func list(_ messages: [PushMessage]) -> String { messages.map(\.rawValue).joined(separator: ", ") }
}
