/// Reads the bytes of a head.
package enum RequestHeadParser {
    static let maxHeaders = 4096
    static let maxMethodLength = 64

    /// Reads a head that ``HeadScanner`` has found, with its empty line.
    package static func parse(_ bytes: UnsafeBufferPointer<UInt8>) throws(RequestRefusal) -> RequestHead {
        var lines = LineReader(bytes: bytes)
        if bytes.count >= 2, bytes[0] == 0x0D { _ = try lines.next() }
        var head = try requestLine(try lines.next())
        var fields = FieldChecks()
        while true {
            let line = try lines.next()
            if line.isEmpty { break }
            guard head.headers.count < maxHeaders else { throw RequestRefusal(431, "too many headers") }
            let (name, value) = try field(line)
            try fields.see(name, value)
            head.headers.append((name, value))
        }
        guard lines.isAtEnd else { throw .malformed("bytes after the head") }
        try fields.apply(to: &head)
        return head
    }

    // MARK: Request line

    private static func requestLine(_ line: Slice<UnsafeBufferPointer<UInt8>>) throws(RequestRefusal) -> RequestHead {
        let parts = line.split(separator: 0x20, maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw .malformed("malformed HTTP request") }
        let (method, target, version) = (parts[0], parts[1], parts[2])
        guard !method.isEmpty, method.count <= maxMethodLength, method.allSatisfy(isToken) else {
            throw .malformed("invalid method")
        }
        let isVersion10 = try version10(version)
        var head = RequestHead(
            method: String(decoding: method, as: UTF8.self), rawPath: "", keepsAlive: !isVersion10,
            isVersion10: isVersion10)
        try readTarget(target, into: &head)
        return head
    }

    private static func version10(_ text: Slice<UnsafeBufferPointer<UInt8>>) throws(RequestRefusal) -> Bool {
        let version = String(decoding: text, as: UTF8.self)
        if version == "HTTP/1.1" { return false }
        if version == "HTTP/1.0" { return true }
        let bytes = Array(text)
        let isVersion =
            bytes.count == 8 && version.hasPrefix("HTTP/") && isDigit(bytes[5]) && bytes[6] == 0x2E && isDigit(bytes[7])
        throw isVersion ? RequestRefusal(505, "unsupported protocol version") : .malformed("malformed HTTP version")
    }

    private static func readTarget(
        _ target: Slice<UnsafeBufferPointer<UInt8>>, into head: inout RequestHead
    ) throws(RequestRefusal) {
        guard !target.isEmpty, target.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != 0x23 }) else {
            throw .malformed("invalid request target")
        }
        var rest = target[...]
        if rest.first != 0x2F {
            if target.count == 1, target.first == 0x2A, head.method == "OPTIONS" {
                head.rawPath = "*"
                return
            }
            rest = try afterAuthority(target)
        }
        let question = rest.firstIndex(of: 0x3F)
        let path = rest[..<(question ?? rest.endIndex)]
        guard hasWholeEscapes(path) else { throw .malformed("invalid URL escape") }
        head.rawPath = path.isEmpty ? "/" : String(decoding: path, as: UTF8.self)
        if let question {
            let query = rest[rest.index(after: question)...]
            head.query = URLEncoding.parse(query)
            head.rawQuery = String(decoding: query, as: UTF8.self)
        }
    }

    /// The text after the authority of an absolute URI.
    private static func afterAuthority(
        _ target: Slice<UnsafeBufferPointer<UInt8>>
    ) throws(RequestRefusal) -> Slice<UnsafeBufferPointer<UInt8>> {
        for scheme in ["http://", "https://"] {
            let start = target.prefix(scheme.utf8.count)
            guard String(decoding: start, as: UTF8.self).isSame(as: scheme) else { continue }
            let rest = target[start.endIndex...]
            let end = rest.firstIndex { $0 == 0x2F || $0 == 0x3F } ?? rest.endIndex
            guard end > rest.startIndex, isHost(rest[..<end]) else { break }
            return rest[end...]
        }
        throw .malformed("invalid request target")
    }

    private static func hasWholeEscapes(_ path: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        var wanted = 0
        for byte in path {
            if wanted > 0 {
                guard URLEncoding.hex(byte) != nil else { return false }
                wanted -= 1
            } else if byte == 0x25 {
                wanted = 2
            }
        }
        return wanted == 0
    }

    // MARK: Fields

    private static func field(
        _ line: Slice<UnsafeBufferPointer<UInt8>>
    ) throws(RequestRefusal) -> (name: String, value: String) {
        guard let first = line.first, first != 0x20, first != 0x09 else { throw .malformed("folded header line") }
        guard let colon = line.firstIndex(of: 0x3A), colon > line.startIndex else {
            throw .malformed("header line without a name")
        }
        guard line[..<colon].allSatisfy(isToken) else { throw .malformed("invalid header name") }
        var value = line[line.index(after: colon)...]
        while let first = value.first, first == 0x20 || first == 0x09 { value = value.dropFirst() }
        while let last = value.last, last == 0x20 || last == 0x09 { value = value.dropLast() }
        guard value.allSatisfy(isValue) else {
            throw .malformed("invalid header value")
        }
        return (String(decoding: line[..<colon], as: UTF8.self), String(decoding: value, as: UTF8.self))
    }

    /// Whether a byte may be in a header's value: no control character except the tab.
    static func isValue(_ byte: UInt8) -> Bool { (byte >= 0x20 && byte != 0x7F) || byte == 0x09 }

    /// Whether a byte may be in a method or in a header's name (RFC 9110 section 5.6.2).
    static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E, 0x5F, 0x60, 0x7C, 0x7E: true
        default: false
        }
    }

    static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    /// Whether a text is a host with or without a port: no user, path or blank.
    static func isHost(_ text: some Sequence<UInt8>) -> Bool {
        text.allSatisfy { byte in
            isDigit(byte) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || byte >= 0x80
                || [
                    0x2D, 0x2E, 0x5F, 0x7E, 0x3A, 0x5B, 0x5D, 0x25, 0x21, 0x24, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x2B,
                    0x2C,
                    0x3B, 0x3D,
                ]
                .contains(byte)
        }
    }
}

