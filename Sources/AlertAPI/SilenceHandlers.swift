import GoCompatibility
import HTTP
import JSON
import Model
import Notify
import Platform

/// `silences` and `silence/ID`.
struct SilenceHandlers: Sendable {
    let context: AlertAPIContext

    func list(_ request: HTTPRequest, _ notifier: Notifier) throws -> HTTPResponse {
        let wanted = try Parameters.matchers(request, "filter")
        let states: [Silence.State: Bool] = [
            .active: Parameters.isOn(request, "active"), .pending: Parameters.isOn(request, "pending"),
            .expired: Parameters.isOn(request, "expired"),
        ]
        let now = context.clock.now()
        return try Answer.value(request, context) { writer, share in
            let silences = notifier.silences().lazy.filter { silence in
                states[silence.state(at: now)] == true && wanted.allSatisfy(silence.matchers.contains)
            }
            try writer.array(silences, share) { silence, writer in Self.write(silence, at: now, &writer) }
        }
    }

    func post(_ request: HTTPRequest, _ notifier: Notifier) throws -> HTTPResponse {
        var (silence, drafts) = try PostedSilence.read(request)
        let id: String
        do {
            // Times are checked before expressions.
            try silence.checkTimes(at: context.clock.now())
            silence.matchers = try Silence.matchers(drafts)
            id = try notifier.setSilence(silence)
        } catch let error as SilenceError {
            throw AlertAPIError.text(error.isUnknown ? 404 : 400, error.description)
        }
        return try Answer.value(request, context) { writer, _ in writer.object { $0.member("silenceID", id) } }
    }

    func one(_ request: HTTPRequest, _ notifier: Notifier) throws -> HTTPResponse {
        guard let silence = notifier.silence(try Self.id(request)) else {
            throw AlertAPIError(status: 404, body: .none)
        }
        let now = context.clock.now()
        return try Answer.value(request, context) { writer, _ in Self.write(silence, at: now, &writer) }
    }

    func expire(_ request: HTTPRequest, _ notifier: Notifier) throws -> HTTPResponse {
        do {
            try notifier.expireSilence(try Self.id(request))
        } catch let error as SilenceError where error.isUnknown {
            throw AlertAPIError(status: 404, body: .none)
        }
        return Answer.plain()
    }

    /// The id in the path, which must be a UUID.
    private static func id(_ request: HTTPRequest) throws(AlertAPIError) -> String {
        let id = request.pathParameters["id"] ?? ""
        let groups = id.split(separator: "-", omittingEmptySubsequences: false)
        let isUUID =
            groups.map(\.utf8.count) == [8, 4, 4, 4, 12]
            && groups.joined().utf8.allSatisfy { Character(UnicodeScalar($0)).isHexDigit }
        guard isUUID else {
            throw .violation(.wrongType, "silenceID in path must be of type uuid: \(GoQuote.quote(id))")
        }
        return GoCase.lower(id)
    }

    private static func write(_ silence: Silence, at now: Int64, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("id", silence.id)
            writer.key("status")
            writer.object { $0.member("state", silence.state(at: now).rawValue) }
            writer.member("updatedAt", TimeText.written(silence.updatedAt))
            if !silence.annotations.isEmpty {
                writer.key("annotations")
                writer.labels(silence.annotations)
            }
            writer.member("comment", silence.comment)
            writer.member("createdBy", silence.createdBy)
            writer.member("endsAt", TimeText.written(silence.endsAt))
            writer.key("matchers")
            writer.array { writer in
                for matcher in silence.matchers { write(matcher, &writer) }
            }
            writer.member("startsAt", TimeText.written(silence.startsAt))
        }
    }

    private static func write(_ matcher: Matcher, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("isEqual")
            writer.bool(matcher.kind == .equal || matcher.kind == .regex)
            writer.key("isRegex")
            writer.bool(matcher.kind == .regex || matcher.kind == .notRegex)
            writer.member("name", matcher.name)
            writer.member("value", matcher.value)
        }
    }
}
