import Config
import JSON
import TestSupport
import Testing

@testable import Notify

@Suite("Jira")
struct JiraTests {
    private static func integration(_ entry: String, _ transport: RecordingReceiver) throws -> JiraIntegration {
        let config = try #require(try ReceiverCases.config("jira", entry).jiras.first)
        return JiraIntegration(config, transport)
    }

    /// A server with one issue of a status category, or with none.
    private static func server(_ category: String?) -> RecordingReceiver {
        RecordingReceiver { request in
            let issue = category.map { #"{"key":"P-1","fields":{"status":{"statusCategory":{"key":"\#($0)"}}}}"# } ?? ""
            let text =
                request.url.contains("/search")
                ? #"{"issues":[\#(issue)]}"#
                : request.method == "GET"
                    ? #"{"transitions":[{"id":"6","name":"Other"},{"id":"7","name":"Done"},{"id":"8","name":"Open"}]}"#
                    : ""
            return ReceiverAnswer(status: 200, body: Array(text.utf8))
        }
    }

    private static let base = "http://j/rest/api/2"
    private static let entry = """
        {api_url: '\(base)', project: P, issue_type: Bug, summary: S, description: D, priority: '', labels: [zz, aa],
        resolve_transition: Done, reopen_transition: Open, fields: {custom: {v: [1]}, priority: {name: own}}}
        """
    private static let search = "POST \(base)/search"
    private static let label = "ALERT{\(ReceiverCases.hash)}"

    private static func calls(
        _ category: String?, _ alerts: [NotificationData.Item], _ entry: String = entry
    ) async throws -> [String] {
        let transport = server(category)
        #expect(
            try await ReceiverCases.attempt(integration(entry, transport), ReceiverCases.message(alerts)) == .accepted)
        return transport.calls
    }

