/// The line and the headers of a request, checked by RFC 9112 without any of its leniencies.
package struct RequestHead: Sendable {
    /// How the end of the body is found.
    package enum Framing: Sendable, Hashable {
        case none
        case length(Int)
        case chunked
    }

    package var method: String
    /// The path as it was sent: percent escapes are still in it.
    package var rawPath: String
    /// Parameters of the URL, decoded, in order.
    package var query: [(name: String, value: String)] = []
    /// What stands behind the question mark, as it was sent.
    package var rawQuery: String = ""
    /// In order, names as sent.
    package var headers: [(name: String, value: String)] = []
    package var host: String = ""
    package var framing: Framing = .none
    /// Whether the connection may serve a further request.
    package var keepsAlive: Bool
    /// Whether the client waits for a `100 Continue` before it sends the body.
    package var awaitsContinue: Bool = false
    package var isVersion10: Bool

    /// The value of a header; names do not differ by case.
    package func header(_ name: String) -> String? { headers.first { $0.name.isSame(as: name) }?.value }
}

/// A request that is refused before any handler sees it; the connection closes afterwards.
package struct RequestRefusal: Error, Hashable {
    package var status: Int
    package var reason: String

    package init(_ status: Int, _ reason: String) {
        self.status = status
        self.reason = reason
    }

    static func malformed(_ reason: String) -> RequestRefusal { RequestRefusal(400, reason) }
}

extension StringProtocol {
    /// Compares ASCII text without regard to case, and without a copy.
    func isSame(as other: String) -> Bool {
        utf8.elementsEqual(other.utf8) { a, b in
            a == b || (a | 0x20 == b | 0x20 && a | 0x20 >= 0x61 && a | 0x20 <= 0x7A)
        }
    }
}

/// Finds the end of a head in bytes that come in parts, each byte looked at once.
package struct HeadScanner: Sendable {
    private enum State { case start, startReturn, lineStart, line, lineReturn, lastReturn }
    private var state = State.start
    private var position = 0

    package init() {}

    /// Looks at the bytes that are new; `bytes` begins where the head begins.
    ///
    /// - Returns: The length of the head with its empty line; nil if more has to come.
    package mutating func end(in bytes: UnsafeBufferPointer<UInt8>) throws(RequestRefusal) -> Int? {
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            guard byte != 0 else { throw .malformed("NUL in the head") }
            switch state {
            case .start:
                // One empty line in front of a request is allowed.
                state = byte == 0x0D ? .startReturn : try Self.inLine(byte)
            case .startReturn:
                guard byte == 0x0A else { throw .malformed("CR without LF") }
                state = .line
            case .lineStart:
                state = byte == 0x0D ? .lastReturn : try Self.inLine(byte)
            case .line:
                state = byte == 0x0D ? .lineReturn : try Self.inLine(byte)
            case .lineReturn:
                guard byte == 0x0A else { throw .malformed("CR without LF") }
                state = .lineStart
            case .lastReturn:
                guard byte == 0x0A else { throw .malformed("CR without LF") }
                return position
            }
        }
        return nil
    }

    private static func inLine(_ byte: UInt8) throws(RequestRefusal) -> State {
        guard byte != 0x0A else { throw .malformed("LF without CR") }
        return .line
    }
}
