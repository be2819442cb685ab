import GoCompatibility
import GoTemplate
import Model
import Testing

/// Values in HTML pages, escaped for where they stand.
@Suite("HTML templates")
struct HTMLEscapeTests {
    private struct Functions: TemplateFunctionSet {
        static let signatures = ["safe": TemplateSignature([.string]), "link": TemplateSignature([.string])]

        func call(_ name: String, _ arguments: [TemplateValue]) -> TemplateOutcome {
            .value(.typed(arguments.first ?? .null, name == "safe" ? SafeText.html : SafeText.url))
        }
    }

    private func render(_ text: String, _ value: TemplateValue) throws -> String {
        var set = TemplateSet(functions: ["safe", "link"])
        try set.add(text, name: "t")
        return try set.execute("t", value, functions: Functions(), isHTML: true)
    }

    private func render(_ text: String, _ value: String) throws -> String { try render(text, .string(value)) }

    @Test(
        "text, comments and elements without elements inside",
        arguments: [
            ("<b>{{.}}</b>", "a<b>\"'&+\0", "<b>a&lt;b&gt;&#34;&#39;&amp;&#43;\u{FFFD}</b>"),
            ("{{. | html}}|{{safe .}}", "<i>&</i>", "&lt;i&gt;&amp;&lt;/i&gt;|<i>&</i>"),
            ("a<!-- {{.}} <b> -->b", "x-->", "ab"),
            ("<title>{{.}}</title>{{.}}", "</title>", "<title>&lt;/title&gt;</title>&lt;/title&gt;"),
            ("<textarea>{{safe .}}</textarea>", "<&amp;", "<textarea>&lt;&amp;</textarea>"),
            ("1 < 2 {{.}}", "<", "1 < 2 &lt;"), ("<{{.}}>", "b", nil), ("</{{.}}>", "b", nil),
            ("a <{{if .}} 1{{end}} {{.}}", "b", "a < 1 b"),
        ] as [(String, String, String?)])
    func texts(text: String, value: String, result: String?) throws {
        #expect((try? render(text, value)) == result)
    }

    @Test(
        "values and names of attributes",
        arguments: [
            ("<a title=\"{{.}}\" x>{{.}}", "\"> <", "<a title=\"&#34;&gt; &lt;\" x>&#34;&gt; &lt;"),
            ("<a title='{{.}}'>", "a' b", "<a title='a&#39; b'>"),
            ("<a title={{.}} id=x>", "a b=`\n", "<a title=a&#32;b&#61;&#96;&#10; id=x>"),
            ("<a title={{.}}>", "", "<a title=ZgotmplZ>"),
            ("<a title=\"{{safe .}}\">", "<b>x &amp; \"y", "<a title=\"x &amp; &#34;y\">"),
            ("<a {{.}}=\"1\">", "Title", "<a title=\"1\">"), ("<a {{.}}=\"1\">", "onclick", "<a ZgotmplZ=\"1\">"),
            ("<a {{.}}>", "x=y", "<a ZgotmplZ>"), ("<a on{{.}}=x>", "click", "<a onZgotmplZ=x>"),
            ("<a onclick=\"f({{.}})\">", "x", nil), ("<iframe srcdoc=\"{{.}}\">", "x", nil),
            ("<p style=\"color: {{.}}\">", "#f00", "<p style=\"color: #f00\">"),
            ("<p style=\"color: {{.}}\">", "url(x)", "<p style=\"color: ZgotmplZ\">"),
            (
                "<style>b { color: {{.}} }</style>{{.}}", "</style>",
                "<style>b { color: ZgotmplZ }</style>&lt;/style&gt;"
            ),
        ] as [(String, String, String?)])
    func attributes(text: String, value: String, result: String?) throws {
        #expect((try? render(text, value)) == result)
    }

