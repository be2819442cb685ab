import Model
import Scrape
import TestSupport
import Testing

/// Pages with mistakes, in text: what is counted and kept of them.
///
/// The expected figures are those of Prometheus.
@Suite("Pages with mistakes")
struct BrokenPageTests {
    private static func rig(_ text: String, _ job: String = "") throws -> ScrapeManagerTests.Rig {
        let rig = try ScrapeManagerTests.Rig(text, job: job)
        rig.scrape()
        return rig
    }

    private static func report(_ rig: ScrapeManagerTests.Rig, _ name: String) -> Double? {
        rig.values("\(name){instance=\"here\", job=\"test\"}").last ?? nil
    }

    @Test(
        "a page that fails counts its samples up to the mistake",
        arguments: [
            ("a 1\nb 2\nc ?\nd 4\n", 2, 2), ("a 1\nb{x=1} 2\n", 1, 1), ("a 1\nb{,} 2\n", 1, 1),
            ("a 1\nb{a=\"1\",a=\"2\"} 2\nc 1\n", 2, 1), ("1a 1\n", 0, 0), ("a 1\n{x=\"1\"} 2\n", 1, 1),
            ("a 1\nb 2 3 4\n", 1, 1), ("a 1\n# TYPE b nonsense\n", 1, 1),
        ] as [(String, Double, Double)])
    func counts(_ page: String, _ scraped: Double, _ kept: Double) throws {
        let rig = try Self.rig(page)
        #expect(Self.report(rig, "up") == 0)
        #expect(Self.report(rig, "scrape_samples_scraped") == scraped)
        #expect(Self.report(rig, "scrape_samples_post_metric_relabeling") == kept)
        #expect(rig.values(#"a{instance="here", job="test"}"#).isEmpty)
    }

    @Test("a page over a label limit counts the samples before it")
    func labelLimit() throws {
        let rig = try Self.rig("a 1\nb{x=\"1\",y=\"2\"} 2\nc 3\n", "    label_limit: 4")
        #expect(Self.report(rig, "up") == 0)
        #expect(Self.report(rig, "scrape_samples_scraped") == 2)
        #expect(Self.report(rig, "scrape_samples_post_metric_relabeling") == 1)
    }

    @Test(
        "the size of a page that was read counts, also if the page is refused",
        arguments: [("a 1\nb 2\n", "", 8), ("a 1\na{ 2\n", "", 9), ("a 1\nb 2\n", "sample_limit: 1", 8)] + [
            ("a{x=\"1\"} 1\n", "label_limit: 3", 11), ("a 1\nb 2\n", "body_size_limit: 3B", -1), ("", "", 0),
        ] as [(String, String, Double)])
    func bodySize(_ page: String, _ limit: String, _ size: Double) throws {
        let rig = try Self.rig(page, "    extra_scrape_metrics: true\n    \(limit)")
        #expect(Self.report(rig, "scrape_body_size_bytes") == size)
    }

    @Test("a page that fails keeps the metadata before the mistake")
    func metadata() throws {
        for end in ["c ?\n", "b{a=\"1\",a=\"2\"} 2\n", "# TYPE x nonsense\n"] {
            let rig = try Self.rig("# HELP a First.\n# TYPE a gauge\na 1\n\(end)# HELP b Second.\n")
            let families = rig.manager.metadata().map(\.metric)
            #expect(families.contains("a"), "\(end)")
            #expect(!families.contains("b"), "\(end)")
        }
    }

