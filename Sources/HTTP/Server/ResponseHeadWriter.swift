import Glibc
import GoCompatibility
import Synchronization

/// Writes the lines in front of an answer's body.
enum ResponseHeadWriter {
    /// - Parameter length: Bytes of the body; nil if the status has none.
    static func bytes(
        status: Int, headers: [(name: String, value: String)], length: Int?, closes: Bool, isVersion10: Bool,
        now: Int64
    ) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(512)
        append("HTTP/1.1 \(status) \(reason(status))\r\n", to: &out)
        append("Date: \(DateText.now(now))\r\n", to: &out)
        for (name, value) in headers {
            field(name, to: &out)
            out += [0x3A, 0x20]
            field(value, to: &out)
            out += [0x0D, 0x0A]
        }
        if let length { append("Content-Length: \(length)\r\n", to: &out) }
        if closes {
            append("Connection: close\r\n", to: &out)
        } else if isVersion10 {
            append("Connection: keep-alive\r\n", to: &out)
        }
        out += [0x0D, 0x0A]
        return out
    }

    private static func append(_ text: String, to out: inout [UInt8]) { out.append(contentsOf: text.utf8) }

    /// No value may begin a line of its own.
    private static func field(_ text: String, to out: inout [UInt8]) {
        for byte in text.utf8 { out.append(byte < 0x20 || byte == 0x7F ? 0x20 : byte) }
    }

    static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 202: "Accepted"
        case 204: "No Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 413: "Request Entity Too Large"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 422: "Unprocessable Entity"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 505: "HTTP Version Not Supported"
        default: "Status"
        }
    }
}

/// The time as `Date` has it, made once per second.
enum DateText {
    private static let cached = Mutex<(second: Int64, text: String)>((-1, ""))

    static func now(_ milliseconds: Int64) -> String {
        let second = milliseconds / 1000
        return cached.withLock { cached in
            if cached.second != second { cached = (second, text(second)) }
            return cached.text
        }
    }

    static func text(_ second: Int64) -> String {
        GoTime(nanoseconds: second &* 1_000_000_000).format("Mon, 02 Jan 2006 15:04:05 GMT")
    }
}
