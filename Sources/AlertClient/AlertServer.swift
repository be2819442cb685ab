import Config
import GoCompatibility
import HTTP
import JSON
import Model
import Notify

/// The reason why a server with Alertmanager's API v2 did not do what was asked, in amtool's words.
package struct AlertServerError: Error, CustomStringConvertible {
    /// The status of the answer; 0 if there is none that can be used.
    package var status: Int
    package var description: String

    /// - Parameter message: The server's own reason.
    init(_ operation: AlertOperation, status: Int, message: String) {
        self.status = status
        let form = "[\(operation.method) \(operation.path)]"
        if operation.faults.contains(status), let fault = Self.faultNames[status] {
            description = "\(form)[\(status)] \(operation.name)\(fault)" + (message.isEmpty ? "" : "  " + message)
        } else {
            description = "\(form) \(operation.name) (status \(status)): \(message.isEmpty ? "{}" : message)"
        }
    }

    /// An answer of another form than the API's.
    init(_ operation: AlertOperation, _ reason: String) {
        status = 0
        description = "[\(operation.method) \(operation.path)] \(operation.name): \(reason)"
    }

    private static let faultNames = [400: "BadRequest", 404: "NotFound", 500: "InternalServerError"]
}

/// An operation of the API, with the name that it has in the API's description.
struct AlertOperation {
    var method: String
    var path: String
    var name: String
    /// The statuses of errors that the API's description lists.
    var faults: [Int]

    static let getStatus = AlertOperation(method: "GET", path: "/status", name: "getStatus", faults: [])
    static let getAlerts = AlertOperation(method: "GET", path: "/alerts", name: "getAlerts", faults: [400, 500])
    static let postAlerts = AlertOperation(method: "POST", path: "/alerts", name: "postAlerts", faults: [400, 500])
    static let getSilences = AlertOperation(method: "GET", path: "/silences", name: "getSilences", faults: [400, 500])
    static let postSilences = AlertOperation(
        method: "POST", path: "/silences", name: "postSilences", faults: [400, 404])
    static let getSilence = AlertOperation(
        method: "GET", path: "/silence/{silenceID}", name: "getSilence", faults: [404, 500])
    static let deleteSilence = AlertOperation(
        method: "DELETE", path: "/silence/{silenceID}", name: "deleteSilence", faults: [404, 500])
}

