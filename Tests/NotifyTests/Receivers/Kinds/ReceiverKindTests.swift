import Config
import GoTemplate
import JSON
import Model
@testable import Notify
import Platform
import TestSupport
import Testing

@Suite("Requests to each kind of receiver")
struct ReceiverKindTests {
    static let hook = "webhook_url: 'http://h/secret-token'"

    @Test("the payload of a webhook replaces its body, and its URL may be a template")
    func webhook() async throws {
        let trial = try ReceiverTrial(
            """
            webhook_configs: [{url: 'http://h/{{ .GroupLabels.alertname }}', timeout: 2s,
            payload: {b: '{{ len .Alerts }}', a: [x, 1.5, null, true], '{{ .Status }}': '<{{ .CommonLabels.severity }}>'}}]
            """)
        #expect(await trial.attempt() == .accepted)
        let request = try #require(trial.transport.requests.first)
        #expect(request.url == "http://h/Down")
        #expect(request.timeout == 10_000)
        #expect(request.headers.contains { $0.name == "User-Agent" && $0.value == AttemptContext.userAgent })
        #expect(
            trial.bodyText
                == #"{"a":["x",1.5,null,true],"b":1,"firing":"\u003ccritical\u003e"}"# + "\n")
        #expect(trial.integration.timeout == 2000)
    }

    @Test("a webhook whose URL becomes empty is refused")
    func emptyURL() async throws {
        let trial = try ReceiverTrial("webhook_configs: [{url: '{{ .CommonLabels.nothing }}'}]")
        #expect(await trial.attempt() == .refused("webhook URL is empty after templating"))
        #expect(trial.transport.requests.isEmpty)
    }

    @Test("every key of slack is in its message")
    func slack() async throws {
        let trial = try ReceiverTrial(
            """
            slack_configs: [{api_url: 'http://h/s', channel: '#{{ .Status }}', username: u, color: c, title: t,
            title_link: l, pretext: p, text: x, message_text: m, footer: f, fallback: b, callback_id: i,
            icon_emoji: ':e:', icon_url: 'http://i', image_url: 'http://j', thumb_url: 'http://k', link_names: true,
            short_fields: true, mrkdwn_in: [text], fields: [{title: a, value: b}, {title: c, value: d, short: false}],
            actions: [{type: button, text: go, url: 'http://x', style: danger},
            {type: button, text: no, name: n, value: v, confirm: {text: sure, title: q, ok_text: y, dismiss_text: z}}]}]
            """, [.text("ok")])
        #expect(await trial.attempt() == .accepted)
        let expected =
            ##"{"channel":"#firing","username":"u","icon_emoji":":e:","icon_url":"http://i","link_names":true,"text":"m","##
            + ##""attachments":[{"title":"t","title_link":"l","pretext":"p","text":"x","fallback":"b","callback_id":"i","##
            + ##""fields":[{"title":"a","value":"b","short":true},{"title":"c","value":"d","short":false}],"##
            + ##""actions":[{"type":"button","text":"go","url":"http://x","style":"danger"},{"type":"button","text":"no","##
            + ##""name":"n","value":"v","confirm":{"text":"sure","title":"q","ok_text":"y","dismiss_text":"z"}}],"##
            + ##""image_url":"http://j","thumb_url":"http://k","footer":"f","color":"c","mrkdwn_in":["text"]}]}"##
            + "\n"
        #expect(trial.bodyText == expected)
    }

