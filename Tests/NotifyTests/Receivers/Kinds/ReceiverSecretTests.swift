import Config
import JSON
import Model
@testable import Notify
import Platform
import TestSupport
import Testing

@Suite("Secrets and conversations of receivers")
struct ReceiverSecretTests {
    @Test("telegram tries again after each refusal, and hides its token")
    func telegram() async throws {
        let trial = try ReceiverTrial(
            "telegram_configs: [{api_url: 'http://h/t/', bot_token: 'TOKEN-1', chat_id: -7, message: '<b>{{ .Status }}</b>'}]",
            [
                .json(#"{"ok":true}"#), .json("no /t/botTOKEN-1/sendMessage, TOKEN-1", status: 404), nil,
                .json(#"{"ok":false}"#),
            ])
        #expect(await trial.attempt() == .accepted)
        #expect(trial.transport.requests.last?.url == "http://h/t/botTOKEN-1/sendMessage")
        #expect(
            trial.bodyText
                == #"{"chat_id":"-7","disable_web_page_preview":"true","parse_mode":"HTML","text":"\u003cb\u003efiring\u003c/b\u003e"}"#
                + "\n")
        #expect(
            await trial.attempt() == .retry("telegram: unexpected status code 404: no <redacted>, <redacted>"))
        #expect(await trial.attempt() == .retry("no route to <redacted>"))
        guard case .retry = await trial.attempt() else {
            Issue.record("not tried again")
            return
        }
    }