/// A server with Alertmanager's API v2: martlet or Alertmanager.
package struct AlertServer: Sendable {
    /// The states of alerts that a query selects.
    package struct AlertStates: Sendable {
        package var active: Bool
        package var silenced: Bool
        package var inhibited: Bool
        package var unprocessed: Bool

        /// The given states, or the active one if none is given.
        package init(active: Bool, silenced: Bool, inhibited: Bool, unprocessed: Bool) {
            self.active = active || !silenced && !inhibited && !unprocessed
            self.silenced = silenced
            self.inhibited = inhibited
            self.unprocessed = unprocessed
        }
    }

    private let base: String
    private let client: HTTPClient
    /// ms.
    private let timeout: Int64

    /// - Parameters:
    ///   - url: With or without a path prefix, user and password, and `http://`.
    ///   - timeout: Of each request, ms.
    ///   - maxRequests: The most requests at once.
    package init(url: String, client: HTTPClientConfig, timeout: Int64, maxRequests: Int = 16) {
        base = Self.base(url)
        self.client = HTTPClient(client, maxRequests: maxRequests)
        self.timeout = timeout
    }

    /// The URL of the API.
    static func base(_ url: String) -> String {
        var base = url.contains("://") ? url : "http://" + url
        while base.utf8.last == UInt8(ascii: "/") { base.removeLast() }
        return base + "/api/v2"
    }

    // MARK: Operations

    /// The configuration that the server uses, as YAML.
    package func configuration() throws -> String {
        let answer = try json(.getStatus)
        guard let text = answer["config"]?["original"]?.string else {
            throw AlertServerError(.getStatus, "the answer has no config.original")
        }
        return text
    }

    /// The alerts that match.
    ///
    /// - Parameter receiver: A regular expression; empty for all receivers.
    package func alerts(
        _ states: AlertStates, filters: [String] = [], receiver: String = ""
    ) throws -> [RemoteAlert] {
        var query = [
            ("active", "\(states.active)"), ("inhibited", "\(states.inhibited)"), ("silenced", "\(states.silenced)"),
            ("unprocessed", "\(states.unprocessed)"),
        ]
        if !receiver.isEmpty { query.append(("receiver", receiver)) }
        query += filters.map { ("filter", $0) }
        return try list(.getAlerts, query, RemoteAlert.init)
    }

    package func add(_ alerts: [NewAlert]) throws {
        _ = try send(.postAlerts, body: ReceiverJSON.encode(.array(alerts.map(\.json))))
    }

    package func silences(filters: [String] = []) throws -> [RemoteSilence] {
        try list(.getSilences, filters.map { ("filter", $0) }, RemoteSilence.init)
    }

    package func silence(_ id: String) throws -> RemoteSilence {
        let value = try json(.getSilence, id: id)
        do throws(AlertDataError) {
            return try RemoteSilence(value)
        } catch {
            throw AlertServerError(.getSilence, error.description)
        }
    }

    /// Adds or changes a silence; returns its id.
    package func post(_ silence: PostedSilence) throws -> String {
        let answer = try parsed(.postSilences, try send(.postSilences, body: ReceiverJSON.encode(silence.json)))
        guard let id = answer["silenceID"]?.string else {
            throw AlertServerError(.postSilences, "the answer has no silenceID")
        }
        return id
    }

    package func expire(_ id: String) throws { _ = try send(.deleteSilence, id: id) }

    // MARK: Requests

    private func list<Element>(
        _ operation: AlertOperation, _ query: [(String, String)],
        _ element: (JSONValue) throws(AlertDataError) -> Element
    ) throws -> [Element] {
        guard let values = try json(operation, query).array else {
            throw AlertServerError(operation, "the answer is no list")
        }
        return try Self.elements(of: values, operation, element)
    }

    static func elements<Element>(
        of values: [JSONValue], _ operation: AlertOperation,
        _ element: (JSONValue) throws(AlertDataError) -> Element
    ) throws(AlertServerError) -> [Element] {
        var result: [Element] = []
        result.reserveCapacity(values.count)
        for (index, value) in values.enumerated() {
            do throws(AlertDataError) {
                result.append(try element(value))
            } catch {
                throw AlertServerError(operation, "\(index).\(error)")
            }
        }
        return result
    }

    private func json(
        _ operation: AlertOperation, _ query: [(String, String)] = [], id: String = ""
    ) throws -> JSONValue {
        try parsed(operation, try send(operation, query, id: id))
    }

    private func parsed(_ operation: AlertOperation, _ body: [UInt8]) throws(AlertServerError) -> JSONValue {
        do throws(JSONError) {
            return try JSONValue.parse(body)
        } catch {
            throw AlertServerError(operation, "the answer is not JSON: \(error)")
        }
    }

    /// Sends a request; returns the body of the answer if its status is 200.
    private func send(
        _ operation: AlertOperation, _ query: [(String, String)] = [], id: String = "", body: [UInt8] = []
    ) throws -> [UInt8] {
        let path = operation.path.split(separator: "{").first.map(String.init) ?? ""
        var url = base + path + (operation.path.hasSuffix("}") ? URLEncoding.encode(id) : "")
        if !query.isEmpty {
            url += "?" + query.map { "\($0.0)=\(URLEncoding.encode($0.1))" }.joined(separator: "&")
        }
        var request = ClientRequest(method: operation.method, url: url, body: body, timeout: timeout)
        request.headers = [("Accept", "application/json")]
        if !body.isEmpty { request.headers.append(("Content-Type", "application/json")) }
        let response = try client.sendBlocking(request)
        guard response.status == 200 else {
            throw AlertServerError(
                operation, status: response.status, message: Self.message(response.body))
        }
        return response.body
    }

    /// The most bytes of a reason that an error shows, and of an answer that is not the API's.
    private static let (mostBytes, shownBytes) = (16 << 10, 300)

    /// The reason in the body of an error; several reasons are lines.
    static func message(_ body: [UInt8]) -> String {
        let value = try? JSONValue.parse(body)
        if let text = value?.string ?? value?["message"]?.string ?? value?["error"]?.string {
            let lines = String(decoding: text.utf8.prefix(mostBytes), as: UTF8.self).split(
                separator: "\n", omittingEmptySubsequences: false)
            return lines.map { TextTable.printable(String($0)) }.joined(separator: "\n")
        }
        let text = String(decoding: body.prefix(shownBytes), as: UTF8.self)
        return TextTable.printable(text.split(whereSeparator: \.isWhitespace).joined(separator: " "))
    }
}
