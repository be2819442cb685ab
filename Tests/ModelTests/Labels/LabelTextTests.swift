import Model
import Testing

@Suite("Text of labels and series")
struct LabelTextTests {
    @Test("names and values have Go's quotes in messages")
    func messages() {
        let cases: [([(String, String)], String, String)] = [
            ([], "{}", "{}"),
            ([("__name__", "up")], #"{__name__="up"}"#, "up"),
            (
                [("__name__", "a:b"), ("job", "a\"\\\n\t\u{1}é")], #"{__name__="a:b", job="a\"\\\n\t\x01é"}"#,
                #"a:b{job="a\"\\\n\t\x01é"}"#
            ),
            (
                [("__name__", "my.name"), ("my label", "x")], #"{__name__="my.name", "my label"="x"}"#,
                #"{"my.name", "my label"="x"}"#
            ),
            ([("__name__", "q\"n")], #"{__name__="q\"n"}"#, #"{"q\"n"}"#),
            ([("a:b", "c")], #"{"a:b"="c"}"#, #"{"a:b"="c"}"#),
        ]
        for (pairs, set, series) in cases {
            let labels = Labels(pairs)
            #expect(labels.description == set)
            #expect(labels.metricDescription == series)
            #expect(LabelText.list(pairs.map { (name: $0.0, value: $0.1) }) == set)
            for (name, value) in pairs {
                #expect(set.contains(Matcher(name: name, equals: value).description))
                #expect(set.contains(LabelText.pair(name, "=", value)))
                #expect(set.contains(LabelText.name(name) + "="))
            }
        }
    }

    @Test("pages escape a backslash, the end of a line and, between quotes, a quote; nothing else")
    func pages() {
        for (text, quoted, bare) in [
            ("", #""""#, ""), ("a", #""a""#, "a"), ("a\\b", #""a\\b""#, #"a\\b"#), ("a\nb", #""a\nb""#, #"a\nb"#),
            ("\"", #""\"""#, "\""), ("\t\r\u{0}é😀'`{},=", "\"\t\r\u{0}é😀'`{},=\"", "\t\r\u{0}é😀'`{},="),
        ] {
            #expect(LabelText.quoted(text) == quoted)
            var bytes: [UInt8] = [1]
            LabelText.appendQuoted(text, to: &bytes)
            #expect(bytes == [1] + Array(quoted.utf8))
            bytes = [1]
            LabelText.appendEscaped(text, escapesQuotes: false, to: &bytes)
            #expect(bytes == [1] + Array(bare.utf8))
        }
    }
}
