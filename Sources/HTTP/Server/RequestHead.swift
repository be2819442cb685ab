/// The line and the headers of a request, checked strictly by RFC 9112.
package struct RequestHead: Sendable {
    /// The method to find the end of the body.
    package enum Framing: Sendable, Hashable {
        case none
        case length(Int)
        case chunked
    }

    package var method: String
    /// The path as it was sent, with percent escapes.
    package var rawPath: String
    /// The decoded parameters of the URL, in order.
    package var query: [(name: String, value: String)] = []
    /// The text after the question mark, as it was sent.
    package var rawQuery: String = ""
    /// The headers in order, with their names as sent.
    package var headers: [(name: String, value: String)] = []
    package var host: String = ""
    package var framing: Framing = .none
    /// Whether the connection may serve a further request.
    package var keepsAlive: Bool
    /// Whether the client waits for a `100 Continue` before it sends the body.
    package var awaitsContinue: Bool = false
    package var isVersion10: Bool

    /// The value of a header; the case of the name is ignored.
    package func header(_ name: String) -> String? { headers.first { $0.name.isSame(as: name) }?.value }
}

/// The refusal of a request before any handler; the connection is closed afterwards.
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

/// Finds the end of a head in bytes that are received in parts; reads each byte once.
package struct HeadScanner: Sendable {
    private enum State { case start, startReturn, lineStart, line, lineReturn, lastReturn }
    private var state = State.start
    private var position = 0

    package init() {}

    /// Reads the new bytes; `bytes` begins at the start of the head.
    ///
    /// - Returns: The length of the head with its empty line; nil if the head is incomplete.
    package mutating func end(in bytes: UnsafeBufferPointer<UInt8>) throws(RequestRefusal) -> Int? {
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            guard byte != 0 else { throw .malformed("NUL in the head") }
            switch state {
            case .start:
                // One empty line before a request is allowed.
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
