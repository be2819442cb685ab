import Config
import GoTemplate
import JSON
import Model
import Platform
import TestSupport
import Testing

@testable import Notify

/// The data, methods and functions that templates of notifications have.
@Suite("Notification templates")
struct NotificationTemplateTests {
    private func render(
        _ text: String, _ data: NotificationData = ExampleNotification.data(routeLabels: [("team", "a b")])
    ) throws -> String {
        let clock = ManualClock(now: ExampleNotification.start + 90_000)
        return try NotificationTemplates(clock: clock).text(text, data)
    }

    @Test(
        "fields and methods of the data",
        arguments: [
            ("{{ .Receiver }} {{ .Status }} {{ .NotificationReason }}", #"e\.dot firing first notification"#),
            ("{{ .GroupLabels }}|{{ .CommonLabels }}", "alertname=Down|alertname=Down, severity=critical"),
            ("{{ .CommonAnnotations }}|{{ .CommonLabels.nope }}|", "b=2||"),
            ("{{ .RouteLabels.team }} {{ .ExternalURL }}", "a b http://am:9093"),
            ("{{ len .Alerts }} {{ len .Alerts.Firing }} {{ len .Alerts.Resolved }}", "2 1 1"),
            (
                "{{ range .Alerts }}{{ .Status }} {{ .Fingerprint }};{{ end }}",
                "firing 00000000000000aa;resolved 00000000000000bb;"
            ),
            ("{{ (index .Alerts 0).StartsAt }}", "2026-01-02 03:04:05 +0000 UTC"),
            ("{{ (index .Alerts 0).EndsAt }}", "0001-01-01 00:00:00 +0000 UTC"),
            ("{{ (index .Alerts 0).EndsAt.IsZero }} {{ (index .Alerts 0).EndsAt.Unix }}", "true -62135596800"),
            (
                "{{ with index .Alerts 1 }}{{ .EndsAt.Sub .StartsAt }} {{ .StartsAt.Format \"2006-01-02\" }}{{ end }}",
                "1m1.5s 2026-01-02"
            ),
            (
                "{{ with (index .Alerts 0).Labels }}{{ .SortedPairs }}|{{ .Names }}|{{ .Values.Join \"/\" }}{{ end }}",
                "alertname=Down, instance=a:1, severity=critical|[alertname instance severity]|Down/a:1/critical"
            ),
            (
                "{{ range .CommonLabels.SortedPairs }}{{ .Name }}:{{ .Value }} {{ end }}",
                "alertname:Down severity:critical "
            ),
            ("{{ .CommonLabels.Remove (stringSlice \"alertname\" \"x\") }}", "severity=critical"),
            ("{{ (.CommonLabels.Remove .GroupLabels.Names).SortedPairs.Names.Join \",\" }}", "severity"),
            ("{{ range $k, $v := .CommonLabels }}{{ $k }}={{ $v }};{{ end }}", "alertname=Down;severity=critical;"),
            ("{{ len (slice .Alerts 1) }}{{ (slice .Alerts 1).Firing }}", "1[]"),
            ("{{ printf \"%T %T %T\" . .Alerts .CommonLabels }}", "template.Data template.Alerts template.KV"),
            ("no action", "no action"),
        ])
    func data(text: String, result: String) throws {
        #expect(try render(text) == result)
    }

    @Test(
        "functions",
        arguments: [
            (#"{{ toUpper "aé" }}{{ toLower "AÉ" }}{{ "  x " | trimSpace }}|"#, "AÉaéx|"),
            (#"{{ title "hello wORLD foo-bar don't a_b 1st" }}"#, "Hello World Foo-Bar Don't A_b 1St"),
            (#"{{ join ", " .CommonLabels.Values }} {{ stringSlice "a" "b" | join "-" }}"#, "Down, critical a-b"),
            (#"{{ match "^a.c" "abcd" }} {{ match "x" "abcd" }}"#, "true false"),
            (#"{{ reReplaceAll "(b)(.)" "<$2$1>" "abcd" }}"#, "a<cb>d"),
            (#"{{ safeHtml "<b>" }}{{ safeUrl "x:y" }} {{ urlUnescape "a%20b+c" }}"#, "<b>x:y a b c"),
            (#"{{ date "2006-01-02 15:04 MST" (index .Alerts 0).StartsAt }}"#, "2026-01-02 03:04 UTC"),
            (
                #"{{ (index .Alerts 0).StartsAt | tz "Europe/Berlin" | date "15:04 MST -07:00" }}"#,
                "04:04 CET +01:00"
            ),
            (#"{{ tz "Asia/Kolkata" (index .Alerts 0).StartsAt }}"#, "2026-01-02 08:34:05 +0530 IST"),
            ("{{ now.Unix }} {{ since (index .Alerts 0).StartsAt }}", "1767323135 1m30s"),
            ("{{ humanizeDuration 3661.5 }} {{ humanizeDuration \"1.2345\" }}", "1h 1m 1s 1.234s"),
            ("{{ since (index .Alerts 0).StartsAt | humanizeDuration }} {{ humanizeDuration 0.0012 }}", "1m 30s 1.2ms"),
            (
                #"{{ toDate "2006-01-02" "2026-03-04" }} {{ toDate "2006" "x" }}"#,
                "2026-03-04 00:00:00 +0000 UTC 0001-01-01 00:00:00 +0000 UTC"
            ),
            (#"{{ (mustToDate "2006-01-02T15:04:05Z07:00" "2026-03-04T05:06:07.5Z").Unix }}"#, "1772600767"),
            (
                #"{{ toJson .CommonLabels }} {{ toJson "<&>" }} {{ toJson 1.5 }} {{ toJson nil }}"#,
                #"{"alertname":"Down","severity":"critical"} "\u003c\u0026\u003e" 1.5 null"#
            ),
            (
                #"{{ toJson .GroupLabels.SortedPairs }} {{ toJson (list 1 "a" true) }} {{ toJson (dict "b" 1 "a" .Status) }}"#,
                #"[{"Name":"alertname","Value":"Down"}] [1,"a",true] {"a":"firing","b":1}"#
            ),
            (
                #"{{ toJson .Alerts.Firing }}"#,
                #"[{"status":"firing","labels":{"alertname":"Down","instance":"a:1","severity":"critical"},"#
                    + #""annotations":{"b":"2","summary":"a is down"},"startsAt":"2026-01-02T03:04:05Z","#
                    + #""endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://p/g?x=1\u0026y=2","#
                    + #""fingerprint":"00000000000000aa"}]"#
            ),
            (#"{{ base64encode "a?>b~" }} {{ base64decode "YT8-Yn4=" }}"#, "YT8-Yn4= a?>b~"),
            (#"{{ $l := append (list 1 2) "x" .Status }}{{ len $l }} {{ index $l 3 }}"#, "4 firing"),
            (#"{{ $d := dict "a" 1 "b" .Status }}{{ $d.b }} {{ $d.c }} {{ len $d }}"#, "firing <no value> 2"),
            (#"{{ routeLabels "team" }}|{{ routeLabels "nope" }}|"#, "a b||"),
        ])
    func functions(text: String, result: String) throws {
        #expect(try render(text) == result)
    }

    @Test(
        "errors",
        arguments: [
            (
                "{{ .Nope }}",
                "template: :1:3: executing \"\" at <.Nope>: can't evaluate field Nope in type template.Data"
            ),
            ("{{ queryEscape \"a\" }}", "template: :1: function \"queryEscape\" not defined"),
            ("{{ dict 1 }}", "error calling dict: dict requires an even number of arguments"),
            ("{{ dict 1 2 }}", "error calling dict: dict keys must be strings"),
            ("{{ match \"(\" \"a\" }}", "error calling match: "),
            ("{{ reReplaceAll \"(\" \"a\" \"b\" }}", "error calling reReplaceAll: "),
            ("{{ tz \"No/Where\" now }}", "error calling tz: unknown time zone No/Where"),
            ("{{ base64decode \"a*bc\" }}", "error calling base64decode: illegal base64 data at input byte 1"),
            ("{{ urlUnescape \"%zz\" }}", "error calling urlUnescape: invalid URL escape \"%zz\""),
            (
                "{{ mustToDate \"2006\" \"x\" }}",
                "error calling mustToDate: parsing time \"x\" as \"2006\": cannot parse"
            ),
            ("{{ safeHtml \"a\" | toUpper }}", "wrong type for value; expected string; got template.HTML"),
            ("{{ append .Alerts 1 }}", "expected []interface {}; got template.Alerts"),
            ("{{ template \"nope\" . }}", "template \"nope\" not defined"),
            ("{{ .CommonLabels.SortedPairs 1 }}", "wrong number of args for SortedPairs: want 0 got 1"),
            (
                "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}",
                "exceeded maximum template depth"
            ),
            ("{{ range 2000000 }}{{ end }}", "exceeded 1000000 steps"),
            ("{{ range 100000 }}{{ printf \"%0100d\" . }}{{ end }}", "output exceeds 4194304 bytes"),
            (
                "{{ $x := printf \"%01000000d\" 1 }}{{ range 1000 }}{{ if match \"b\" $x }}{{ end }}{{ end }}",
                "functions had more than"
            ),
            (
                "{{ $x := printf \"%01000000d\" 1 }}{{ range 1000 }}{{ $y := print $x }}{{ end }}",
                "functions had more than"
            ),
            ("{{ $l := list }}{{ range 100000 }}{{ $l = append $l . }}{{ end }}", "exceeded 1000000 steps"),
            ("{{ $l := list }}{{ range 50 }}{{ $l = list $l }}{{ end }}", "nested too deeply"),
        ])
    func fails(text: String, reason: String) {
        let error = #expect(throws: TemplateError.self) { try render(text) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }

    @Test("a text is checked before it is used, with the place of its first fault")
    func checks() throws {
        #expect(NotificationTemplates.check("{{ .Status }} {{ template \"own\" }}") == nil)
        #expect(
            NotificationTemplates.check("a\n {{ .Status | nope }}")?.description
                == "2:15: function \"nope\" not defined")
        #expect(NotificationTemplates.check("{{ if }}")?.line == 1)
        let templates = try NotificationTemplates(files: [(path: "x/own", text: "own")])
        #expect(templates.check("{{ template \"own\" }}") == nil)
        let missing = templates.check("a\n{{ if .Status }}{{ template \"nope\" . }}{{ end }}")
        #expect(missing?.description == "2:29: template \"nope\" not defined")
    }

    // MARK: Structured templates

    private func json(_ structured: StructuredTemplate) throws -> String {
        var writer = JSONWriter()
        writer.value(try NotificationTemplates.standard.json(structured, ExampleNotification.data()))
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test(
        "a rendered text that is YAML of something else becomes that",
        arguments: [
            ("{{ .Status }}", #""firing""#), ("{{ len .Alerts }}", "2"), ("1.5", "1.5"), ("true", "true"),
            ("null", "null"), ("", "null"), ("a: [1, x]", #"{"a":[1,"x"]}"#), ("a: b: c", #""a: b: c""#),
            ("{{ toJson .CommonLabels }}", #"{"alertname":"Down","severity":"critical"}"#),
            ("{{ toJson .CommonAnnotations }}", #"{"b":"2"}"#), ("\"2\"", #""\"2\"""#), ("{1: a, b: c}", #"{"b":"c"}"#),
            ("2026-01-02", #""2026-01-02""#), ("9007199254740993", #""9007199254740993""#),
        ])
    func rereads(text: String, result: String) throws {
        #expect(try json(.text(text)) == result)
    }

    @Test("names and values are rendered, and what is no text stays")
    func structured() throws {
        let value = StructuredTemplate.map([
            ("z-{{ .Status }}", .list([.text("{{ .GroupLabels.alertname }}"), .constant(.bool(true))])),
            ("a", .map([("n", .text("{{ len .Alerts }}"))])),
        ])
        #expect(try json(value) == #"{"a":{"n":2},"z-firing":["Down",true]}"#)
    }

    @Test("a part of a configuration is a structured template")
    func configured() throws {
        let text = "{a: '{{ .Status }}', b: [1, true, null, '2', x], '{{ len .Alerts }}': {c: 1.5}, 3: d}"
        let node = try #require(try YAMLParser.parse(Array(text.utf8), file: ""))
        let result = #"{"2":{"c":1.5},"a":"firing","b":[1,true,null,2,"x"]}"#
        #expect(try json(StructuredTemplate(TemplateTree(node))) == result)
    }

    @Test("texts that would become many values stay texts")
    func manyValues() throws {
        var text = "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
        for (name, before) in zip("bcde", "abcd") {
            text += "\(name): &\(name) [" + [String](repeating: "*\(before)", count: 10).joined(separator: ",") + "]\n"
        }
        let value = try NotificationTemplates.standard.json(.text(text), ExampleNotification.data())
        #expect(value.string == text, "made \(value.kind)")
    }

    // MARK: Files

    @Test("the files of patterns are read in their order, and a fault is told with its place")
    func patterns() throws {
        let folder = try TemporaryFolder()
        func write(_ name: String, _ text: String) throws {
            try RealFileSystem().replace(folder.path + "/" + name, with: Array(text.utf8))
        }
        try write("b.tmpl", "{{ define \"x\" }}b{{ end }}")
        try write("a.tmpl", "{{ define \"x\" }}a{{ end }}")
        func settings(_ patterns: String) throws -> NotifierSettings {
            let text = "route: {receiver: a}\nreceivers: [{name: a}]\ntemplates: \(patterns)"
            let config = try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: folder.path + "/am.yml")
            return try NotifierSettings(config) { _ in RecordingTransport(ManualClock()) }
        }
        let data = ExampleNotification.data()
        #expect(try settings("['*.tmpl', 'none/*']").pipeline.templates.text("{{ template \"x\" }}", data) == "b")
        #expect(try settings("['b.tmpl', 'a.*']").pipeline.templates.text("{{ template \"x\" }}", data) == "a")
        try write("c.tmpl", "text\n{{ .Status | nope }}")
        let error = #expect(throws: ConfigError.self) { try settings("['*.tmpl']") }
        #expect(
            error?.description == folder.path + "/c.tmpl:2:14: template: function \"nope\" not defined")
    }

    // MARK: Labels of the route

    @Test("labels of a route refer to each other, each rendered once")
    func routeLabels() throws {
        let data = try NotificationTemplates.standard.adding(
            routeLabels: [
                ("a", "{{ routeLabels \"b\" }}-{{ routeLabels \"b\" }}"), ("b", "{{ .Status }}"),
                ("c", "{{ .NotificationReason }}{{ routeLabels \"nope\" }}"),
            ], to: ExampleNotification.data())
        #expect(
            data.routeLabels.pairs.map { "\($0.name)=\($0.value)" } == ["a=firing-firing", "b=firing", "c=unknown"])
        #expect(data.notificationReason == "first notification")
    }

    @Test("labels of a route that refer to each other in a circle are an error")
    func cycle() {
        let error = #expect(throws: TemplateError.self) {
            try NotificationTemplates.standard.adding(
                routeLabels: [("a", "{{ routeLabels \"b\" }}"), ("b", "{{ routeLabels \"a\" }}")],
                to: ExampleNotification.data())
        }
        #expect(error?.description.contains("route label cycle detected: a -> b -> a") == true)
    }
}