    @Test("a long text of telegram is cut, but one of HTML is replaced")
    func telegramLength() async throws {
        let text = "message: '{{ .CommonAnnotations.summary }}'"
        let common =
            "api_url: 'http://h', bot_token: TOK, chat_id: 7, disable_notifications: true, message_thread_id: 3"
        let plain = try ReceiverTrial("telegram_configs: [{\(common), parse_mode: '', \(text)}]")
        let page = try ReceiverTrial("telegram_configs: [{\(common), \(text)}]")
        for count in [4096, 4097] {
            let message = ReceiverTrial.message(summary: String(repeating: "x", count: count))
            _ = await plain.attempt(message)
            _ = await page.attempt(message)
            let isCut = count > 4096
            #expect(
                plain.body["text"]?.string
                    == (isCut ? String(repeating: "x", count: 4095) + "…" : String(repeating: "x", count: 4096)))
            #expect((page.body["text"]?.string == TelegramIntegration.notice) == isCut)
        }
        #expect(TelegramIntegration.notice.split(separator: "\n").count == 2)
        #expect(plain.body["parse_mode"] == nil)
        #expect(plain.body["disable_notification"]?.string == "true")
        #expect(plain.body["message_thread_id"]?.string == "3")
    }

    @Test("secrets are read from files in every attempt")
    func files() async throws {
        let folder = try TemporaryFolder()
        let (token, chat) = (folder.path + "/token", folder.path + "/chat")
        let files = RealFileSystem()
        let trial = try ReceiverTrial(
            "telegram_configs: [{api_url: 'http://h', bot_token_file: '\(token)', chat_id_file: '\(chat)', message: m}]"
        )
        guard case .refused(let reason) = await trial.attempt() else {
            Issue.record("tried again")
            return
        }
        #expect(reason.hasPrefix("unable to read bot_token_file \(token): "))
        for number in 1...2 {
            try files.replace(token, with: Array(" TOKEN-\(number)\n".utf8))
            try files.replace(chat, with: Array("\(number)\n".utf8))
            #expect(await trial.attempt() == .accepted)
            #expect(trial.transport.requests.last?.url == "http://h/botTOKEN-\(number)/sendMessage")
            #expect(trial.body["chat_id"]?.string == "\(number)")
        }
        try files.replace(chat, with: Array("x".utf8))
        #expect(await trial.attempt() == .refused("chat_id_file \(chat): invalid chat id \"x\""))
    }

    @Test("pushover has everything in the query")
    func pushover() async throws {
        let trial = try ReceiverTrial(
            """
            pushover_configs: [{user_key: user-key, token: app-token, title: '{{ .CommonAnnotations.summary }}',
            message: ' {{ .Status }} & <b>{{ .CommonAnnotations.summary }}</b> ', url: 'http://u', url_title: v,
            device: d, sound: s, priority: '1', retry: 90s, expire: 2h, ttl: 10m, html: true}]
            """, [.text("ok"), nil, .text("app-token?", status: 400)])
        #expect(await trial.attempt(ReceiverTrial.message(summary: "a<b")) == .accepted)
        let request = try #require(trial.transport.requests.first)
        #expect(
            request.url == PushoverIntegration.address
                + "?device=d&expire=7200&html=1&message=firing+%26+%3Cb%3Ea%26lt%3Bb%3C%2Fb%3E&priority=1&retry=90&sound=s"
                + "&title=a%3Cb&token=app-token&ttl=600&url=http%3A%2F%2Fu&url_title=v&user=user-key")
        #expect(request.method == "POST")
        #expect(request.body.isEmpty)
        #expect(request.headers.contains { $0 == ("Content-Type", "text/plain") })
        #expect(await trial.attempt() == .retry("no route to <redacted>"))
        #expect(await trial.attempt() == .refused("unexpected status code 400: <redacted>?"))
    }

    @Test("pushover cuts its texts and does without details")
    func pushoverLimits() async throws {
        let long = "'{{ .CommonAnnotations.summary }}'"
        let trial = try ReceiverTrial(
            "pushover_configs: [{user_key: u, token: t, title: \(long), message: \(long), url: \(long), monospace: true}]"
        )
        _ = await trial.attempt(ReceiverTrial.message(summary: String(repeating: "x", count: 2000)))
        let url = try #require(trial.transport.requests.last).url
        for (name, count) in [("title", 250), ("message", 1024), ("url", 512)] {
            #expect(url.contains("&\(name)=\(String(repeating: "x", count: count - 1))%E2%80%A6&"))
        }
        #expect(url.contains("&monospace=1&"))
        #expect(url.contains("&priority=2&") && url.contains("&retry=60&") && url.contains("expire=3600&"))
        #expect(!url.contains("ttl="))
        _ = await trial.attempt(ReceiverTrial.message(isFiring: false, summary: " "))
        let other = try #require(trial.transport.requests.last).url
        #expect(other.contains("&message=%28no+details%29&") && other.contains("&priority=0&"))
    }

    @Test("wechat keeps its token for two hours, or until it is refused")
    func weChat() async throws {
        let token = ReceiverAnswer.json(#"{"errcode":0,"access_token":"access-1"}"#)
        let trial = try ReceiverTrial(
            """
            wechat_configs: [{api_url: 'http://h/c', api_secret: api-secret, corp_id: 'c&d', to_user: u, to_party: p,
            to_tag: g, agent_id: '1', message: m, message_type: markdown}]
            """,
            [
                token, .json(#"{"errcode":0}"#), .json(#"{"errcode":0}"#),
                .json(#"{"errcode":42001,"errmsg":"access-1 expired"}"#), token,
                .json(#"{"errcode":40003,"errmsg":"invalid"}"#), .json("busy", status: 404),
            ])
        #expect(await trial.attempt() == .accepted)
        #expect(trial.transport.requests.first?.url == "http://h/c/gettoken?corpid=c%26d&corpsecret=api-secret")
        #expect(
            trial.bodyText
                == #"{"text":{"content":""},"touser":"u","toparty":"p","totag":"g","agentid":"1","safe":"0","#
                + #""msgtype":"markdown","markdown":{"content":"m"}}"# + "\n")
        trial.clock.advance(to: trial.clock.now() + 7_199_000)
        #expect(await trial.attempt() == .accepted)
        #expect(await trial.attempt() == .retry("<redacted> expired"))
        #expect(await trial.attempt() == .refused("invalid"))
        #expect(await trial.attempt() == .retry("unexpected status code 404: busy"))
        func asked() -> Int { trial.transport.requests.filter { $0.method == "GET" }.count }
        #expect(asked() == 2)
        trial.clock.advance(to: trial.clock.now() + 7_201_000)
        _ = await trial.attempt()
        #expect(asked() == 3)
    }

    @Test("wechat without a token is refused, and its secret not shown")
    func weChatToken() async throws {
        let trial = try ReceiverTrial(
            "wechat_configs: [{api_url: 'http://h/c/', api_secret: api-secret, corp_id: c}]",
            [.json(#"{"errcode":40013,"errmsg":"invalid api-secret"}"#), nil, .json("", status: 500)])
        #expect(await trial.attempt() == .refused("invalid APISecret for CorpID \"c\": invalid <redacted>"))
        #expect(await trial.attempt() == .retry("no route to <redacted>"))
        #expect(await trial.attempt() == .retry("unexpected status code 500"))
    }

    @Test("a long answer is shown in part")
    func longAnswer() async throws {
        let trial = try ReceiverTrial(
            "webhook_configs: [{url: 'http://h/secret-path'}]",
            [.text(String(repeating: "x", count: 505) + "/secret-path", status: 400)])
        #expect(
            await trial.attempt()
                == .refused("unexpected status code 400: " + String(repeating: "x", count: 505) + "<red…"))
    }

    @Test("integrations count in each kind, and webhooks keep their names")
    func names() throws {
        let text = """
            route: {receiver: r}
            receivers:
              - name: r
                slack_configs: [{api_url: 'http://h'}, {api_url: 'http://i'}]
                webhook_configs: [{url: 'http://h'}, {url: 'http://i'}]
            """
        let settings = try Timeline.settings(text, AnsweringTransport())
        #expect(
            settings.pipeline.integrations(of: settings.route)
                == ["r/webhook/0", "r/webhook/1", "r/slack/0", "r/slack/1"])
    }

    @Test("the hash of a group's key is its SHA-256")
    func hash() {
        #expect(
            ReceiverTrial.message().groupKeyHash
                == "af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e")
    }

    @Test(
        "texts are cut at characters",
        arguments: [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("éééé", 3, "éé…"), ("ab", 0, "…")])
    func cut(_ text: String, _ limit: Int, _ expected: String) {
        #expect(ReceiverText.cut(text, characters: limit).text == expected)
    }

    @Test(
        "bytes are cut at characters",
        arguments: [("abcd", 4, "abcd"), ("abcde", 4, "a…"), ("éééé", 6, "é…"), ("abc", 2, "")])
    func cutBytes(_ text: String, _ limit: Int, _ expected: String) {
        #expect(ReceiverText.cut(text, bytes: limit).text == expected)
    }
}
