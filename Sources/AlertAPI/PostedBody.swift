import GoCompatibility
import HTTP
import JSON

/// The JSON body of a request.
enum PostedBody {
    /// Reads a body with `read`, which gets a reader at its start.
    ///
    /// - Parameter name: The name of the body in errors.
    static func read<T>(
        _ name: String, of request: HTTPRequest, _ read: (inout JSONReader) throws -> T
    ) throws -> T {
        if request.body.isEmpty { throw AlertAPIError.missing(name) }
        let type = request.header("Content-Type") ?? "application/octet-stream"
        let kind = GoCase.lower(String(type.prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }))
        guard kind == "application/json" else {
            throw AlertAPIError.problem(
                415, "unsupported media type \(GoQuote.quote(type)), only [application/json] are allowed")
        }
        var reader = JSONReader(request.body)
        do {
            let value = try read(&reader)
            try reader.end()
            return value
        } catch let error as AlertAPIError {
            throw error
        } catch {
            throw AlertAPIError.problem(400, "parsing \(name) body from \"\" failed, because \(error)")
        }
    }
}

extension JSONReader {
    /// Reads a value, or a null, which counts as missing.
    mutating func optional<T>(_ read: (inout JSONReader) throws -> T) throws -> T? {
        if try kind() == .null {
            try null()
            return nil
        }
        return try read(&self)
    }

    /// Reads a text or a null.
    mutating func text() throws -> String? { try optional { reader in try reader.string() } }

    /// Reads an object whose values are texts; null counts as an empty one.
    mutating func texts() throws -> [(String, String)]? {
        try optional { reader in
            var pairs: [(String, String)] = []
            try reader.object { name, reader in pairs.append((name, try reader.text() ?? "")) }
            return pairs
        }
    }

    /// Reads a time, ms; 0 if it is null, empty or Go's zero time.
    mutating func time() throws -> Int64? {
        guard let text = try text() else { return nil }
        guard let time = TimeText.read(text) else {
            throw TimeText.Mistake(description: "invalid time \(GoQuote.quote(text))")
        }
        return time
    }
}

/// The times of the API.
enum TimeText {
    struct Mistake: Error, CustomStringConvertible {
        var description: String
    }

    static func written(_ milliseconds: Int64) -> String {
        if milliseconds == 0 { return "0001-01-01T00:00:00.000Z" }
        return RFC3339.text(milliseconds, fraction: .milliseconds)
    }

    /// The time of a text in RFC 3339, or of a date alone; without a zone it is UTC.
    ///
    /// - Returns: ms; 0 for no time: an empty text or Go's zero time. Nil if it is not a time.
    static func read(_ text: String) -> Int64? {
        if text.isEmpty { return 0 }
        let isDate = text.utf8.count == 10
        guard let time = RFC3339.parse(text) ?? RFC3339.parse(text + (isDate ? "T00:00:00Z" : "Z")) else { return nil }
        if time == RFC3339.parse(RFC3339.zero) { return 0 }
        // 0 means no time.
        return time == 0 ? 1 : time
    }
}
