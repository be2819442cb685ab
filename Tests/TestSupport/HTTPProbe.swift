/// A small HTTP/1.1 client for tests, over a real socket.
public struct HTTPProbe: Sendable {
    public struct Answer: Sendable {
        public var status: Int
        /// Names in lower case.
        public var headers: [String: String]
        public var body: [UInt8]
        public var text: String { String(decoding: body, as: UTF8.self) }
    }

    public let port: UInt16

    /// The time without a byte after which an answer is given up, s.
    private let timeout: Int

    public init(port: UInt16, timeout: Int = 30) { (self.port, self.timeout) = (port, timeout) }

    public func get(_ path: String, headers: [String: String] = [:]) -> Answer? {
        request("GET", path, headers: headers)
    }

    /// Posts a form.
    public func post(_ path: String, form: [(String, String)]) -> Answer? {
        let body = form.map { "\(Self.escape($0.0))=\(Self.escape($0.1))" }.joined(separator: "&")
        return request(
            "POST", path, headers: ["Content-Type": "application/x-www-form-urlencoded"], body: Array(body.utf8))
    }

    /// One request on a connection of its own; nil if there is no answer.
    public func request(_ method: String, _ path: String, headers: [String: String] = [:], body: [UInt8] = [])
        -> Answer?
    {
        guard let socket = LoopbackSocket.connect(port: port, timeoutSeconds: timeout) else { return nil }
        defer { socket.close() }
        var head = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if !body.isEmpty || method == "POST" || method == "PUT" { head += "Content-Length: \(body.count)\r\n" }
        guard socket.send(Array((head + "\r\n").utf8) + body) else { return nil }
        var bytes: [UInt8] = []
        while true {
            let part = socket.receive()
            if part.isEmpty { break }
            bytes += part
        }
        return HTTPMessage(bytes).map { message in
            let words = message.startLine.split(separator: " ")
            return Answer(
                status: words.count > 1 ? Int(words[1]) ?? 0 : 0, headers: message.headers, body: message.decodedBody)
        }
    }

    /// Percent-encodes everything but letters, digits and `-._~`.
    public static func escape(_ text: String) -> String {
        let hex = Array("0123456789ABCDEF")
        return text.utf8.map { byte in
            let isPlain =
                (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || (byte >= 0x30 && byte <= 0x39)
                || [0x2D, 0x2E, 0x5F, 0x7E].contains(byte)
            return isPlain ? String(UnicodeScalar(byte)) : "%\(hex[Int(byte >> 4)])\(hex[Int(byte & 15)])"
        }.joined()
    }
}

/// The parts of an HTTP/1.1 message that has been received completely.
public struct HTTPMessage: Sendable {
    public var startLine: String
    /// Names in lower case.
    public var headers: [String: String]
    public var body: [UInt8]

    /// Splits a message; nil before the empty line has come.
    public init?(_ bytes: [UInt8]) {
        var end: Int?
        var i = 0
        while i + 3 < bytes.count {
            if bytes[i] == 13, bytes[i + 1] == 10, bytes[i + 2] == 13, bytes[i + 3] == 10 {
                end = i
                break
            }
            i += 1
        }
        guard let end else { return nil }
        let lines = String(decoding: bytes[0..<end], as: UTF8.self).split(separator: "\r\n")
        startLine = lines.first.map(String.init) ?? ""
        headers = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard let name = parts.first else { continue }
            headers[name.lowercased()] = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
        }
        body = Array(bytes[(end + 4)...])
    }

    /// The body with chunked transfer encoding taken off.
    var decodedBody: [UInt8] {
        guard headers["transfer-encoding"]?.lowercased() == "chunked" else { return body }
        var out: [UInt8] = []
        var at = 0
        while at < body.count {
            guard let lineEnd = body[at...].firstIndex(of: 13),
                let size = Int(String(decoding: body[at..<lineEnd], as: UTF8.self), radix: 16), size > 0,
                lineEnd + 2 + size <= body.count
            else { break }
            out += body[(lineEnd + 2)..<(lineEnd + 2 + size)]
            at = lineEnd + 2 + size + 2
        }
        return out
    }
}