/// Splits a head into its lines.
private struct LineReader {
    let bytes: UnsafeBufferPointer<UInt8>
    var position = 0

    var isAtEnd: Bool { position == bytes.count }

    /// The next line without its end.
    mutating func next() throws(RequestRefusal) -> Slice<UnsafeBufferPointer<UInt8>> {
        var end = position
        while end < bytes.count, bytes[end] != 0x0D {
            guard bytes[end] != 0x0A else { throw .malformed("LF without CR") }
            end += 1
        }
        guard end + 1 < bytes.count, bytes[end + 1] == 0x0A else { throw .malformed("CR without LF") }
        defer { position = end + 2 }
        return bytes[position..<end]
    }
}

/// The headers about the framing of a request and its target.
private struct FieldChecks {
    private var host: String?
    private var length: Int?
    private var isChunked: Bool?
    private var closes = false
    private var keepsAlive = false
    private var expects = false

    mutating func see(_ name: String, _ value: String) throws(RequestRefusal) {
        switch name.utf8.count {
        case 4 where name.isSame(as: "Host"):
            guard host == nil else { throw .malformed("too many Host headers") }
            guard RequestHeadParser.isHost(value.utf8) else { throw .malformed("malformed Host header") }
            host = value
        case 14 where name.isSame(as: "Content-Length"):
            guard length == nil else { throw .malformed("more than one Content-Length") }
            guard !value.isEmpty, value.utf8.allSatisfy(RequestHeadParser.isDigit), let number = Int(value) else {
                throw .malformed("bad Content-Length")
            }
            length = number
        case 17 where name.isSame(as: "Transfer-Encoding"):
            guard isChunked == nil else { throw .malformed("more than one Transfer-Encoding") }
            guard value.isSame(as: "chunked") else { throw RequestRefusal(501, "unsupported transfer encoding") }
            isChunked = true
        case 10 where name.isSame(as: "Connection"):
            for word in value.split(separator: ",") {
                let word = word.filter { $0 != " " && $0 != "\t" }
                if word.isSame(as: "close") { closes = true }
                if word.isSame(as: "keep-alive") { keepsAlive = true }
            }
        case 6 where name.isSame(as: "Expect"):
            guard value.isSame(as: "100-continue") else { throw RequestRefusal(417, "unknown expectation") }
            expects = true
        default: break
        }
    }

    func apply(to head: inout RequestHead) throws(RequestRefusal) {
        guard host != nil || head.isVersion10 else { throw .malformed("missing required Host header") }
        head.host = host ?? ""
        if isChunked == true {
            guard length == nil else { throw .malformed("Content-Length beside Transfer-Encoding") }
            guard !head.isVersion10 else { throw .malformed("Transfer-Encoding in HTTP/1.0") }
            head.framing = .chunked
        } else if let length, length > 0 {
            head.framing = .length(length)
        }
        head.keepsAlive = !closes && (!head.isVersion10 || keepsAlive)
        head.awaitsContinue = expects && !head.isVersion10 && head.framing != .none
    }
}
