/// The bodies that a route accepts, and their largest size.
package enum BodyPolicy: Sendable, Hashable {
    /// No body is read.
    case none
    /// Forms up to 10 MiB, as in Prometheus, and other bodies up to 1 MiB.
    case form
    /// Bytes of any type up to a limit.
    case bytes(limit: Int)

    /// The compressed body of remote write.
    package static let write = BodyPolicy.bytes(limit: 33_554_432)

    static let formLimit = 10 << 20
    static let smallLimit = 1 << 20

    /// The most bytes of a body of this type; nil if none is read.
    func limit(contentType: String?) -> Int? {
        switch self {
        case .none: nil
        case .form: FormType(contentType) == nil ? Self.smallLimit : Self.formLimit
        case .bytes(let limit): limit
        }
    }
}

/// The content types whose bodies are parameters.
enum FormType: Hashable {
    case urlEncoded
    case multipart(boundary: String)

    /// Reads a `Content-Type` without regard to case.
    init?(_ contentType: String?) {
        guard let contentType else { return nil }
        let parts = contentType.split(separator: ";", omittingEmptySubsequences: false)
        let type = (parts.first ?? "").filter { $0 != " " && $0 != "\t" }
        if type.isSame(as: "application/x-www-form-urlencoded") {
            self = .urlEncoded
            return
        }
        guard type.isSame(as: "multipart/form-data") else { return nil }
        for part in parts.dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, pair[0].filter({ $0 != " " && $0 != "\t" }).isSame(as: "boundary") else { continue }
            var boundary = pair[1].filter { $0 != " " && $0 != "\t" }
            if boundary.hasPrefix("\""), boundary.hasSuffix("\""), boundary.count >= 2 {
                boundary = String(boundary.dropFirst().dropLast())
            }
            guard !boundary.isEmpty, boundary.utf8.count <= 70 else { return nil }
            self = .multipart(boundary: boundary)
            return
        }
        return nil
    }

    /// The parameters of a body.
    func parameters(_ body: [UInt8]) -> [(name: String, value: String)] {
        switch self {
        case .urlEncoded: URLEncoding.parse(body)
        case .multipart(let boundary): MultipartForm.parameters(body, boundary: boundary)
        }
    }
}

/// Reads the parameters of a `multipart/form-data` body without its files.
enum MultipartForm {
    static let maxParts = 10_000

    static func parameters(_ body: [UInt8], boundary: String) -> [(name: String, value: String)] {
        let mark = Array("--\(boundary)".utf8)
        var result: [(name: String, value: String)] = []
        guard var at = find(mark, in: body, from: 0) else { return [] }
        while result.count < maxParts {
            at += mark.count
            // The last delimiter has two more dashes.
            if at + 1 < body.count, body[at] == 0x2D, body[at + 1] == 0x2D { break }
            guard let lineEnd = find([0x0D, 0x0A], in: body, from: at),
                let next = find([0x0D, 0x0A] + mark, in: body, from: lineEnd)
            else { break }
            if let pair = part(body[(lineEnd + 2)..<max(lineEnd + 2, next)]) { result.append(pair) }
            at = next + 2
        }
        return result
    }

    private static func part(_ bytes: ArraySlice<UInt8>) -> (name: String, value: String)? {
        let part = Array(bytes)
        guard let end = find([0x0D, 0x0A, 0x0D, 0x0A], in: part, from: 0) else { return nil }
        for line in String(decoding: part[..<end], as: UTF8.self).split(separator: "\r\n") {
            let pair = line.split(separator: ":", maxSplits: 1)
            guard pair.count == 2, pair[0].isSame(as: "Content-Disposition") else { continue }
            var name: String?
            for parameter in pair[1].split(separator: ";") {
                let trimmed = parameter.drop { $0 == " " }
                if trimmed.hasPrefix("filename") { return nil }
                if trimmed.hasPrefix("name=") {
                    name = String(trimmed.dropFirst(5).filter { $0 != "\"" })
                }
            }
            return name.map { ($0, String(decoding: part[(end + 4)...], as: UTF8.self)) }
        }
        return nil
    }

    /// The position of `pattern` at or after `start`.
    private static func find(_ pattern: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        guard let first = pattern.first, bytes.count >= pattern.count else { return nil }
        var at = start
        while at <= bytes.count - pattern.count {
            guard let candidate = bytes[at...].firstIndex(of: first), candidate <= bytes.count - pattern.count else {
                return nil
            }
            if bytes[candidate..<(candidate + pattern.count)].elementsEqual(pattern) { return candidate }
            at = candidate + 1
        }
        return nil
    }
}