    @Test(
        "the answers of slack",
        arguments: [
            (ReceiverAnswer.text("ok"), Verdict.accepted), (.json(#"{"ok":true}"#), .accepted),
            (.text("ok "), .refused("received an error response from Slack: ok")),
            (.json(#"{"ok":false,"error":"no_channel"}"#), .refused("error response from Slack: no_channel")),
            (.json("{"), .retry("could not unmarshal JSON response {")),
            (.text("slow", status: 429), .refused("unexpected status code 429: slow")),
            (.text("", status: 500), .retry("unexpected status code 500")),
        ])
    func slackAnswers(_ answer: ReceiverAnswer, _ verdict: Verdict) async throws {
        let trial = try ReceiverTrial("slack_configs: [{api_url: 'http://h/s', timeout: 1s}]", [answer])
        #expect(await trial.attempt() == verdict)
        #expect(trial.integration.timeout == 1000)
    }

    @Test("titles of slack are cut to 1024 characters")
    func slackTitle() async throws {
        let trial = try ReceiverTrial(
            "slack_configs: [{api_url: 'http://h/s', title: '{{ .CommonAnnotations.summary }}'}]")
        _ = await trial.attempt(ReceiverTrial.message(summary: String(repeating: "é", count: 1024)))
        #expect(trial.body["attachments"]?.array?.first?["title"]?.string?.count == 1024)
        _ = await trial.attempt(ReceiverTrial.message(summary: String(repeating: "é", count: 1025)))
        let title = String(repeating: "é", count: 1023) + "…"
        #expect(trial.body["attachments"]?.array?.first?["title"]?.string == title)
    }

    @Test("discord has the colour of the state, and texts of limited length")
    func discord() async throws {
        let trial = try ReceiverTrial(
            """
            discord_configs: [{\(Self.hook), username: u, avatar_url: 'http://a', content: '{{ .CommonAnnotations.summary }}',
            title: '{{ .CommonAnnotations.summary }}', message: '{{ .CommonAnnotations.summary }}'}]
            """)
        #expect(await trial.attempt(ReceiverTrial.message(summary: String(repeating: "x", count: 5000))) == .accepted)
        #expect(trial.body["content"]?.string == String(repeating: "x", count: 1999) + "…")
        let embed = try #require(trial.body["embeds"]?.array?.first)
        #expect(embed["title"]?.string == String(repeating: "x", count: 255) + "…")
        #expect(embed["description"]?.string == String(repeating: "x", count: 4095) + "…")
        #expect(embed["color"]?.number == 10_038_562)
        #expect(trial.body["username"]?.string == "u")
        #expect(trial.body["avatar_url"]?.string == "http://a")
        _ = await trial.attempt(ReceiverTrial.message(isFiring: false))
        #expect(trial.body["embeds"]?.array?.first?["color"]?.number == 3_066_993)
    }

    @Test("cards of both kinds of Microsoft Teams have the colour of the state")
    func teams() async throws {
        let old = try ReceiverTrial("msteams_configs: [{\(Self.hook), title: t, summary: s, text: x}]")
        _ = await old.attempt(ReceiverTrial.message(isFiring: false))
        #expect(
            old.bodyText
                == ##"{"@context":"http://schema.org/extensions","type":"MessageCard","title":"t","summary":"s","##
                + ##""text":"x","themeColor":"2DC72D"}"## + "\n")
        let new = try ReceiverTrial("msteamsv2_configs: [{\(Self.hook), title: t, text: x}]")
        _ = await new.attempt()
        let content = try #require(new.body["attachments"]?.array?.first?["content"])
        #expect(content["body"]?.array?.map { $0["text"]?.string } == ["t", "x"])
        #expect(content["body"]?.array?.first?["color"]?.string == "Attention")
    }

    @Test("the message of webex has whole characters in its bytes")
    func webex() async throws {
        let trial = try ReceiverTrial(
            """
            webex_configs: [{api_url: 'http://h/w', room_id: '{{ .Status }}', message: '{{ .CommonAnnotations.summary }}',
            http_config: {authorization: {credentials: c}}}]
            """)
        for (summary, bytes) in [
            (String(repeating: "é", count: 3719), 7438), (String(repeating: "é", count: 3720), 7439),
        ] {
            _ = await trial.attempt(ReceiverTrial.message(summary: summary))
            #expect(trial.body["markdown"]?.string?.utf8.count == bytes)
            #expect(trial.body["markdown"]?.string?.hasSuffix("…") == (bytes == 7439))
        }
        #expect(trial.body["roomId"]?.string == "firing")
    }

    @Test("every key of rocket.chat is in its message")
    func rocketchat() async throws {
        let trial = try ReceiverTrial(
            """
            rocketchat_configs: [{api_url: 'http://h', token: tok-123456, token_id: id-123456, channel: '#c', color: red,
            title: t, title_link: l, text: x, emoji: ':e:', icon_url: 'http://i', image_url: 'http://j',
            thumb_url: 'http://k', short_fields: true, fields: [{title: a, value: b}, {title: c, value: d, short: false}],
            actions: [{type: other, text: go, url: 'http://x', msg: m}]}]
            """,
            [
                .json(#"{"success":true}"#), .json(#"{"success":false,"error":"no tok-123456"}"#), .json("?"),
                .json("{}", status: 401),
            ])
        #expect(await trial.attempt() == .accepted)
        let expected =
            ##"{"channel":"#c","emoji":":e:","avatar":"http://i","attachments":[{"title":"t","title_link":"l","text":"x","##
            + ##""image_url":"http://j","thumb_url":"http://k","color":"red","fields":[{"short":true,"title":"a","value":"b"},"##
            + ##"{"short":false,"title":"c","value":"d"}],"actions":[{"type":"button","text":"go","url":"http://x","msg":"m","##
            + ##""is_webview":false,"msg_in_chat_window":false}]}]}"## + "\n"
        #expect(trial.bodyText == expected)
        let request = try #require(trial.transport.requests.first)
        #expect(request.url == "http://h/api/v1/chat.postMessage")
        #expect(request.headers.contains { $0 == ("X-Auth-Token", "tok-123456") })
        #expect(request.headers.contains { $0 == ("X-User-Id", "id-123456") })
        #expect(await trial.attempt() == .refused("error response from Rocketchat: no <redacted>"))
        #expect(await trial.attempt() == .retry("could not unmarshal JSON response: ?"))
        #expect(await trial.attempt() == .refused("unexpected status code 401: {}"))
    }

    @Test("every key of mattermost is in its message")
    func mattermost() async throws {
        let part = """
            fallback: f, color: c, pretext: p, text: '{{ .CommonAnnotations.summary }}', author_name: n, author_link: l,
            author_icon: i, title: t, title_link: k, thumb_url: h, footer: o, footer_icon: r, image_url: g,
            fields: [{title: a, value: b, short: true}, {title: c, value: d}]
            """
        let attachment =
            ##"{"fallback":"f","color":"c","pretext":"p","text":"s","author_name":"n","author_link":"l","author_icon":"i","##
            + ##""title":"t","title_link":"k","fields":[{"title":"a","value":"b","short":true},{"title":"c","value":"d"}],"##
            + ##""thumb_url":"h","footer":"o","footer_icon":"r","image_url":"g"}"##
        let head = ##""channel":"c","username":"u","icon_url":"y","icon_emoji":"z","##
        let tail =
            ##""type":"custom","props":{"card":"s"},"priority":{"priority":"urgent","requested_ack":true,"##
            + ##""persistent_notifications":true}}"## + "\n"
        let more = """
            channel: c, username: u, icon_url: y, icon_emoji: z, type: custom, props: {card: '{{ .CommonAnnotations.summary }}'},
            priority: {priority: Urgent, requested_ack: true, persistent_notifications: true}
            """
        let alone = try ReceiverTrial("mattermost_configs: [{\(Self.hook), \(part), \(more)}]")
        #expect(await alone.attempt() == .accepted)
        #expect(alone.bodyText == "{" + head + ##""attachments":["## + attachment + "]," + tail)
        let listed = try ReceiverTrial(
            "mattermost_configs: [{\(Self.hook), text: m, \(more), attachments: [{\(part)}, {text: x}]}]")
        #expect(await listed.attempt() == .accepted)
        #expect(
            listed.bodyText == ##"{"text":"m","## + head + ##""attachments":["## + attachment + ##",{"text":"x"}],"##
                + tail)
    }

    @Test(
        "priorities of mattermost ask only for what they have",
        arguments: [
            ("important", #"{"priority":"important","requested_ack":true}"#), ("standard", #"{"priority":"standard"}"#),
            ("x", #"{"priority":"standard"}"#),
        ])
    func priority(_ name: String, _ expected: String) async throws {
        let trial = try ReceiverTrial(
            """
            mattermost_configs: [{\(Self.hook), priority: {priority: \(name), requested_ack: true,
            persistent_notifications: true}}]
            """)
        _ = await trial.attempt()
        #expect(trial.bodyText.contains(#""priority":"# + expected))
    }

    @Test(
        "a template that fails refuses the notification",
        arguments: ["{{ .Nothing }}", "{{ template \"none\" . }}", "{{"])
    func templateError(_ template: String) async throws {
        let trial = try ReceiverTrial("discord_configs: [{\(Self.hook), title: '\(template)'}]")
        guard case .refused = await trial.attempt() else {
            Issue.record("tried again")
            return
        }
        #expect(trial.transport.requests.isEmpty)
    }
}