    @Test(
        "addresses",
        arguments: [
            ("<a href=\"{{.}}\">", "http://h/p?x=1&y=a b", "<a href=\"http://h/p?x=1&amp;y=a%20b\">"),
            ("<a href=\"{{.}}\">", "javascript:x", "<a href=\"#ZgotmplZ\">"),
            ("<a href=\"{{.}}\">", " JavaScript:x", "<a href=\"#ZgotmplZ\">"),
            ("<a href={{.}}>", "MAILTO:a@b", "<a href=MAILTO:a@b>"),
            ("<a href=\"{{.}}\">", "/a:b'(\"", "<a href=\"/a:b%27%28%22\">"),
            ("<a href=\"{{link .}}\">", "tel:1", "<a href=\"tel:1\">"),
            ("<a href=\"/x/{{.}}\">", "a:b?c%20%", "<a href=\"/x/a:b?c%20%25\">"),
            (
                "<a href=\"/x?q={{.}}&r={{.}}\">", "a&b=c/d e%20",
                "<a href=\"/x?q=a%26b%3dc%2fd%20e%2520&r=a%26b%3dc%2fd%20e%2520\">"
            ),
            ("<a href=\"/x?q={{. | urlquery}}\">", "a b", "<a href=\"/x?q=a&#43;b\">"),
            ("<a href=?q={{.}}>", "a&b", "<a href=?q=a%26b>"),
            ("<a data-x-url='{{.}}'>", "x:y", "<a data-x-url='#ZgotmplZ'>"),
            ("<a xlink:href='{{.}}'>", "x:y", "<a xlink:href='#ZgotmplZ'>"),
            ("<img src=\"{{.}}{{.}}\">", "javascript:", "<img src=\"#ZgotmplZ#ZgotmplZ\">"),
        ])
    func addresses(text: String, value: String, result: String) throws {
        #expect(try render(text, value) == result)
    }

    @Test(
        "scripts take literals and parts of strings, and nothing where the place is unclear",
        arguments: [
            (
                "<script>f({{.}})</script>", "</script>\"'",
                "<script>f(\"\\u003c\\/script\\u003e\\u0022\\u0027\")</script>"
            ),
            ("<script>f('a\\'{{.}}')</script>", "'x\\", "<script>f('a\\'\\u0027x\\\\')</script>"),
            ("<script>f('\\\\'+{{.}})</script>", "x", "<script>f('\\\\'+\"x\")</script>"),
            ("<script>// {{.}}\nf({{.}})</script>", "x", "<script>// \nf(\"x\")</script>"),
            ("<script>/* {{.}} */f({{.}})</script>", "x", "<script>/*  */f(\"x\")</script>"),
            ("<script>a = /\"/; f({{.}})</script>", "x", nil), ("<script>f(`{{.}}`)</script>", "x", nil),
        ] as [(String, String, String?)])
    func scripts(text: String, value: String, result: String?) throws {
        #expect((try? render(text, value)) == result)
    }

    @Test("values that are no strings")
    func others() throws {
        #expect(
            try render("{{.}}<a title=\"{{.}}\"><script>{{.}}</script>", .integer(3))
                == "3<a title=\"3\"><script> 3 </script>")
        #expect(try render("{{.}}|<script>{{.}}</script>", .null) == "|<script> null </script>")
        #expect(try render("{{.}}", .list([.string("<")], type: "[]string")) == "[&lt;]")
        #expect(throws: TemplateError.self) { try render("<script>{{.}}</script>", .labels(["a": "b"])) }
    }

    @Test("comments count as output")
    func comments() {
        let text = "{{range 100000}}<!-- \(String(repeating: "x", count: 1000)) -->{{end}}"
        #expect(throws: TemplateError.self) { try render(text, .null) }
    }

    @Test("the place goes on from template to template")
    func calls() throws {
        let text = "{{define \"v\"}}{{.}}{{end}}<a href=\"{{template \"v\" .}}\">{{template \"v\" .}}</a>"
        #expect(try render(text, "x:<") == "<a href=\"#ZgotmplZ\">x:&lt;</a>")
    }
}
