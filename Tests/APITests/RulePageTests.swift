import HTTP
import Model
import PromQL
import TestSupport
import Testing

@testable import API
@testable import Rules

@Suite("Pages of rule groups")
struct RulePageTests {
    private final class Overview: RuleOverview {
        let groups: [RuleGroupStatus]

        init(_ names: [String]) {
            groups = names.map { name in
                let rule = RuleStatus(
                    kind: .recording, name: "r" + name, query: "m",
                    labels: Labels(keepingEmpty: [("empty", ""), ("l", name)]), annotations: .empty, holdDuration: 0,
                    keepFiringFor: 0, health: RuleHealth(), state: nil, active: [:])
                return RuleGroupStatus(
                    file: "f", name: name, interval: 1000, limit: 0, queryOffset: 0, rules: [rule], lastEvaluation: 0,
                    evaluationTime: 0,
                    counts: .init(
                        evaluations: 0, failures: 0, iterations: 0, missed: 0, lastSamples: 0, restoreDuration: 0))
            }
        }

        func status() -> [RuleGroupStatus] { groups }
    }

    private func ask(
        _ query: [(name: String, value: String)], _ names: [String] = ["a", "b", "c", "d", "e"]
    ) -> String {
        var context = APIContext.test(ArrayStore())
        context.rules = Overview(names)
        let response = context.router.handle(HTTPRequest(method: "GET", path: "/api/v1/rules", query: query))
        return String(decoding: response.body, as: UTF8.self)
    }

    private func names(_ text: String) -> [String] {
        text.matches(of: /"name":"r([a-z])"/).map { String($0.output.1) }
    }

    private func next(_ text: String) -> String? {
        text.firstMatch(of: /"groupNextToken":"([0-9a-f]{64})"/).map { String($0.output.1) }
    }

    @Test("pages follow each other until the last, which has no token")
    func pages() {
        var pages: [[String]] = []
        var token: String? = ""
        while let current = token, pages.count < 10 {
            let text = ask([("group_limit", "2"), ("group_next_token", current)])
            pages.append(names(text))
            token = next(text)
        }
        #expect(pages == [["a", "b"], ["c", "d"], ["e"]])
    }

    @Test("the token is the hash of file and name, and groups without shown rules are passed over")
    func token() {
        let text = ask([("group_limit", "1"), ("match[]", #"{l=~"b|d"}"#)])
        #expect(names(text) == ["b"])
        // printf 'f;d' | sha256sum
        #expect(next(text) == "60e62c567661fc19b4b4aa09f008416caa707317c99b0969d6101b92f8ebd9ab")
        #expect(
            names(
                ask([
                    ("group_limit", "9"),
                    ("group_next_token", "60e62c567661fc19b4b4aa09f008416caa707317c99b0969d6101b92f8ebd9ab"),
                ])) == ["d", "e"])
        #expect(next(ask([("group_limit", "5")])) == nil)
        #expect(next(ask([])) == nil)
    }

    @Test("an unknown token and a token without a limit are refused")
    func refused() {
        #expect(
            ask([("group_limit", "2"), ("group_next_token", "ab")])
                == #"{"status":"error","errorType":"bad_data","error":"invalid group_next_token 'ab'. were rule groups changed?"}"#
        )
        #expect(
            ask([("group_next_token", "ab")]).contains(
                #"invalid parameter \"group_next_token\": group_limit needs to be present in order to paginate over the groups"#
            ))
    }

    @Test("labels with an empty value are shown")
    func emptyLabels() { #expect(ask([], ["a"]).contains(#""labels":{"empty":"","l":"a"}"#)) }
}