    @Test("a firing group without issue opens one with all fields")
    func created() async throws {
        let transport = Self.server(nil)
        #expect(
            try await ReceiverCases.attempt(Self.integration(Self.entry, transport), ReceiverCases.message())
                == .accepted)
        #expect(transport.calls == [Self.search, "POST \(Self.base)/issue"])
        #expect(
            transport.requests.allSatisfy { request in
                request.headers.contains { $0 == ("Accept-Language", "en") }
                    && request.headers.contains { $0 == ("Content-Type", "application/json") }
            })
        #expect(
            transport.bodies.last
                == #"{"fields":{"custom":{"v":[1]},"description":"D","issuetype":{"name":"Bug"},"#
                + #""labels":["\#(Self.label)","aa","zz"],"priority":{"name":"own"},"project":{"key":"P"},"#
                + #""summary":"S"}}"# + "\n")
    }

    @Test("what follows the search depends on the issue and the alerts")
    func flows() async throws {
        let issue = "\(Self.base)/issue/P-1"
        let (firing, resolved) = (ReceiverCases.firing, ReceiverCases.resolved)
        #expect(try await Self.calls(nil, resolved) == [Self.search])
        #expect(try await Self.calls("new", firing) == [Self.search, "PUT \(issue)"])
        #expect(
            try await Self.calls("done", firing)
                == [Self.search, "PUT \(issue)", "GET \(issue)/transitions", "POST \(issue)/transitions"])
        #expect(
            try await Self.calls("indeterminate", resolved)
                == [Self.search, "PUT \(issue)", "GET \(issue)/transitions", "POST \(issue)/transitions"])
        #expect(try await Self.calls("done", resolved) == [Self.search, "PUT \(issue)"])
        let without = "{api_url: '\(Self.base)', project: P, issue_type: Bug, summary: S, description: D, priority: p}"
        #expect(try await Self.calls("new", resolved, without) == [Self.search, "PUT \(issue)"])
    }

    @Test("the transition is found by its name")
    func transitions() async throws {
        for (category, alerts, id) in [("done", ReceiverCases.firing, "8"), ("new", ReceiverCases.resolved, "7")] {
            let transport = Self.server(category)
            _ = try await ReceiverCases.attempt(Self.integration(Self.entry, transport), ReceiverCases.message(alerts))
            #expect(transport.bodies.last == "{\"transition\":{\"id\":\"\(id)\"}}\n")
        }
        let unknown = try Self.integration(
            Self.entry.replacing("resolve_transition: Done", with: "resolve_transition: None"), Self.server("new"))
        #expect(
            try await ReceiverCases.attempt(unknown, ReceiverCases.message(ReceiverCases.resolved))
                == .refused("can't find transition None for issue P-1"))
    }

    private static func query(_ more: String, _ alerts: [NotificationData.Item] = ReceiverCases.firing) async throws
        -> String
    {
        let transport = server(nil)
        let entry =
            "{api_url: '\(base)', project: 'P\"1', issue_type: Bug, summary: S, description: D, priority: p\(more)}"
        _ = try await ReceiverCases.attempt(integration(entry, transport), ReceiverCases.message(alerts))
        return try #require(try transport.firstValue["jql"]?.string)
    }

    @Test("the search is for issues that may be changed")
    func queries() async throws {
        let rest = "project=\"P\\\"1\" and labels=\"\(Self.label)\" order by status ASC,resolutiondate DESC"
        #expect(try await Self.query("") == "statusCategory != Done and " + rest)
        let reopening = ", reopen_transition: Open, reopen_duration: 90m"
        #expect(
            try await Self.query(reopening) == "(resolutiondate is EMPTY OR resolutiondate >= -90m) and " + rest)
        #expect(try await Self.query(reopening, ReceiverCases.resolved) == "statusCategory != Done and " + rest)
        #expect(try await Self.query(", reopen_transition: Open") == "statusCategory != Done and " + rest)
        #expect(
            try await Self.query(", wont_fix_resolution: 'No \"x\"'")
                == "(resolution is EMPTY or resolution != \"No \\\"x\\\"\") and statusCategory != Done and " + rest)
    }

    @Test(
        "the address of the search depends on the installation",
        arguments: [
            ("http://j/rest/api/2", "auto", "http://j/rest/api/2/search"),
            ("https://x.atlassian.net/rest/api/2", "auto", "https://x.atlassian.net/rest/api/3/search/jql"),
            ("https://x.atlassian.net/rest/api/3", "auto", "https://x.atlassian.net/rest/api/3/search/jql"),
            ("https://x.atlassian.net/rest/api/2", "datacenter", "https://x.atlassian.net/rest/api/2/search"),
            ("http://j/rest/api/2/", "cloud", "http://j/rest/api/3/search/jql"),
        ])
    func addresses(_ url: String, _ type: String, _ search: String) async throws {
        let entry =
            "{api_url: '\(url)', api_type: \(type), project: P, issue_type: B, summary: S, description: '', priority: p}"
        #expect(try await Self.calls(nil, ReceiverCases.resolved, entry) == ["POST " + search])
    }

    @Test("version 3 of the interface needs a document as description")
    func documents() async throws {
        func entry(_ description: String) -> String {
            "{api_url: 'http://j/rest/api/3', project: P, issue_type: B, summary: S, description: '\(description)', priority: p}"
        }
        let transport = Self.server(nil)
        _ = try await ReceiverCases.attempt(
            Self.integration(entry(#"{"type":"doc","n":1}"#), transport), ReceiverCases.message())
        #expect(transport.bodies.last?.contains(#""description":{"n":1,"type":"doc"}"#) == true)
        #expect(
            try await ReceiverCases.attempt(Self.integration(entry("text"), Self.server(nil)), ReceiverCases.message())
                == .refused("description template: invalid JSON for API v3"))
    }

    @Test("an update leaves fields that are not enabled, and long texts are cut")
    func limits() async throws {
        let long = String(repeating: "x", count: 40_000)
        let entry = """
            {api_url: '\(Self.base)', project: P, issue_type: B, summary: {template: '\(long)', enable_update: false},
            description: {template: '\(long)', enable_update: false}, priority: p}
            """
        let created = Self.server(nil)
        _ = try await ReceiverCases.attempt(Self.integration(entry, created), ReceiverCases.message())
        let fields = try created.lastValue["fields"]
        #expect(fields?["summary"]?.string == String(repeating: "x", count: 254) + "…")
        #expect(fields?["description"]?.string == String(repeating: "x", count: 32_766) + "…")
        let updated = Self.server("new")
        _ = try await ReceiverCases.attempt(Self.integration(entry, updated), ReceiverCases.message())
        let left = try updated.lastValue["fields"]
        #expect(left?["summary"] == nil)
        #expect(left?["description"] == nil)
        #expect(left?["priority"]?["name"]?.string == "p")
    }

    @Test("errors of the server and too many requests are retried; a request without an answer is not")
    func failures() async throws {
        for (status, isRetried) in [(500, true), (429, true), (400, false)] {
            let integration = try Self.integration(Self.entry, RecordingReceiver(status: status))
            let reason = "unexpected status code \(status)"
            #expect(
                try await ReceiverCases.attempt(integration, ReceiverCases.message())
                    == (isRetried ? .retry(reason) : .refused(reason)))
        }
        let silent = try Self.integration(Self.entry, RecordingReceiver { _ in nil })
        #expect(try await ReceiverCases.attempt(silent, ReceiverCases.message()) == .refused("no route to host"))
        let odd = try Self.integration(Self.entry, RecordingReceiver(status: 200, "[]"))
        #expect(
            try await ReceiverCases.attempt(odd, ReceiverCases.message())
                == .refused("the answer to the search of issues has no list of issues"))
    }
}
