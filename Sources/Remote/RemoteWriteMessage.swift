/// A protobuf message type of remote write.
package enum RemoteWriteMessage: String, Sendable, CaseIterable {
    case v1 = "prometheus.WriteRequest"
    case v2 = "io.prometheus.write.v2.Request"

    /// An unknown message name, or a wrong content type of a push.
    package struct Refusal: Error, CustomStringConvertible {
        package var description: String
    }

    /// The message type of a push by its content type; nil if it is another.
    ///
    /// - Throws: ``Refusal`` in Prometheus's words, for status 415.
    package static func of(
        contentType: String?, accepted: Set<RemoteWriteMessage>
    ) throws(Refusal) -> RemoteWriteMessage {
        let type = (contentType ?? "").trimmingBlanks()
        let parts = type.split(separator: ";", omittingEmptySubsequences: false).map { String($0).trimmingBlanks() }
        var message = RemoteWriteMessage.v1
        if !type.isEmpty, let first = parts.first {
            guard first.lowercased() == "application/x-protobuf" else {
                throw Refusal(
                    description: "expected application/x-protobuf as the first (media) part, got \(type) content-type")
            }
            for parameter in parts.dropFirst() {
                let pair = parameter.split(separator: "=", omittingEmptySubsequences: false).map {
                    String($0).trimmingBlanks()
                }
                guard pair.count == 2 else {
                    throw Refusal(
                        description:
                            "as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be key-values, got \(parameter) in \(type) content-type"
                    )
                }
                guard pair[0] == "proto" else { continue }
                guard let known = RemoteWriteMessage(rawValue: pair[1]) else {
                    throw Refusal(
                        description: "got \(type) content type; unknown type for remote write protobuf message "
                            + "\(pair[1]), supported: \(list(Set(allCases)))")
                }
                message = known
            }
        }
        guard accepted.contains(message) else {
            throw Refusal(
                description: "\(message.rawValue) protobuf message is not accepted by this server; only accepts "
                    + list(accepted))
        }
        return message
    }

    private static func list(_ messages: Set<RemoteWriteMessage>) -> String {
        allCases.filter(messages.contains).map(\.rawValue).joined(separator: ", ")
    }
}

extension String {
    /// The text without blanks at both ends.
    fileprivate func trimmingBlanks() -> String {
        var rest = self[...]
        while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
        return String(rest.drop { $0 == " " || $0 == "\t" })
    }
}
