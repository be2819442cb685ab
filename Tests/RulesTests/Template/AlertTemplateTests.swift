import GoTemplate
import Model
import Rules
import Testing

@Suite("Alert template")
struct AlertTemplateTests {
    static func expand(
        _ text: String, value: Double = 123_456_789, labels: [(String, String)] = [("__name__", "m"), ("a", "1")],
        query: [TemplateSample] = [TemplateSample(labels: Labels([("__name__", "m"), ("a", "1")]), value: 123_456_789)]
    ) -> String {
        do throws(TemplateError) {
            let template = try AlertTemplate(text, alert: "A")
            let data = TemplateData(
                labels: Labels(labels), externalLabels: Labels([("cluster", "c")]), externalURL: "http://here/prom",
                value: .float(value))
            return try template.expand(
                data,
                AlertTemplateFunctions(now: 60_000, externalURL: "http://here/prom") { text in
                    if text == "bad" { throw RuleError("parse error") }
                    return text == "nope" ? [] : query
                })
        } catch { return error.description }
    }

    @Test("labels whose names differ in their bytes are two, even if Unicode takes them for the same")
    func bytes() {
        let (one, other) = ("caf\u{E9}", "cafe\u{301}")
        let text = "{{ len $labels }} {{ index $labels \"\(one)\" }} {{ index $labels \"\(other)\" }} {{ $labels }}"
        let shown = Self.expand(text, labels: [(one, "1"), (other, "2")])
        #expect(ExactText(shown) == ExactText("2 1 2 map[\(other):2 \(one):1]"))
    }

    @Test(
        "errors name the whole node, in Go's words",
        arguments: [
            ("12345678901234567890", "12345678901234567890 overflows int"),
            ("lt 1 $labels", "error calling lt: invalid type for comparison"),
            ("lt $labels 1", "error calling lt: invalid type for comparison"),
            ("lt true false", "error calling lt: invalid type for comparison"),
            ("lt 1 \"a\"", "error calling lt: incompatible types for comparison"),
            ("ne $labels \"x\"", "error calling ne: incompatible types for comparison"),
            ("eq \"x\" $labels", "error calling eq: incompatible types for comparison"),
            ("eq $labels $labels", "error calling eq: non-comparable type map[__name__:m a:1]: map[string]string"),
            ("index $labels \"a\" \"zzzzzzzzzzzzzzzzzzzzzzzz\"", "error calling index"),
        ])
    func errors(_ node: String, _ reason: String) {
        let text = Self.expand("{{ \(node) }}")
        #expect(text.contains("executing \"__alert_A\" at <\(node)>: \(reason)"), "\(text)")
    }

    @Test("what only consoles have is refused")
    func consoles() {
        #expect(Self.expand("{{ tmpl \"a\" . }}").hasSuffix("function \"tmpl\" not defined"))
    }

