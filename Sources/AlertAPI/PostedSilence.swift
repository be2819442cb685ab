import HTTP
import JSON
import Model
import Notify

/// The silence of a request, as it stands in the body.
struct PostedSilence {
    /// The most matchers; a silence with more is larger than any that is accepted.
    private static let mostMatchers = 1000

    private struct PostedMatcher {
        var name: String?
        var value: String?
        var isRegex: Bool?
        var isEqual: Bool?
    }

    private var id: String?
    private var matchers: [PostedMatcher]?
    private var startsAt: Int64?
    private var endsAt: Int64?
    private var createdBy: String?
    private var comment: String?
    private var annotations: [(String, String)] = []

    /// Reads the body, whose expressions are not compiled yet.
    static func read(_ request: HTTPRequest) throws -> (silence: Silence, matchers: [Silence.MatcherDraft]) {
        let posted = try PostedBody.read("silence", of: request) { reader in
            var posted = PostedSilence()
            _ = try reader.optional { reader in
                try reader.object { name, reader in try posted.read(name, &reader) }
            }
            return posted
        }
        return try posted.checked()
    }

    private mutating func read(_ name: String, _ reader: inout JSONReader) throws {
        switch name {
        case "id": id = try reader.text()
        case "startsAt": startsAt = try reader.time()
        case "endsAt": endsAt = try reader.time()
        case "createdBy": createdBy = try reader.text()
        case "comment": comment = try reader.text()
        case "annotations": annotations = try reader.texts() ?? []
        case "matchers":
            matchers = try reader.optional { reader in
                var matchers: [PostedMatcher] = []
                try reader.array { reader in
                    guard matchers.count < Self.mostMatchers else {
                        throw AlertAPIError.text(400, "more than \(Self.mostMatchers) matchers")
                    }
                    matchers.append(try Self.matcher(&reader))
                }
                return matchers
            }
        default: try reader.skip()
        }
    }

    private static func matcher(_ reader: inout JSONReader) throws -> PostedMatcher {
        var matcher = PostedMatcher()
        _ = try reader.optional { reader in
            try reader.object { name, reader in
                switch name {
                case "name": matcher.name = try reader.text()
                case "value": matcher.value = try reader.text()
                case "isRegex": matcher.isRegex = try reader.optional { reader in try reader.bool() }
                case "isEqual": matcher.isEqual = try reader.optional { reader in try reader.bool() }
                default: try reader.skip()
                }
            }
        }
        return matcher
    }

    /// The silence; throws for the first value that is missing, in the order of their names.
    private func checked() throws(AlertAPIError) -> (Silence, [Silence.MatcherDraft]) {
        guard let comment else { throw .missing("comment") }
        guard let createdBy else { throw .missing("createdBy") }
        guard let endsAt else { throw .missing("endsAt") }
        guard let matchers else { throw .missing("matchers") }
        if matchers.isEmpty { throw .violation(.tooFew, "matchers in body should have at least 1 items") }
        var drafts: [Silence.MatcherDraft] = []
        for (index, matcher) in matchers.enumerated() {
            guard let isRegex = matcher.isRegex else { throw .missing("matchers.\(index).isRegex") }
            guard let name = matcher.name else { throw .missing("matchers.\(index).name") }
            guard let value = matcher.value else { throw .missing("matchers.\(index).value") }
            let isEqual = matcher.isEqual ?? true
            let kind: Matcher.Kind = isRegex ? (isEqual ? .regex : .notRegex) : isEqual ? .equal : .notEqual
            drafts.append(Silence.MatcherDraft(name: name, kind: kind, value: value))
        }
        guard let startsAt else { throw .missing("startsAt") }
        var silence = Silence(
            id: id ?? "", matchers: [], startsAt: startsAt, endsAt: endsAt, createdBy: createdBy, comment: comment)
        silence.annotations = Labels(keepingEmpty: annotations)
        return (silence, drafts)
    }
}
