import GoCompatibility
import GoTemplate
import Model
import Testing

/// The language without any program around it; the tests of alerts' templates hold the rest.
@Suite("Go templates")
struct TemplateTests {
    struct Functions: TemplateFunctionSet {
        static let signatures = ["twice": TemplateSignature([.string])]

        func call(_ name: String, _ arguments: [TemplateValue]) -> TemplateOutcome {
            guard case .string(let text)? = arguments.first else { return .failed("no text") }
            return .value(.string(text + text))
        }
    }

    private let data = TemplateValue.object(
        TemplateObject(
            typeName: "main.Data",
            fields: [
                ("Name", .string("a<b")), ("Count", .integer(3)), ("Tags", .labels(["k": "v", "j": "w"])),
                ("List", .list([.string("x"), .string("y")], type: "[]string")),
                ("At", .time(GoTime(nanoseconds: 1_500_000_000))),
            ]))

    private func run(_ text: String, limits: TemplateLimits = TemplateLimits()) throws -> String {
        try Template(text, name: "t", functions: Set(Functions.signatures.keys)).execute(
            data, functions: Functions(), limits: limits)
    }

    @Test(
        "actions, pipelines, loops, variables and functions",
        arguments: [
            ("{{.Name}} {{twice .Name}} {{.Name | twice | html}}", "a<b a<ba<b a&lt;ba&lt;b"),
            ("{{range $i, $x := .List}}{{if $i}}, {{end}}{{$x}}{{else}}none{{end}}", "x, y"),
            ("{{range $k, $v := .Tags}}{{$k}}={{$v}};{{end}}", "j=w;k=v;"),
            ("{{with .Count}}{{printf \"%03d|%-4v|%T\" . . .}}{{end}}", "003|3   |int"),
            (#"{{define "T"}}<{{.}}>{{end}}{{template "T" .Count}}"#, "<3>"),
            ("{{len .List}} {{index .List 1}} {{slice .Name 1}} {{.At.Unix}}", "2 y <b 1"),
            ("{{/* nothing */ -}}  {{and 1 0}} {{or 0 \"z\"}} {{not .Count}}", "0 z false"),
            ("{{printf \"%v %+v\" .List .Tags}}", "[x y] map[j:w k:v]"),
        ])
    func executes(text: String, result: String) throws {
        #expect(try run(text) == result)
    }

    @Test(
        "errors have Go's texts and places",
        arguments: [
            ("{{.Nope}}", "template: t:1:2: executing \"t\" at <.Nope>: can't evaluate field Nope in type main.Data"),
            (
                "a\n{{twice .Count}}",
                "template: t:2:8: executing \"t\" at <.Count>: wrong type for value; expected string; got int"
            ),
            ("{{thrice 1}}", "template: t:1: function \"thrice\" not defined"),
            ("{{99999999999999999999}}", "template: t:1: integer overflow: \"99999999999999999999\""),
            ("{{range $a, $b, $c := .}}{{end}}", "template: t:1: too many declarations in range"),
            ("{{$a, $b := 1}}", "template: t:1: too many declarations in command"),
            ("{{if}}", "template: t:1: missing value for if"), ("{{", "template: t:1: unclosed action"),
        ])
    func fails(text: String, reason: String) {
        let error = #expect(throws: TemplateError.self) { try run(text) }
        #expect(error?.description == reason)
    }

    @Test(
        "a field of nothing is nothing, with what follows it",
        arguments: [
            ("{{define \"x\"}}{{.Foo}}{{range .A.b}}x{{else}}none{{end}}{{end}}{{template \"x\"}}", "<no value>none"),
            ("{{define \"x\"}}{{with .A}}x{{else}}{{.B.C.D}}{{end}}{{end}}{{template \"x\"}}", "<no value>"),
            ("{{define \"x\"}}{{if .A (twice .B)}}x{{end}}{{end}}{{template \"x\"}}", ""),
            ("{{html nil}} {{print nil}} {{len \"\"}}", "&lt;no value&gt; <nil> 0"),
        ])
    func nothing(text: String, result: String) throws {
        #expect(try run(text) == result)
    }

    @Test(
        "assignments and the variables of loops",
        arguments: [
            ("{{$x := 1}}{{range $x = .List}}{{$x}}{{end}} {{$x}}", "xy y"),
            ("{{$i := 5}}{{$x := 6}}{{range $i, $x = .List}}{{end}}{{$i}}{{$x}}", "1y"),
            ("{{$x := 1}}{{range $x = slice .List 2}}{{end}}{{$x}}", "[]"),
            ("{{range $i, $x := slice .List 2}}{{else}}{{$i}}{{$x}}{{end}}", "[][]"),
            ("{{if false}}{{$x = 1}}{{end}}done", "done"),
        ])
    func assigns(text: String, result: String) throws {
        #expect(try run(text) == result)
    }

    @Test(
        "a name is defined once, but for what is empty",
        arguments: [
            ("{{define \"b\"}}1{{end}}{{define \"b\"}} {{end}}{{template \"b\"}}", "1"),
            ("{{define \"b\"}}{{/* later */}}{{end}}{{block \"b\" .}}2{{end}}", "2"),
            ("{{define \"t\"}}whole{{end}} ", "whole"),
        ])
    func defines(text: String, result: String) throws {
        #expect(try run(text) == result)
    }

    @Test(
        "types and numbers of arguments are checked one by one, the number first",
        arguments: [
            ("{{lt 1 2 (index .List 9)}}", "<lt>: wrong number of args for lt: want 2 got 3"),
            ("{{twice (index .List 9) 1}}", "<twice>: wrong number of args for twice: want 1 got 2"),
            ("{{.Name | twice .Name}}", "<twice>: wrong number of args for twice: want 1 got 2"),
            ("{{printf}}", "<printf>: wrong number of args for printf: want at least 1 got 0"),
            ("{{printf 1 (index .List 9)}}", "<1>: expected string; found 1"),
            ("{{twice nil}}", "<nil>: cannot assign nil to string"),
            ("{{.At.Format}}", "<.At.Format>: wrong number of args for Format: want 1 got 0"),
            ("{{.At.Format 5}}", "<5>: expected string; found 5"),
            ("{{.At.Unix 5}}", "<.At.Unix>: wrong number of args for Unix: want 0 got 1"),
            ("{{.Count.X}}", "<.Count.X>: can't evaluate field X in type int"),
            ("{{.Name 1}}", "<.Name>: Name has arguments but cannot be invoked as function"),
            ("{{.Tags.k 1}}", "<.Tags.k>: k is not a method but has arguments"),
            ("{{$x = 1}}", "<$x = 1>: undefined variable: $x"),
            ("{{range $i, $x = .List}}{{end}}", "<$i, $x = .List>: undefined variable: $i"),
            ("{{define \"b\"}}1{{end}}{{block \"b\" .}}2{{end}}", "multiple definition of template \"b\""),
            ("{{define \"t\"}}1{{end}}2", "template: t:1: template: multiple definition of template \"t\""),
        ])
    func refusesArguments(text: String, reason: String) {
        let error = #expect(throws: TemplateError.self) { try run(text) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }

    @Test(
        "times and their parts",
        arguments: [
            (
                "{{.At.Month}} {{printf \"%02d\" .At.Month}} {{eq .At.Weekday 4}} {{.At.Weekday.String}}",
                "January 01 true Thursday"
            ),
            ("{{.At.Add 1000000000}} {{(.At.Sub .At).Seconds}}", "1970-01-01 00:00:02.5 +0000 UTC 0"),
            ("{{printf \"%T %T %T\" .At .At.Unix .At.Weekday}}", "time.Time int64 time.Weekday"),
            (
                "{{.At.Format \"__2|_2|002|_2006|Month Mon Janet Jan|Z07|-07:00:00\"}}",
                "  1| 1|001|_1970|Month Thu Janet Jan|Z|+00:00:00"
            ),
        ])
    func times(text: String, result: String) throws {
        #expect(try run(text) == result)
    }

    @Test("an execution that takes too much is an error")
    func limits() {
        var limits = TemplateLimits()
        (limits.steps, limits.output, limits.depth) = (1000, 100, 5)
        for text in [
            "{{range 100000}}x{{end}}", "{{range 900}}{{end}}{{range 900}}{{end}}", #"{{printf "%101s" "x"}}"#,
            #"{{define "T"}}{{template "T" .}}{{end}}{{template "T" .}}"#,
        ] {
            let error = #expect(throws: TemplateError.self, "\(text)") { try run(text, limits: limits) }
            #expect(error?.description.contains("exceed") == true, "\(text)")
        }
    }
}
