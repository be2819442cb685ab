import CPlatform
import GoCompatibility
import Synchronization

/// A request as a handler receives it.
package struct HTTPRequest: Sendable {
    package var method: String
    /// The decoded path below the route prefix.
    package var path: String
    /// The decoded parameters of the URL, in order.
    package var query: [(name: String, value: String)]
    /// The decoded parameters of a form body, in order.
    package var form: [(name: String, value: String)]
    /// The headers in order, with their names as sent.
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    /// The peer's address without its port.
    package var peer: String
    /// The named parts of the route's pattern, for example of `/label/:name/values`.
    package var pathParameters: [String: String] = [:]
    /// The path below the route prefix as it was sent, with percent escapes; nil without a connection.
    package var rawPath: String?
    /// The text after the question mark, as it was sent.
    package var rawQuery: String = ""
    /// The connection's socket; −1 without a connection.
    var socket: Int32 = -1
    /// Reports the end of the server; nil without a connection.
    package var cancellation: Cancellation?

    package init(
        method: String, path: String, query: [(name: String, value: String)] = [],
        form: [(name: String, value: String)] = [], headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        peer: String = "127.0.0.1"
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.form = form
        self.headers = headers
        self.body = body
        self.peer = peer
    }

    /// The first value of a parameter, of the body before the URL; nil if absent.
    package func parameter(_ name: String) -> String? {
        form.first { $0.name == name }?.value ?? query.first { $0.name == name }?.value
    }

    /// All values of a parameter, of the body first.
    package func parameters(_ name: String) -> [String] {
        (form + query).filter { $0.name == name }.map(\.value)
    }

    /// The error in the parameters of the form or the URL that ``parameters(_:)`` omits, in the words of Go.
    package var parameterProblem: String? {
        if !form.isEmpty || !body.isEmpty, FormType(header("Content-Type")) == .urlEncoded,
            let problem = URLEncoding.problem(body)
        {
            return problem
        }
        return URLEncoding.problem(rawQuery.utf8)
    }

    /// The value of a header; the case of the name is ignored.
    package func header(_ name: String) -> String? {
        headers.first { $0.name.isSame(as: name) }?.value
    }

    /// Whether the client has closed the connection and does not wait for the answer any more.
    package func isPeerGone() -> Bool { socket >= 0 && cplatform_is_peer_gone(socket) != 0 }

    /// Whether the handler should end: the client has closed the connection, or the server ends.
    package func isCancelled() -> Bool { cancellation?.isOn == true || isPeerGone() }
}

/// Reports the end of the server to running handlers.
package final class Cancellation: Sendable {
    private let state = Atomic(false)

    package init() {}

    package var isOn: Bool { state.load(ordering: .relaxed) }

    package func cancel() { state.store(true, ordering: .relaxed) }
}

/// Parameters in URL encoding.
package enum URLEncoding {
    /// The most parameters that are read, as in Go: many short ones would take much more memory than their text.
    static let maxParameters = 10_000

    /// Reads `a=b&c=d` with percent escapes and `+` for space; pairs with a `;` or a bad escape are omitted.
    package static func parse(_ text: some Collection<UInt8>) -> [(name: String, value: String)] {
        var result: [(name: String, value: String)] = []
        for pair in pairs(text) where problem(ofPair: pair) == nil {
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            result.append((decode(parts[0]), parts.count > 1 ? decode(parts[1]) : ""))
        }
        return result
    }

    /// The error in the pairs that ``parse(_:)`` omits, in the words of Go; nil if there is none.
    ///
    /// A `;` has precedence over bad escapes, and the first bad escape over later ones.
    static func problem(_ text: some Collection<UInt8>) -> String? {
        let problems = pairs(text).compactMap { problem(ofPair: $0) }
        return problems.contains(semicolon) ? semicolon : problems.first
    }

    private static let semicolon = "invalid semicolon separator in query"

    private static func pairs<Text: Collection<UInt8>>(_ text: Text) -> ArraySlice<Text.SubSequence> {
        text.split(separator: UInt8(ascii: "&"), maxSplits: maxParameters).prefix(maxParameters)
    }

    private static func problem(ofPair pair: some Collection<UInt8>) -> String? {
        if pair.contains(UInt8(ascii: ";")) { return semicolon }
        for part in pair.split(separator: UInt8(ascii: "="), maxSplits: 1) {
            var rest = part[...]
            while let percent = rest.firstIndex(of: UInt8(ascii: "%")) {
                let escape = rest[percent...].prefix(3)
                guard escape.count == 3, escape.dropFirst().allSatisfy({ hex($0) != nil }) else {
                    return "invalid URL escape \(GoQuote.quote(bytes: Array(escape)))"
                }
                rest = rest[percent...].dropFirst(3)
            }
        }
        return nil
    }

    static func hex(_ c: UInt8) -> UInt8? {
        switch c {
        case 0x30...0x39: c - 0x30
        case 0x41...0x46: c - 0x41 + 10
        case 0x61...0x66: c - 0x61 + 10
        default: nil
        }
    }

    static func decode(_ text: some Collection<UInt8>, plusIsBlank: Bool = true) -> String {
        let bytes = Array(text)
        let isPlain = !bytes.contains { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }
        if isPlain { return String(decoding: bytes, as: UTF8.self) }
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var at = 0
        while at < bytes.count {
            if bytes[at] == UInt8(ascii: "%"), at + 2 < bytes.count, let high = hex(bytes[at + 1]),
                let low = hex(bytes[at + 2])
            {
                out.append(high << 4 | low)
                at += 3
            } else {
                out.append(plusIsBlank && bytes[at] == UInt8(ascii: "+") ? 0x20 : bytes[at])
                at += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// Encodes a value for a query string: everything but letters, digits and `-._~` is escaped.
    ///
    /// - Parameter blankAsPlus: Whether a blank becomes `+`, as in forms.
    package static func encode(_ text: String, blankAsPlus: Bool = false) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for c in text.utf8 {
            let isPlain =
                (c | 0x20 >= 0x61 && c | 0x20 <= 0x7A) || (c >= 0x30 && c <= 0x39)
                || [0x2D, 0x2E, 0x5F, 0x7E].contains(c)
            if blankAsPlus, c == 0x20 {
                out.append(UInt8(ascii: "+"))
            } else if isPlain {
                out.append(c)
            } else {
                out += [UInt8(ascii: "%"), digits[Int(c >> 4)], digits[Int(c & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
