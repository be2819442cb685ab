import Config
import GoCompatibility
import HTTP
import JSON
import Model

/// The alerts of a request.
enum PostedAlerts {
    /// The most alerts of one request.
    static let most = 20_000

    static func read(_ request: HTTPRequest) throws -> [Alert] {
        try PostedBody.read("alerts", of: request) { reader in
            try reader.optional { reader in
                var alerts: [Alert] = []
                var wrong: AlertAPIError?
                try reader.array { reader in
                    guard alerts.count < most else { throw AlertAPIError.text(413, "more than \(most) alerts at once") }
                    let (alert, fault) = try read(&reader, at: alerts.count)
                    // A body that is no JSON has precedence.
                    wrong = wrong ?? fault
                    alerts.append(alert)
                }
                if let wrong {
                    try reader.end()
                    throw wrong
                }
                return alerts
            } ?? []
        }
    }

    private static func read(_ reader: inout JSONReader, at index: Int) throws -> (Alert, AlertAPIError?) {
        var alert = Alert(labels: .empty, startsAt: 0)
        var hasLabels = false
        _ = try reader.optional { reader in
            try reader.object { name, reader in
                switch name {
                case "labels":
                    let pairs = try reader.texts()
                    hasLabels = pairs != nil
                    alert.labels = Labels(pairs ?? [])
                case "annotations": alert.annotations = Labels(keepingEmpty: try reader.texts() ?? [])
                case "startsAt": alert.startsAt = try reader.time() ?? 0
                case "endsAt": alert.endsAt = try reader.time() ?? 0
                case "generatorURL": alert.generatorURL = try reader.text() ?? ""
                default: try reader.skip()
                }
            }
        }
        if !alert.generatorURL.isEmpty, !ConfigURL.isRequestURI(alert.generatorURL) {
            let shown = GoQuote.quote(alert.generatorURL)
            return (alert, .violation(.wrongType, "\(index).generatorURL in body must be of type uri: \(shown)"))
        }
        return (alert, hasLabels ? nil : .missing("\(index).labels"))
    }
}
