import Glibc

/// Parts of URLs as text, as Go's `net/url` and `net` treat them.
public enum GoURL {
    /// Go's `url.QueryEscape`: all characters except letters, digits and `-_.~` become `%XX`, a space becomes `+`.
    public static func queryEscape(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for c in text.utf8 {
            switch c {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                out.append(c)
            case UInt8(ascii: " "): out.append(UInt8(ascii: "+"))
            default:
                out.append(UInt8(ascii: "%"))
                out.append(digits[Int(c >> 4)])
                out.append(digits[Int(c & 15)])
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// An escape that is not `%` with two hexadecimal digits.
    public struct EscapeProblem: Error, CustomStringConvertible {
        public var description: String
    }

    /// Go's `url.QueryUnescape`: the inverse of ``queryEscape(_:)``.
    public static func queryUnescape(_ text: String) -> Result<String, EscapeProblem> {
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        var at = 0
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "+"): out.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                let escape = String(decoding: bytes[at...].prefix(3), as: UTF8.self)
                guard escape.utf8.count == 3, escape.dropFirst().allSatisfy(\.isHexDigit),
                    let byte = UInt8(escape.dropFirst(), radix: 16)
                else {
                    return .failure(EscapeProblem(description: "invalid URL escape \(GoQuote.quote(escape))"))
                }
                out.append(byte)
                at += 2
            default: out.append(bytes[at])
            }
            at += 1
        }
        return .success(String(decoding: out, as: UTF8.self))
    }

    /// The path of a URL, without query and fragment; empty if there is none.
    public static func path(of url: String) -> String {
        var rest = Substring(url)
        if let scheme = rest.range(of: "://") {
            rest = rest[scheme.upperBound...]
            guard let slash = rest.firstIndex(of: "/") else { return "" }
            rest = rest[slash...]
        }
        return String(rest.prefix { $0 != "?" && $0 != "#" })
    }

    /// Splits `host:port` and `[v6]:port` as Go's `net.SplitHostPort`; nil if the text has another form.
    public static func splitHostPort(_ text: String) -> (host: String, port: String)? {
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        var host = text.utf8[..<colon]
        let port = text.utf8[text.utf8.index(after: colon)...]
        if host.first == UInt8(ascii: "[") {
            guard host.last == UInt8(ascii: "]") else { return nil }
            host = host.dropFirst().dropLast()
        } else if host.contains(UInt8(ascii: ":")) {
            return nil
        }
        for part in [host, port] where part.contains(where: { $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: "]") }) {
            return nil
        }
        return (String(Substring(host)), String(Substring(port)))
    }

    /// Joins a host and a port as Go's `net.JoinHostPort`.
    public static func joinHostPort(_ host: String, _ port: String) -> String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Whether the text is an IPv4 or IPv6 address without a zone.
    public static func isAddress(_ text: String) -> Bool {
        if text.utf8.contains(0) { return false }
        var bytes = in6_addr()
        return inet_pton(AF_INET, text, &bytes) == 1 || inet_pton(AF_INET6, text, &bytes) == 1
    }
}

extension Substring {
    /// The first range of `needle`.
    fileprivate func range(of needle: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(needle) { return start..<index(start, offsetBy: needle.count) }
            start = index(after: start)
        }
        return nil
    }
}
