import Glibc
import GoCompatibility
import Synchronization

/// Writes the lines before an answer's body.
enum ResponseHeadWriter {
    /// - Parameter length: The bytes of the body; nil if the status has none.
    static func bytes(
        status: Int, headers: [(name: String, value: String)], length: Int?, closes: Bool, isVersion10: Bool,
        now: Int64
    ) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(512)
        append("HTTP/1.1 ", to: &out)
        append(status, to: &out)
        append(" ", to: &out)
        append(reason(status), to: &out)
        append("\r\nDate: ", to: &out)
        append(DateText.now(now), to: &out)
        append("\r\n", to: &out)
        for (name, value) in headers {
            field(name, to: &out)
            append(": ", to: &out)
            field(value, to: &out)
            append("\r\n", to: &out)
        }
        if let length {
            append("Content-Length: ", to: &out)
            append(length, to: &out)
            append("\r\n", to: &out)
        }
        if closes {
            append("Connection: close\r\n", to: &out)
        } else if isVersion10 {
            append("Connection: keep-alive\r\n", to: &out)
        }
        append("\r\n", to: &out)
        return out
    }

    private static func append(_ text: String, to out: inout [UInt8]) {
        var text = text
        text.withUTF8 { out.append(contentsOf: $0) }
    }

    /// Appends a number that is not negative.
    private static func append(_ number: Int, to out: inout [UInt8]) {
        let start = out.count
        var rest = number
        repeat {
            out.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        out[start...].reverse()
    }

    /// A value must not begin a new line.
    private static func field(_ text: String, to out: inout [UInt8]) {
        var text = text
        text.withUTF8 { bytes in
            let start = out.count
            out.append(contentsOf: bytes)
            for at in start..<out.count where out[at] < 0x20 || out[at] == 0x7F { out[at] = 0x20 }
        }
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

/// The time in the format of `Date`, computed once per second.
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
