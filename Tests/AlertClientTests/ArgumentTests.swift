import Config
import GoCompatibility
import JSON
import Model
import Testing

@testable import AlertClient

/// Arguments, times and files of the commands for alerts.
@Suite("Arguments for alerts")
struct ArgumentTests {
    @Test func `a first argument without an operator is the name of the alert`() throws {
        let matchers = try ArgumentMatchers.parse(["foo bar", "node=~b.*", #"x!="y z""#, "w!~q", "é=ü"], .fallback)
        #expect(
            matchers.map { "\($0.name) \($0.kind.rawValue) \($0.value)" } == [
                "alertname = foo bar", "node =~ b.*", "x != y z", "w !~ q", "é = ü",
            ])
        #expect(try ArgumentMatchers.filters(["foo", "a=b"], .fallback) == [#"alertname="foo""#, "a=b"])
        #expect(try ArgumentMatchers.filters([#"a"b"#], .fallback) == [#"alertname="a\"b""#])
        #expect(try ArgumentMatchers.filters([], .fallback) == [])
    }

    @Test(arguments: [
        (["foo", "bad"], "bad matcher format: bad (argument 2)"),
        (["a=b", #"{c="d"}"#], #"unexpected open or close brace: {c="d"} (argument 2)"#),
        ([#"a="b"c""#], #"matcher value contains unescaped double quote: "b"c" (argument 1)"#),
        (["=b"], "bad matcher format: =b (argument 1)"), (["a b=c"], "bad matcher format: a b=c (argument 1)"),
    ])
    func `a wrong matcher is named`(arguments: [String], reason: String) throws {
        let error = try #require(throws: ArgumentError.self) { try ArgumentMatchers.parse(arguments, .fallback) }
        #expect(error.description == reason)
    }

    @Test func `a wrong regular expression is an error, not a name`() throws {
        let error = try #require(throws: ArgumentError.self) { try ArgumentMatchers.parse(["node=~("], .fallback) }
        #expect(error.description.hasSuffix("(argument 1)"))
    }

    @Test func `labels are pairs, the last of equal names counts`() throws {
        let labels = try ArgumentMatchers.labels(["foo", "a=1", #"b="x y""#, "a=2"], .fallback, namesAlert: true)
        #expect(labels.map { "\($0.name)=\($0.value)" } == ["alertname=foo", "b=x y", "a=2"])
        let error = try #require(throws: ArgumentError.self) {
            try ArgumentMatchers.labels(["a=1", "b=~x"], .fallback, namesAlert: true)
        }
        #expect(error.description == "labels must be specified as key=value pairs (argument 2)")
        let annotation = try #require(throws: ArgumentError.self) { try ArgumentMatchers.annotations(["a"], .fallback) }
        #expect(annotation.description == "bad matcher format: a (--annotation 1)")
        #expect(throws: ArgumentError.self) {
            try ArgumentMatchers.labels(["foo"], .fallback, namesAlert: false)
        }
    }

    @Test func `a silence ends after its duration, within the years of its text`() throws {
        let start = try #require(AlertTime.parse("2027-01-01T01:00:00+02:00"))
        let end = try #require(try SilencePeriod.end(start, end: nil, duration: 7_200_000))
        #expect(AlertTime.text(end) == "2027-01-01T01:00:00.000Z")
        #expect(try SilencePeriod.end(start, end: start, duration: 1)?.isSameMoment(as: start) == true)
        #expect(try SilencePeriod.end(start, end: nil, duration: nil) == nil)
        let late = try #require(AlertTime.parse("9999-12-31T23:00:00Z"))
        for (start, duration) in [(start, Int64.max), (late, 7_200_000)] {
            let error = try #require(throws: SilencePeriod.Failure.self) {
                try SilencePeriod.end(start, end: nil, duration: duration)
            }
            #expect(error.description.hasPrefix("--duration: "))
        }
        let zero = try #require(throws: SilencePeriod.Failure.self) {
            try SilencePeriod.end(start, end: nil, duration: 0)
        }
        #expect(zero.description == "silence duration must be greater than 0")
        #expect(throws: SilencePeriod.Failure.self) { try SilencePeriod.check(late, start) }
        try SilencePeriod.check(start, start)
    }

    private static func silence(endsAt: String, by author: String = "me") throws -> RemoteSilence {
        let text = """
            {"id":"i","createdBy":"\(author)","comment":"","startsAt":"2026-01-01T00:00:00Z","endsAt":"\(endsAt)",
            "updatedAt":"2026-01-01T00:00:00Z","matchers":[]}
            """
        return try RemoteSilence(try JSONValue.parse(text))
    }

    @Test(arguments: [
        ("2026-12-01T12:00:00Z", false, 0, true), ("2026-12-01T10:00:00Z", false, 0, false),
        ("2026-12-01T10:00:00Z", true, 0, true), ("2026-12-01T12:00:00Z", true, 0, false),
        ("2026-12-01T12:00:00Z", false, 3_600_000, true), ("2026-12-01T12:00:00.002Z", false, 3_600_000, false),
        ("2026-12-01T10:00:00Z", true, 3_600_000, true), ("2026-12-01T09:59:59Z", true, 3_600_000, false),
        ("9999-12-31T23:59:59Z", false, Int64.max, true), ("0000-01-01T00:00:00Z", true, 3_600_000, false),
    ])
    func `silences are selected by their end`(end: String, expired: Bool, within: Int64, isIn: Bool) throws {
        var selection = SilenceSelection()
        (selection.isExpired, selection.within) = (expired, within)
        let now = try #require(RFC3339.parse("2026-12-01T11:00:00Z"))
        #expect(selection.contains(try Self.silence(endsAt: end), now: now) == isIn)
    }

    @Test func `silences are selected by author and id`() throws {
        let silence = try Self.silence(endsAt: "2027-01-01T00:00:00Z", by: "é")
        var selection = SilenceSelection()
        selection.createdBy = "e\u{301}"
        #expect(!selection.contains(silence, now: 0))
        selection.createdBy = "é"
        #expect(selection.contains(silence, now: 0))
        selection.id = "other"
        #expect(!selection.contains(silence, now: 0))
    }

    @Test func `silences of a file keep what a request may have`() throws {
        let text = """
            [{"id":"a","status":{"state":"active"},"updatedAt":"2026-01-01T00:00:00Z","comment":"c","createdBy":"me",
            "endsAt":"2026-01-01T00:00:00Z","startsAt":"2026-01-01T00:00:00Z","matchers":[],"annotations":{"k":"v"}}, {}]
            """
        let silences = try SilenceFile.read(Array(text.utf8), name: "f")
        #expect(silences.map(\.id) == ["a", ""])
        #expect(
            silences[0].json.object?.map(\.key)
                == ["id", "comment", "createdBy", "endsAt", "startsAt", "matchers", "annotations"])
        #expect(try SilenceFile.read(Array("[]".utf8), name: "f").isEmpty)
    }

    @Test(arguments: [
        ("nope", "f:1:1: unexpected 'n', expected an array"), ("{}", "f:1:1: unexpected '{', expected an array"),
        ("[1]", "f:1:2: 0.value: must be an object, is a number"),
        ("[{},\n  {\"startsAt\":\"x\"}]", "f:2:3: 1.startsAt: parsing time \"x\" as \"2006-01-02T15:04:05Z07:00\""),
        ("[{\"matchers\":1}]", "f:1:2: 0.matchers: must be a list"),
        ("[] x", "f:1:4: unexpected 'x', expected the end"),
        ("[{\"id\":1}]", "f:1:2: 0.id: must be a string"), ("", "f:1:1: unexpected end of JSON, expected an array"),
    ])
    func `a file without silences is refused at its place`(text: String, reason: String) throws {
        let error = try #require(throws: SilenceFile.Failure.self) {
            try SilenceFile.read(Array(text.utf8), name: "f")
        }
        #expect(error.description == "couldn't unmarshal input data, is it JSON?: \(reason)")
    }

    @Test func `the first file of settings that has a key gives its value`() throws {
        var settings = ClientSettings()
        try settings.add(Array("author: me\ncomment_required: false\ntimeout: 5\n".utf8), path: "a.yml")
        try settings.add(Array("author: you\noutput: json\n".utf8), path: "b.yml")
        try settings.add(Array("".utf8), path: "c.yml")
        #expect(
            settings.values.map { "\($0.flag)=\($0.text)" } == [
                "author=me", "require-comment=false", "timeout=5", "output=json",
            ])
        #expect(settings.values.last?.place == ConfigPlace(file: "b.yml", line: 2, column: 1))
        #expect(ClientSettings.paths(home: "/h") == ["/h/.config/amtool/config.yml", "/etc/amtool/config.yml"])
        #expect(ClientSettings.paths(home: nil) == ["/etc/amtool/config.yml"])
    }

    @Test(arguments: [
        ("[]", "f:1:1: cannot unmarshal"), ("a: {b: c}", "f:1:4: cannot unmarshal"), ("a: [", "f:"),
    ])
    func `settings that are no map of texts are refused`(text: String, reason: String) throws {
        var settings = ClientSettings()
        let error = try #require(throws: ConfigError.self) { try settings.add(Array(text.utf8), path: "f") }
        #expect(error.description.hasPrefix(reason))
    }
}
