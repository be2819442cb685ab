import GoTemplate
import Model
import Testing

/// The language without any program around it; the tests of alerts' templates hold the rest.
@Suite("Go templates")
struct TemplateTests {
    struct Functions: TemplateFunctionSet {
        static let names: Set<String> = ["twice"]

        func call(_ name: String, _ arguments: [TemplateValue]) -> TemplateOutcome {
            guard arguments.count == 1 else { return .wrongCount("1") }
            guard case .string(let text) = arguments[0] else { return .wrongType(0, "string") }
            return .value(.string(text + text))
        }
    }

    private let data = TemplateValue.object(
        TemplateObject(
            typeName: "main.Data",
            fields: [
                ("Name", .string("a<b")), ("Count", .integer(3)), ("Tags", .labels(["k": "v", "j": "w"])),
                ("List", .list([.string("x"), .string("y")], type: "[]string")), ("At", .time(1_500_000_000)),
            ]))

    private func run(_ text: String, limits: TemplateLimits = TemplateLimits()) throws -> String {
        try Template(text, name: "t", functions: Functions.names).execute(data, functions: Functions(), limits: limits)
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
            ("{{if}}", "template: t:1: missing value for if"), ("{{", "template: t:1: unclosed action"),
        ])
    func fails(text: String, reason: String) {
        let error = #expect(throws: TemplateError.self) { try run(text) }
        #expect(error?.description == reason)
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
