import Config
import HTTP
import JSON
import Model

/// Opens, changes and closes an issue of Jira for each group.
package struct JiraIntegration: Integration {
    package static let kind = IntegrationKind.jira
    private let config: JiraConfig
    private let transport: any NotificationTransport
    /// Without a slash at its end.
    private let base: String

    static let summaryMax = 255
    static let descriptionMax = 32_767

    /// An issue that exists.
    private struct Issue {
        var key: String
        var isDone: Bool
    }

    package init(_ config: JiraConfig, _ transport: any NotificationTransport) {
        self.config = config
        self.transport = transport
        base = config.apiURL.hasSuffix("/") ? String(config.apiURL.dropLast()) : config.apiURL
    }

    package var sendsResolved: Bool { config.sendResolved }

    package func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict {
        do {
            guard let issue = try await search(message, context) else {
                if message.isFiring { try await create(message, context) }
                return .accepted
            }
            try await update(issue, message, context)
            let isFiring = message.isFiring
            guard isFiring == issue.isDone else { return .accepted }
            let name = try message.text(isFiring ? config.reopenTransition : config.resolveTransition)
            if !name.isEmpty { try await change(issue, name, context) }
            return .accepted
        } catch let failure as AttemptFailure {
            return failure.verdict
        }
    }

    // MARK: Requests

    /// Sends a request, and returns the answer to it if it succeeded.
    ///
    /// A request without an answer is not repeated, because the service may have carried it out.
    private func send(_ request: ReceiverRequest, _ context: AttemptContext) async throws(AttemptFailure) -> JSONValue {
        var request = request
        request.headers.append(("Accept-Language", "en"))
        let answer: ReceiverAnswer
        do throws(AttemptFailure) {
            answer = try await context.send(request, by: transport)
        } catch {
            throw error.refused
        }
        let verdict = context.verdict(answer, retrying: [429])
        guard verdict == .accepted else { throw AttemptFailure(verdict) }
        return (try? JSONValue.parse(answer.body)) ?? .null
    }

    private func url(of issue: Issue) -> String { "\(base)/issue/\(URLPath.escapePart(issue.key))" }

    private func search(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Issue? {
        let query = try query(message)
        let body = ReceiverJSON.object { json in
            json.key("fields")
            json.array { $0.string("status") }
            json.member("jql", query)
            json.key("maxResults")
            json.integer(2)
        }
        let found = try await send(.json(searchURL, body), context)
        guard let issues = found["issues"]?.array else {
            throw AttemptFailure(.refused("the answer to the search of issues has no list of issues"))
        }
        guard let issue = issues.first else { return nil }
        guard let key = issue["key"]?.string else {
            throw AttemptFailure(.refused("an issue in the answer to the search of issues has no key"))
        }
        let category = issue["fields"]?["status"]?["statusCategory"]?["key"]?.string
        return Issue(key: key, isDone: category == "done")
    }

    private func create(_ message: ReceiverMessage, _ context: AttemptContext) async throws {
        let fields = try fields(message, context, isUpdate: false)
        _ = try await send(.json("\(base)/issue", fields), context)
    }

    private func update(_ issue: Issue, _ message: ReceiverMessage, _ context: AttemptContext) async throws {
        var request = ReceiverRequest.json(url(of: issue), try fields(message, context, isUpdate: true))
        request.method = "PUT"
        _ = try await send(request, context)
    }

    private func change(_ issue: Issue, _ name: String, _ context: AttemptContext) async throws {
        let place = url(of: issue) + "/transitions"
        var question = ReceiverRequest.json(place, [])
        question.method = "GET"
        let transitions = try await send(question, context)["transitions"]?.array ?? []
        let id = transitions.first { $0["name"]?.string.map(name.isExactly) == true }?["id"]?.string
        guard let id else {
            throw AttemptFailure(.refused("can't find transition \(name) for issue \(issue.key)"))
        }
        let body = ReceiverJSON.encode(.object([("transition", .object([("id", .string(id))]))]))
        _ = try await send(.json(place, body), context)
    }

    // MARK: Search

    /// The address for searches, which differs between the service and own installations.
    private var searchURL: String {
        let isCloud =
            config.apiType == "cloud"
            || (config.apiType == "auto" && URLParts(base).map { $0.host.hasSuffix(".atlassian.net") } == true)
        guard isCloud else { return "\(base)/search" }
        return "\(base)/search/jql".replacing("/2/", with: "/3/")
    }

    private func query(_ message: ReceiverMessage) throws -> String {
        var query = ""
        let resolution = try message.text(config.wontFixResolution)
        if !resolution.isEmpty {
            query += "(resolution is EMPTY or resolution != \(Self.quoted(resolution))) and "
        }
        let transition = try message.text(config.reopenTransition)
        if message.isFiring, !transition.isEmpty, config.reopenDuration > 0 {
            query +=
                "(resolutiondate is EMPTY OR resolutiondate >= -\(config.reopenDuration / 60_000)m) and "
        } else {
            query += "statusCategory != Done and "
        }
        let project = Self.quoted(try message.text(config.project))
        return query + "project=\(project) and labels=\(Self.quoted(Self.label(message)))"
            + " order by status ASC,resolutiondate DESC"
    }

    /// A text in quotes, which it cannot end.
    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    /// The label of the group's issue.
    private static func label(_ message: ReceiverMessage) -> String { "ALERT{\(message.groupKeyHash)}" }

    // MARK: Fields

    private func fields(
        _ message: ReceiverMessage, _ context: AttemptContext, isUpdate: Bool
    ) throws -> [UInt8] {
        func named(_ key: String, _ value: String) -> JSONValue { .object([(key, .string(value))]) }
        var members: [(key: String, value: JSONValue)] = [
            ("project", named("key", try message.text(config.project))),
            ("issuetype", named("name", try message.text(config.issueType))),
        ]
        if !isUpdate || config.summary.enableUpdate {
            let text = try message.text(config.summary.template)
            let summary = context.cut(text, "summary", characters: Self.summaryMax)
            members.append(("summary", .string(summary)))
        }
        if !isUpdate || config.description.enableUpdate, let description = try description(message, context) {
            members.append(("description", description))
        }
        let labels = try config.labels.map { try message.text($0) } + [Self.label(message)]
        members.append(("labels", .array(labels.sorted { $0.isExactlyBefore($1) }.map { .string($0) })))
        let priority = try message.text(config.priority)
        if !priority.isEmpty { members.append(("priority", named("name", priority))) }
        let own = config.fields.isEmpty ? [] : try message.json(.map(config.fields)).object ?? []
        members.removeAll { member in own.contains { $0.key.isExactly(member.key) } }
        return ReceiverJSON.encode(.object([("fields", .object(members + own))]).sorted)
    }

    /// The description as the version of the interface has it: a text, or a document in JSON.
    private func description(_ message: ReceiverMessage, _ context: AttemptContext) throws -> JSONValue? {
        let text = try message.text(config.description.template)
        guard base.hasSuffix("/3") else {
            return .string(context.cut(text, "description", characters: Self.descriptionMax))
        }
        if text.isEmpty { return nil }
        guard let document = try? JSONValue.parse(text) else {
            throw AttemptFailure(.refused("description template: invalid JSON for API v3"))
        }
        return document
    }
}