    @Test(
        "width and precision of printf are bounded as Go's are",
        arguments: [
            ("%100000s", #""x""#, 100_000, ""), ("%-1000000d", "5", 1_000_000, ""), ("%.100000f", "1.0", 100_002, ""),
            ("%0100000d", "5", 100_000, ""), ("%.100000d", "5", 100_000, ""),
            ("%*d", "100000 5", 100_000, ""), ("%*d", "1000001 42", nil, "%!(BADWIDTH)42"),
            ("%*d", "-1000001 42", nil, "%!(BADWIDTH)42"), ("%*d", #""a" 42"#, nil, "%!(BADWIDTH)42"),
            ("%.*d", "1000001 42", nil, "%!(BADPREC)42"), ("%.*d", "-1 42", nil, "%!(BADPREC)42"),
            ("%-05d|%0*d", "4 -3 4", nil, "4    |4  "),
            ("%2147483648d", "42", nil, "%!(NOVERB)%!(EXTRA int=42)"),
            ("%.2147483648d and more", "42", nil, "%!(NOVERB)%!(EXTRA int=42)"),
        ] as [(String, String, Int?, String)])
    func widths(_ format: String, _ arguments: String, _ count: Int?, _ text: String) {
        let shown = Self.expand("{{ printf \"\(format)\" \(arguments) }}")
        if let count { #expect(shown.utf8.count == count) } else { #expect(shown == text) }
    }

    @Test(
        "printf asks for no more than a template may put out, however often it pads",
        arguments: [
            #"{{ len (printf "%1000000s%1000000s" "a" "b") }}"#, #"{{ printf "%9000000s" "a" }}"#,
            #"{{ printf "%.9000000f" 1.0 }}"#, #"{{ printf "%900000s" (query "m") }}"#,
            #"{{ printf "%900000s" $labels }}"#,
        ])
    func paddedOutput(_ text: String) {
        #expect(Self.expand(text).contains("output exceeds 1048576 bytes"))
    }

    /// What Debian's promtool 2.42 shows for the same templates, except where the comment says otherwise.
    static let asPromtool: [(String, String)] = [
        (
            #"{{ printf "%+v|%#v|%+v|%#v" $value "s" 5 $labels }}"#,
            #"1.23456789e+08|"s"|5|map[string]string{"__name__":"m", "a":"1"}"#
        ),
        (
            #"{{ printf "% x|%#x|%# x|%X|%5.1x|" "abc" "abc" "abc" "abc" "abc" }}"#,
            "61 62 63|0x616263|0x61 0x62 0x63|616263|   61|"
        ),
        (
            #"{{ printf "%x|%b|%.3x|%X|%x|%X|%b|%.0x" 1e21 1.0 1.1 1.5 0.0 -0.5 -1e300 1.5 }}"#,
            "0x1.b1ae4d6e2ef5p+69|4503599627370496p-52|0x1.19ap+00|0X1.8P+00|0x0p+00|-0X1P-01|"
                + "-6724873095247260p+944|0x1p+01"
        ),
        (
            #"{{ printf "%5.1f|%-6d|%.2d|%5t" .Labels.a "x" 3.14159 1 }}"#,
            "%!f(string=    1)|%!d(string=x     )|%!d(float64=3.1)|%!t(int=    1)"
        ),
        (
            #"{{ printf "%x|%d|%5s" $labels $labels $labels }}"#,
            "map[5f5f6e616d655f5f:6d 61:31]|map[%!d(string=__name__):%!d(string=m) %!d(string=a):%!d(string=1)]|"
                + "map[__name__:    m     a:    1]"
        ),
        (
            #"{{ printf "%+v" . }}"#,
            "{Labels:map[__name__:m a:1] ExternalLabels:map[cluster:c] ExternalURL:http://here/prom Value:1.23456789e+08}"
        ),
        (
            #"{{ range query "m" }}{{ printf "%v|%+v" . . }}{{ end }}"#,
            "&{map[__name__:m a:1] 1.23456789e+08}|&{Labels:map[__name__:m a:1] Value:1.23456789e+08}"
        ),
        ("{{ $value }} {{ printf \"%g\" $value }}", "1.23456789e+08 1.23456789e+08"),
        (
            #"{{ printf "%v|%8.3f|%-8s|%q|%x|%e|%t|%d" $value $value "ab" "q\"" "hi" $value true 5 }}"#,
            #"1.23456789e+08|123456789.000|ab      |"q\""|6869|1.234568e+08|true|5"#
        ),
        ("{{ $labels }}", "map[__name__:m a:1]"), (#"{{ printf "%f" 5 }}"#, "%!f(int=5)"), ("{{ .Labels.nope }}", ""),
        (
            #"{{ range $i, $v := query "m" }}{{ $i }} {{ $v.Labels.a }} {{ . }} {{ .Value | humanize }}{{ end }}"#,
            "0 1 {map[__name__:m a:1] 1.23456789e+08} 123.5M"
        ),
        ("{{ 1000000.0 }} {{ 1e20 }} {{ 0.0001 }} {{ 0.00001 }} {{ 100000.0 }}", "1e+06 1e+20 0.0001 1e-05 100000"),
        (
            #"{{ with $x := 5 }}{{ $x }}{{ else }}no{{ end }}{{ len "abc" }}{{ index $labels "a" }} {{ slice "abcdef" 1 3 }}"#,
            "531 bc"
        ), (#"{{ html "<a>" }} {{ js "a" }} {{ urlquery "a b" }}"#, "&lt;a&gt; a a+b"),
        (#"{{ print 1 2 "a" "b" 3 }} {{ println "x" }}"#, "1 2ab3 x\n"),
        (#"{{ template "x" . }}{{ define "x" }}D{{ .Value }}{{ end }}"#, "D1.23456789e+08"),
        (
            #"{{ toTime 1.5 }} {{ (toTime 1.5).Unix }} {{ stripPort "a:1" }} {{ stripDomain "a.b.c:80" }}"#,
            "1970-01-01 00:00:01.5 +0000 UTC 1 a a:80"
        ), (#"{{ parseDuration "1h" }} {{ "a" | printf "%s-%s" "b" }}"#, "3600 b-a"),
        (
            #"{{ printf "%d %s" $value 5 }} {{ printf "%d" }} {{ printf "x" 5 }}"#,
            "%!d(float64=1.23456789e+08) %!s(int=5) %!d(MISSING) x%!(EXTRA int=5)"
        ),
        (
            #"{{printf "%5t|%05d|%+d|%x|%X|%o|%b|%c|%U" true 42 42 255 255 8 5 65 65 }}"#,
            " true|00042|+42|ff|FF|10|101|A|U+0041"
        ),
        (
            "{{ $x := 1 }}{{ range $k, $v := $labels }}{{ $k }}={{ $v }},{{ $x = 2 }}{{ end }}{{ $x }}",
            "__name__=m,a=1,2"
        ),
        (
            #"{{ printf "%6.2f%%|%v|%v|%T" $value $labels nil $value }}"#,
            "123456789.00%|map[__name__:m a:1]|<nil>|float64"
        ),
        (
            #"{{ len $labels }} {{ eq $labels.a "b" "1" }} {{ not true }} {{ and 1 0 }} {{ or 0 "x" }}"#,
            "2 true false 0 x"
        ),
    ]

    @Test("expands as Prometheus does", arguments: asPromtool)
    func expands(_ template: String, _ expected: String) {
        #expect(Self.expand(template) == expected)
    }

    @Test(
        "values of Prometheus's types, and nil in their places",
        arguments: [
            (#"{{ println (query "m" | first) }}"#, "&{map[__name__:m a:1] 1.23456789e+08}\n"),
            (
                #"{{ printf "%%" (query "m" | first) }}"#,
                "%%!(EXTRA *template.sample=&{map[__name__:m a:1] 1.23456789e+08})"
            ),
            (#"{{ html (query "m" | first) }}"#, "{map[__name__:m a:1] 1.23456789e+08}"),
            (#"{{ sortByLabel "i" nil }} {{ printf "%T" (sortByLabel "i" nil) }}"#, "[] template.queryResult"),
            (#"{{ printf "%T %T %T" (toTime 1) (toTime 1).UTC (toTime 1).UnixNano }}"#, "*time.Time time.Time int64"),
            ("{{ (toTime 5).Unix | humanize }} {{ (toTime 5).Sub (toTime 3) }}", "5 2s"),
            ("{{ if lt (toTime 1e9).Weekday 1 }}Sunday{{ end }} {{ (toTime 1e9).Month }}", "Sunday September"),
        ])
    func types(_ template: String, _ expected: String) {
        #expect(Self.expand(template) == expected)
    }

    @Test(
        "arguments are counted before any is evaluated, and each is checked before the next is",
        arguments: [
            (#"{{ pathPrefix (query "bad") }}"#, "<pathPrefix>: wrong number of args for pathPrefix: want 0 got 1"),
            (#"{{ lt 1 2 (query "bad") }}"#, "<lt>: wrong number of args for lt: want 2 got 3"),
            (#"{{ match 1 (query "bad") }}"#, "<1>: expected string; found 1"),
            (#"{{ sortByLabel 1 (query "bad") }}"#, "<1>: expected string; found 1"),
            ("{{ first nil }}", "error calling first: first() called on vector with no elements"),
            ("{{ value nil }}", "error calling value: runtime error: invalid memory address"),
            (#"{{ label "a" nil }}"#, "error calling label: runtime error: invalid memory address"),
            ("{{ query nil }}", "<nil>: cannot assign nil to string"),
            ("{{ first $value }}", "wrong type for value; expected template.queryResult; got float64"),
            (#"{{ humanize "1e400" }}"#, #"strconv.ParseFloat: parsing "1e400": value out of range"#),
            (#"{{ humanize " 1" }}"#, #"strconv.ParseFloat: parsing " 1": invalid syntax"#),
            (#"{{ humanize "nan(1)" }}"#, #"strconv.ParseFloat: parsing "nan(1)": invalid syntax"#),
            ("{{ (args 1).arg1.x }}", "nil pointer evaluating interface {}.x"),
            ("{{ (toTime 1).Nope }}", "can't evaluate field Nope in type *time.Time"),
            ("{{ humanize (toTime 1).Weekday }}", "can't convert time.Weekday to float"),
        ])
    func checkedArguments(_ template: String, _ expected: String) {
        #expect(Self.expand(template).contains(expected), "\(Self.expand(template))")
    }

    static let failing: [(String, String)] = [
        (
            #"{{ first (query "nope") }}"#,
            #"1:115: executing "__alert_A" at <first (query "nope")>: error calling first: first() called on vector with no elements"#
        ),
        (
            "{{ if gt $value 5 }}x{{end}}",
            #"1:118: executing "__alert_A" at <gt $value 5>: error calling gt: incompatible types for comparison"#
        ), ("{{ toUpper 5.0 }}", #"1:123: executing "__alert_A" at <5.0>: expected string; found 5.0"#),
        (
            "{{ $labels.a.b }} x",
            #"1:122: executing "__alert_A" at <$labels.a.b>: can't evaluate field b in type string"#
        ),
        ("{{ nil }}", #"1:115: executing "__alert_A" at <nil>: nil is not a command"#),
        ("{{ value 5 }}", #"1:121: executing "__alert_A" at <5>: can't handle 5 for arg of type *template.sample"#),
        (
            "{{ 5 | toUpper }}",
            #"1:119: executing "__alert_A" at <toUpper>: wrong type for value; expected string; got int"#
        ),
        (
            #"{{ humanize "abc" }}"#,
            #"1:115: executing "__alert_A" at <humanize "abc">: error calling humanize: strconv.ParseFloat: parsing "abc": invalid syntax"#
        ),
        ("{{ and }}", #"1:115: executing "__alert_A" at <and>: wrong number of args for and: want at least 1 got 0"#),
        (#"{{ query "bad" }}"#, #"1:115: executing "__alert_A" at <query "bad">: error calling query: parse error"#),
    ]

    @Test("fails with Go's words and place", arguments: failing)
    func fails(_ template: String, _ expected: String) {
        #expect(
            Self.expand(template) == "error executing template __alert_A: template: __alert_A:" + expected)
    }

    static let malformed: [(String, String)] = [
        ("{{ $labels.a", "unclosed action"), ("{{ if true }}x", "unexpected EOF"), ("{{ end }}", "unexpected {{end}}"),
        ("{{ foo }}", #"function "foo" not defined"#), ("{{ $nope }}", #"undefined variable "$nope""#),
        ("{{ }}", "missing value for command"), ("{{ break }}", "{{break}} outside {{range}}"),
        ("a\n{{ \"x }}", "unterminated quoted string"), ("{{ (1 }}", "unclosed left paren"),
        ("{{ /* x }}", "unexpected"), ("{{ 1 | 2 }}", "non executable command in pipeline stage 2"),
    ]

    @Test("a malformed template is refused when it is read", arguments: malformed)
    func refuses(_ template: String, _ expected: String) {
        let error = #expect(throws: TemplateError.self) { try AlertTemplate(template, alert: "A") }
        #expect(error?.description.hasPrefix("error parsing template __alert_A: template: __alert_A:") == true)
        #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
    }

    @Test("functions of Prometheus")
    func functions() {
        #expect(Self.expand("{{ humanizeTimestamp 1.5 }}") == "1970-01-01 00:00:01.5 +0000 UTC")
        #expect(Self.expand(#"{{ title "foo bar" }} {{ toUpper "ä" }} {{ toLower "AB" }}"#) == "Foo Bar Ä ab")
        // Letter by letter, as Go does it.
        #expect(Self.expand(#"{{ title "ßa ŉa ǆa" }} {{ toUpper "ßŉ" }} {{ toLower "İΑΣ" }}"#) == "ßa ŉa ǅa ßŉ iασ")
        #expect(
            Self.expand(#"{{ js "\u2028\u2029\u0085\u200b\u00a0é\U0001D173\U0001F600" }}"#)
                == #"\u2028\u2029\u0085\u200B\u00A0é\u1D173"# + "\u{1F600}")
        #expect(Self.expand(#"{{ humanizeDuration "-0" }} {{ humanizeDuration "0" }}"#) == "-0s 0s")
        // Its expressions are Go's own.
        #expect(Self.expand(#"{{ match "^a.b$" "a\nb" }} {{ reReplaceAll ".+" "x" "a\nb" }}"#) == "false x\nx")
        #expect(Self.expand(#"{{ reReplaceAll "(.)b" "${1}x" "abab" }} {{ match "b+" "abc" }}"#) == "axax true")
        #expect(Self.expand(#"{{ graphLink "up == 1" }}"#) == "/graph?g0.expr=up+%3D%3D+1&g0.tab=0")
        #expect(Self.expand(#"{{ tableLink "x" }}"#) == "/graph?g0.expr=x&g0.tab=1")
        #expect(
            Self.expand("{{ externalURL }} {{ pathPrefix }} {{ $externalLabels.cluster }}")
                == "http://here/prom /prom c")
        #expect(Self.expand("{{ now }} {{ args 1 \"b\" }}") == "60 map[arg0:1 arg1:b]")
        #expect(
            Self.expand(#"{{ query "m" | first | value }} {{ label "a" (first (query "m")) }}"#) == "1.23456789e+08 1")
        #expect(
            Self.expand(
                #"{{ range query "m" | sortByLabel "a" }}{{ .Labels.a }}{{ end }}"#,
                query: ["2", "10", "1"].map { TemplateSample(labels: Labels([("a", $0)]), value: 1) }) == "1102")
        #expect(
            Self.expand(#"{{ (toTime 0).Format "2006-01-02T15:04:05Z07:00 Mon Jan" }}"#)
                == "1970-01-01T00:00:00Z Thu Jan")
        #expect(Self.expand("{{ toDuration 90.5 }} {{ (toDuration 90).Minutes }}") == "1m30.5s 1.5")
        for (text, stripped) in [
            ("a.b:80:90", "a"), ("b.a:8:9", "b"), ("cafe.beef:1:2", "cafe"), ("a.b::", "a"), ("a.b]:1", "a"),
            ("[fe80::1%eth0]:80", "[fe80::1%eth0]:80"), ("a.b:80", "a:80"), ("a.b:", "a"), ("[::1]:80", "[::1]:80"),
        ] { #expect(Self.expand(#"{{ stripDomain "\#(text)" }}"#) == stripped) }
        #expect(Self.expand(#"{{ stripDomain "1.2.3.4:80" }} {{ stripPort "[::1]:80" }}"#) == "1.2.3.4:80 ::1")
    }

    static let humanized: [(Double, String, String, String, String)] = [
        (0, "0", "0", "0s", "0%"), (1234, "1.234k", "1.205ki", "20m 34s", "1.234e+05%"),
        (0.0012, "1.2m", "0.0012", "1.2ms", "0.12%"), (1e9, "1G", "953.7Mi", "11574d 1h 46m 40s", "1e+11%"),
        (.nan, "NaN", "NaN", "NaN", "NaN%"), (.infinity, "+Inf", "+Inf", "+Inf", "+Inf%"),
        (-90061, "-90.06k", "-87.95ki", "-1d 1h 1m 1s", "-9.006e+06%"), (59.9, "59.9", "59.9", "59.9s", "5990%"),
    ]

    @Test("numbers for people", arguments: humanized)
    func humanize(_ value: Double, _ si: String, _ binary: String, _ duration: String, _ share: String) {
        #expect(Self.expand("{{ $value | humanize }}", value: value) == si)
        #expect(Self.expand("{{ $value | humanize1024 }}", value: value) == binary)
        #expect(Self.expand("{{ $value | humanizeDuration }}", value: value) == duration)
        #expect(Self.expand("{{ $value | humanizePercentage }}", value: value) == share)
    }

    @Test("white space is trimmed where a marker says so, and comments vanish")
    func trimming() {
        #expect(Self.expand("a \n{{- 1 -}}\n b") == "a1b")
        #expect(Self.expand("a{{/* no */}}b {{- /* no */ -}} c") == "abc")
        #expect(Self.expand("{{ \"}}\" }}{{`\\n`}}") == "}}\\n")
    }

    @Test("control flow")
    func controlFlow() {
        #expect(Self.expand("{{ if 0 }}a{{ else if \"\" }}b{{ else }}c{{ end }}") == "c")
        #expect(Self.expand("{{ range 3 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ end }}") == "02")
        #expect(Self.expand("{{ range $i := 5 }}{{ if eq $i 2 }}{{ break }}{{ end }}{{ $i }}{{ end }}") == "01")
        #expect(Self.expand(#"{{ range query "nope" }}x{{ else }}none{{ end }}"#) == "none")
        #expect(Self.expand("{{ with .Labels.nope }}x{{ else }}y{{ end }}") == "y")
        #expect(Self.expand(#"{{ block "b" 7 }}{{ . }}{{ end }}"#) == "7")
    }

    @Test("a template cannot run forever")
    func limits() {
        #expect(
            Self.expand(#"{{ define "x" }}{{ template "x" }}{{ end }}{{ template "x" }}"#).contains(
                "exceeded maximum template depth"))
        #expect(
            Self.expand("{{ range 900000 }}{{ range 900000 }}{{ end }}{{ end }}").contains("exceeded 1000000 steps"))
        #expect(Self.expand("{{ range 3000 }}{{ printf \"%1000d\" 1 }}{{ end }}").contains("output exceeds"))
        let deep = String(repeating: "(", count: 10_000) + "1" + String(repeating: ")", count: 10_000)
        #expect(Self.expand("{{ \(deep) }}").contains("nested deeper"))
    }

    @Test("random bytes never crash the parser", arguments: 0..<20)
    func random(_ seed: Int) {
        var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let parts = [
            "{{", "}}", "{{-", "-}}", "if", "else", "end", "range", "with", "$x", ":=", "=", "|", "(", ")", ".", ".a",
            "\"",
            "'", "`", "1", "0x", "1e", "-", " ", "\n", ",", "printf", "\"%v%d\"", "query", "é", "\\", "/*", "*/",
            "define",
            "template", "break", "nil", "index",
        ]
        for _ in 0..<300 {
            let text = (0..<(1 + next(14))).map { _ in parts[next(parts.count)] }.joined(
                separator: next(2) == 0 ? " " : "")
            _ = Self.expand(text)
        }
    }

    @Test("args of a large result of a query, and of some levels of args, work")
    func nestedArguments() {
        let samples = (0..<20_000).map { TemplateSample(labels: Labels([("i", "\($0)")]), value: 1) }
        let text = #"{{ $x := args (query "q") "b" }}{{ $y := args $x $x }}{{ len (args $y 1).arg0.arg1.arg0 }}"#
        #expect(Self.expand(text, query: samples) == "20000")
    }

    @Test(
        "a text that grows from call to call ends at the bound, before it is made",
        arguments: [
            #"{{ $x := "0123456789" }}{{ range 40 }}{{ $x = reReplaceAll "(.*)" "$1$1$1$1" $x }}{{ end }}{{ len $x }}"#,
            #"{{ $x := "a" }}{{ range 40 }}{{ $x = reReplaceAll "." "\#(String(repeating: "0", count: 50))" $x }}{{ end }}"#,
            #"{{ $x := "a" }}{{ range 40 }}{{ $x = print $x $x }}{{ end }}"#,
            #"{{ $x := "a" }}{{ range 60 }}{{ $x = args $x $x }}{{ end }}{{ $x }}"#,
            #"{{ $x := "" }}{{ range 60 }}{{ $x = args $x $x }}{{ end }}{{ print $x }}"#,
            #"{{ $x := "a" }}{{ range 60 }}{{ $x = args $x $x }}{{ end }}{{ printf "%v" $x }}"#,
            #"{{ $x := "a" }}{{ range 60 }}{{ $x = args $x $x }}{{ end }}{{ range 1.5 }}{{ end }}{{ html $x }}"#,
            #"{{ $x := "a" }}{{ range 200000 }}{{ $x = args $x }}{{ end }}{{ len $x }}"#,
            #"{{ $x := "a" }}{{ range 15 }}{{ $x = args $x $x $x $x }}{{ end }}{{ eq $x $x }}"#,
            #"{{ $x := "<" }}{{ range 40 }}{{ $x = html $x $x }}{{ end }}"#,
            #"{{ $x := "%" }}{{ range 40 }}{{ $x = urlquery $x $x }}{{ end }}"#,
            #"{{ $x := "\\" }}{{ range 40 }}{{ $x = js $x $x }}{{ end }}"#,
            #"{{ $x := "a" }}{{ range 40 }}{{ $x = printf "%s%s%s" $x $x $x }}{{ end }}"#,
            #"{{ $x := "a" }}{{ range 60 }}{{ $x = args $x $x }}{{ end }}{{ range $x.arg0.arg1.arg0 }}{{ . }}{{ end }}"#,
        ])
    func growth(text: String) {
        #expect(Self.expand(text).count < 10_000, "\(text)")
    }
}
