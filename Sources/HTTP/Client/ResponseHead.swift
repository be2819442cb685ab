/// The head of an answer, read line by line.
package struct ResponseHead: Sendable {
    package private(set) var status = 0
    /// The first line without the protocol: `404 Not Found`.
    package private(set) var statusText = ""
    /// The first `Content-Type`; nil if there is none.
    package private(set) var contentType: String?
    package private(set) var contentEncoding: String?
    package private(set) var location: String?
    /// Whether the first line names HTTP/1.
    private(set) var isVersion1 = true
    /// Whether the body has the chunked transfer coding.
    private(set) var isChunked = false
    /// Whether the whole head of the final answer was received.
    private(set) var isComplete = false
    private var contentLengths: [String] = []

    /// Whether the answer is a redirect.
    var isRedirect: Bool { [301, 302, 303, 307, 308].contains(status) && location?.isEmpty == false }

    /// The reason why the head cannot be used; nil if it can.
    var problem: String? {
        guard let first = contentLengths.first, contentLengths.contains(where: { $0 != first }) else { return nil }
        return
            "http: message cannot contain multiple Content-Length headers; got [\(contentLengths.map { "\"\($0)\"" }.joined(separator: " "))]"
    }

    package init() {}

    /// The size of the body that the head announces; 0 if it announces none, or no number.
    var announcedSize: Int { contentLengths.first.flatMap { Int($0) } ?? 0 }

    /// Adds one line with its end.
    ///
    /// - Returns: Whether the line begins a head. The head of an interim answer may precede the final one.
    @discardableResult
    mutating func receive(_ line: UnsafeRawBufferPointer) -> Bool {
        var end = line.count
        while end > 0, line[end - 1] == 0x0D || line[end - 1] == 0x0A { end -= 1 }
        if end > 5, line[0] == 0x48, line[1] == 0x54, line[2] == 0x54, line[3] == 0x50, line[4] == 0x2F {
            begin(UnsafeRawBufferPointer(rebasing: line[..<end]))
            return true
        }
        if end == 0 { isComplete = status >= 200 }
        guard let colon = line[..<end].firstIndex(of: 0x3A) else { return false }
        // Most headers are not needed; the length of the name excludes most of them.
        func isNamed(_ name: StaticString) -> Bool {
            guard colon == name.utf8CodeUnitCount else { return false }
            for i in 0..<colon where line[i] | 0x20 != name.utf8Start[i] { return false }
            return true
        }
        func value() -> String {
            var (start, end) = (colon + 1, end)
            while start < end, line[start] == 0x20 || line[start] == 0x09 { start += 1 }
            while end > start, line[end - 1] == 0x20 || line[end - 1] == 0x09 { end -= 1 }
            return String(decoding: line[start..<end], as: UTF8.self)
        }
        if isNamed("content-type") {
            if contentType == nil { contentType = value() }
        } else if isNamed("content-encoding") {
            if contentEncoding == nil { contentEncoding = value() }
        } else if isNamed("content-length") {
            if contentLengths.count < 8 { contentLengths.append(value()) }
        } else if isNamed("transfer-encoding") {
            isChunked = isChunked || value().lowercased().contains("chunked")
        } else if isNamed("location") {
            if location == nil { location = value() }
        }
        return false
    }

    private mutating func begin(_ line: UnsafeRawBufferPointer) {
        self = ResponseHead()
        isVersion1 = line.count > 6 && line[5] == 0x31 && line[6] == 0x2E
        guard let space = line.firstIndex(of: 0x20) else { return }
        let rest = line[(space + 1)...]
        statusText = String(decoding: rest, as: UTF8.self)
        for byte in rest.prefix(3) {
            guard byte >= 0x30, byte <= 0x39 else { break }
            status = status * 10 + Int(byte - 0x30)
        }
    }
}

/// Limits of the heads of an answer: interim answers and their headers could continue without end.
struct HeadBounds {
    /// The most interim answers, as in Go.
    private static let maxInterim = 5
    /// The most bytes of all heads together.
    static let maxBytes = 300 << 10

    private var begun = 0
    private var bytes = 0
    /// The limit that was exceeded; nil if none was.
    private(set) var problem: String?

    /// Counts a line; returns false if a limit is exceeded.
    mutating func take(_ count: Int, begins: Bool) -> Bool {
        bytes += count
        if begins { begun += 1 }
        if begun > Self.maxInterim + 1 {
            problem = "too many 1xx informational responses"
        } else if bytes > Self.maxBytes {
            problem = "net/http: server response headers exceeded \(Self.maxBytes) bytes; aborted"
        }
        return problem == nil
    }
}