    @Test(
        "a label that stands twice fails the page unless relabelling takes it away",
        arguments: [
            ("g{a=\"b\",a=\"c\"} 1\n", "", false), ("g{a=\"b\",a=\"b\"} 1\n", "", false),
            ("g{__name__=\"z\"} 1\n", "", false), ("g{job=\"1\",job=\"2\"} 1\n", "", true),
            ("g{a=\"b\",a=\"c\"} 1\n", "{regex: a, action: labeldrop}", true),
            ("g{a=\"b\",a=\"c\"} 1\n", "{source_labels: [__name__], regex: g, action: drop}", true),
            ("g{a=\"b\",a=\"c\"} 1\n", "{regex: '.*', action: labeldrop}", true),
            ("g{a=\"b\",a=\"c\"} 1\n", "{target_label: a, replacement: x}", true),
            ("g{a=\"b\",a=\"c\"} 1\n", "{target_label: b, replacement: x}", false),
            // Rules see the first value.
            ("g{a=\"b\",a=\"c\"} 1\n", "{source_labels: [a], regex: b, action: drop}", true),
            ("g{a=\"b\",a=\"c\"} 1\n", "{source_labels: [a], regex: c, action: drop}", false),
            ("g{a=\"b\",a=\"c\"} 1\n", "{source_labels: [a], regex: c, action: keep}", true),
        ])
    func repeatedLabel(_ page: String, _ rule: String, _ isUp: Bool) throws {
        let rig = try Self.rig(page, rule.isEmpty ? "" : "    metric_relabel_configs: [\(rule)]")
        #expect(Self.report(rig, "up") == (isUp ? 1 : 0))
        let error = rig.manager.targets().first?.lastError ?? ""
        #expect(error.isEmpty == isUp)
        if !isUp { #expect(error.hasSuffix("is not unique: invalid sample")) }
    }

    @Test(
        "a label with the empty name fails the scrape",
        arguments: [
            ("{action: labelmap, regex: 'x|a'}", false), ("{action: labelmap, regex: '(x)|a'}", false),
            ("{action: labelmap, regex: '(x)|b'}", true), ("{action: labelmap, regex: 'a', replacement: '$$'}", true),
        ])
    func emptyName(_ rule: String, _ isUp: Bool) throws {
        let rig = try Self.rig("g{a=\"b\"} 1\n", "    metric_relabel_configs: [\(rule)]")
        #expect(Self.report(rig, "up") == (isUp ? 1 : 0), "\(rule)")
        let error = rig.manager.targets().first?.lastError ?? ""
        #expect(error.hasPrefix("invalid metric name or label names: ") != isUp, "\(error)")
    }

    @Test(
        "odd lines of metadata are read as Prometheus reads them",
        arguments: [
            ("# HELP jvm.memory.used Used", "jvm", "memory.used Used"), ("# HELP a-b foo", "a", "b foo"),
            ("# HELP a/b x", "a", "b x"), ("# HELP a{b=\"c\"} x", "a", "b=\"c\"} x"), ("# HELP a.b", "a", "b"),
            ("# HELP a+", "a", ""), ("# HELP a", "a", ""), ("# HELP  a   spaced", "a", "  spaced"),
            ("#\tHELP\ta\t x", "a", " x"),
        ])
    func help(_ line: String, _ name: String, _ text: String) throws {
        let rig = try Self.rig(line + "\n# TYPE \(name) gauge\n\(name) 1\n")
        #expect(Self.report(rig, "up") == 1)
        let family = rig.manager.metadata().first { $0.metric == name }
        #expect(family?.metadata.help == text)
        #expect(family?.metadata.type == .gauge)
    }

    @Test(
        "metadata without a name, of no type or with broken text fails the page",
        arguments: ["# HELP ", "# TYPE ", "# TYPE a.b gauge", "# HELP .a x", "# HELP 1a x", "# TYPE a"])
    func badMetadata(_ line: String) throws {
        #expect(Self.report(try Self.rig(line + "\na 1\n"), "up") == 0)
    }

    @Test("a comment that only looks like metadata is a comment")
    func comments() throws {
        for line in ["# HELP", "# TYPE", "#HELP a", "# HELPa b", "# TYPO a b", "#"] {
            #expect(Self.report(try Self.rig(line + "\na 1\n"), "up") == 1, "\(line)")
        }
    }

    @Test("help that is not UTF-8 fails the page")
    func helpBytes() throws {
        let rig = try ScrapeManagerTests.Rig("")
        rig.page.set(
            .init(
                status: 200, headers: ["Content-Type": "text/plain"],
                body: Array("# HELP a x".utf8) + [0xFF] + Array("\na 1\n".utf8)))
        rig.scrape()
        #expect(Self.report(rig, "up") == 0)
        #expect(rig.manager.targets().first?.lastError.contains("is not a valid utf8 string") == true)
    }

    @Test(
        "an empty page has no samples, whatever its type",
        arguments: [
            "text/plain", "application/openmetrics-text; version=1.0.0", "text/html", "", "nonsense",
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
        ])
    func emptyPage(_ type: String) throws {
        let rig = try Self.rig("a 1\n")
        rig.page.set(.init(status: 200, headers: type.isEmpty ? [:] : ["Content-Type": type], body: []))
        rig.scrape()
        #expect(Self.report(rig, "up") == 1)
        #expect(Self.report(rig, "scrape_samples_scraped") == 0)
        #expect(rig.values(#"a{instance="here", job="test"}"#).count == 2, "a is stale")
    }
}
