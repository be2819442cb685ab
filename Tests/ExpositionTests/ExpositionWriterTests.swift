import Exposition
import Model
import Testing

@Suite("Exposition writer")
struct ExpositionWriterTests {
    static func page(_ isOpenMetrics: Bool, _ escaping: NameEscaping = .allowUTF8) -> String {
        var writer = ExpositionWriter(isOpenMetrics: isOpenMetrics, escaping: escaping)
        writer.family("a_total", .counter, help: "He\\lp\n\"x\"")
        writer.sample("a_total", [("x", "q\"\\\n")], value: 3, timestamp: 1500)
        writer.family("h", .histogram)
        writer.sample("h_bucket", [("le", "1")], value: 1)
        writer.sample("h_bucket", [("le", "+Inf")], value: 1)
        writer.sample("h_count", value: 1)
        writer.sample("h_sum", value: 0.5)
        writer.family("m.y", .gauge)
        writer.sample(Labels([("__name__", "m.y"), ("l.x", "1")]), value: .infinity)
        return String(decoding: writer.finish(), as: UTF8.self)
    }

    @Test("Prometheus text")
    func text() {
        #expect(
            Self.page(false) == """
                # HELP a_total He\\\\lp\\n"x"
                # TYPE a_total counter
                a_total{x="q\\"\\\\\\n"} 3 1500
                # TYPE h histogram
                h_bucket{le="1"} 1
                h_bucket{le="+Inf"} 1
                h_count 1
                h_sum 0.5
                # TYPE "m.y" gauge
                {"m.y","l.x"="1"} +Inf

                """)
    }

    @Test("OpenMetrics holds its own rules")
    func openMetrics() throws {
        try OpenMetricsValidator.validate(Array(Self.page(true, .underscores).utf8))
        #expect(Self.page(true).contains("# TYPE a counter\na_total{x=\"q\\\"\\\\\\n\"} 3.0 1.5\n"))
        #expect(Self.page(true).contains("h_bucket{le=\"1.0\"} 1.0\n"))
    }

    @Test("what is written is read back")
    func roundTrip() throws {
        let lines = try readPage(Array(Self.page(false).utf8)).get()
        #expect(lines.first == Line(labels: ["__name__=a_total", "x=q\"\\\n"], value: 3, time: 1500))
        #expect(lines.last == Line(labels: ["__name__=m.y", "l.x=1"], value: .infinity))
    }

    @Test(
        "names by escaping scheme",
        arguments: [
            (NameEscaping.underscores, "a.b", "a_b"), (.underscores, "1a", "_a"), (.dots, "a.b_c", "a_dot_b__c"),
            (.dots, "ab", "ab"), (.values, "a.b_c", "U__a_2e_b__c"), (.values, "abc", "abc"),
            (.allowUTF8, "a.b", "a.b"),
        ])
    func names(_ scheme: NameEscaping, _ name: String, _ shown: String) { #expect(scheme.escape(name) == shown) }

    @Test("the format follows the Accept header")
    func negotiation() {
        func type(_ accept: String) -> String { ExpositionNegotiation(accept: accept).contentType }
        #expect(type("") == "text/plain; version=0.0.4; charset=utf-8; escaping=underscores")
        #expect(type("*/*") == "text/plain; version=0.0.4; charset=utf-8; escaping=underscores")
        #expect(
            type("text/plain;q=0.5, application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.9")
                == "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8")
        #expect(!ExpositionNegotiation(accept: "application/openmetrics-text", allowsOpenMetrics: false).isOpenMetrics)
        #expect(type("text/html,text/plain;version=1.0.0;q=0.3").hasPrefix("text/plain; version=1.0.0"))
    }
}
