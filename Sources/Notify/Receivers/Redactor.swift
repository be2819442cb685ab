import Model

/// Removes secrets from the texts of errors and answers, before they are logged, stored or shown.
package struct Redactor: Sendable {
    /// The longest secrets first, as one may contain another.
    private var texts: [ExactText] = []
    private var known: Set<ExactText> = []

    /// A part of a URL shorter than this is no secret, and may be a part of any word.
    private static let shortestPart = 6
    /// As the above, for texts that are secrets.
    private static let shortest = 4
    /// A segment of a URL's path of this size is a secret by itself.
    private static let longSegment = 16
    /// A value of a URL's query of this size is a secret by itself.
    private static let longValue = 8
    private static let mark = "<redacted>"

    package init(_ secrets: [String] = []) {
        for secret in secrets { hide(secret) }
    }

    /// Excludes a text; of a URL also its path with the query, and the texts as they are written within JSON.
    package mutating func hide(_ secret: String) {
        var added: [String] = []
        if let scheme = secret.firstRange(of: "://") {
            added.append(secret)
            if let path = secret[scheme.upperBound...].firstIndex(of: "/") {
                added.append(String(secret[path...]))
                added.append(String(secret[path...].prefix { $0 != "?" }))
            }
            added += Self.parts(secret[scheme.upperBound...])
            added.removeAll { $0.utf8.count < Self.shortestPart }
        } else if secret.utf8.count >= Self.shortest {
            added.append(secret)
        }
        for text in added {
            add(text)
            add(text.replacing("/", with: "\\/"))
        }
    }

    /// The parts of a URL that a service may name without the others.
    private static func parts(_ url: Substring) -> [String] {
        let path: Substring = url.prefix { $0 != "?" }
        let query: Substring = url.dropFirst(path.count + 1)
        let segments: [Substring] = Array(path.split(separator: "/").dropFirst())
        let values: [Substring] = query.split(separator: "&").compactMap { (pair: Substring) -> Substring? in
            pair.firstIndex(of: "=").map { pair[pair.index(after: $0)...] }
        }
        return segments.filter { $0.utf8.count >= longSegment }.map(String.init)
            + values.filter { $0.utf8.count >= longValue }.map(String.init)
    }

    private mutating func add(_ text: String) {
        let text = ExactText(text)
        guard known.insert(text).inserted else { return }
        let size = text.text.utf8.count
        texts.insert(text, at: texts.firstIndex { $0.text.utf8.count < size } ?? texts.endIndex)
    }

    /// The text without the secrets.
    package func redacted(_ text: String) -> String {
        if text.isEmpty { return text }
        var text = text
        for secret in texts where text.contains(secret.text) { text = text.replacing(secret.text, with: Self.mark) }
        return text
    }
}
