import Model
import TestSupport
import Testing

@testable import Config

/// Scalars as go-yaml resolves them.
@Suite("YAML scalars")
struct YAMLScalarTests {
    private func reader(_ text: String) throws -> MappingReader {
        try MappingReader(
            try #require(try YAMLParser.parse(Array(("k: " + text).utf8), file: "f")), "test",
            ConfigProblems())
    }

    @Test(
        "numbers in every spelling of go-yaml are whole numbers",
        arguments: [
            ("1e+06", 1_000_000), ("2048.0", 2048), ("0x10", 16), ("0o10", 8), ("0b11", 3), ("010", 8), ("+5", 5),
            ("1_000", 1000), ("1.9", 1), ("5.", 5), (".5", 0), ("1E3", 1000), ("0", 0), ("0XfF", 255), ("0B1", 1),
            ("1.e2", 100), ("9223372036854775807", Int.max),
        ])
    func whole(text: String, value: Int) throws {
        #expect(try reader(text).integer("k") == value)
        #expect(try reader(text).count("k") == value)
        #expect(try reader(text).unsigned("k") == UInt64(value))
    }

    @Test("a scalar with a tag is of that kind, or is refused without its text")
    func tags() throws {
        for (text, value) in [
            ("!!str 5", "5"), ("!!int 5", "5"), ("!!int \"5\"", "5"), ("!!float 5", "5"), ("!!bool yes", "yes"),
            ("!!timestamp 2001-01-01", "2001-01-01"), ("!own x", "x"), ("! x", "x"), ("!!other x", "x"),
        ] { #expect(try reader(text).string("k") == value, "\(text)") }
        #expect(try reader("!!null ''").string("k") == nil)
        #expect(try reader("!!int \"0x10\"").integer("k") == 16)
        #expect(try reader("!!float 5").number("k") == 5)
        #expect(try reader("!!bool on").bool("k") == true)
        #expect(throws: ConfigError.self) { try reader("!!str 5").integer("k") }
        for (text, message) in [
            ("!!int SECRET", "f:1:4: yaml: cannot decode !!str as a !!int"),
            ("!!int 1.5", "f:1:4: yaml: cannot decode !!float as a !!int"),
            ("!!float SECRET", "f:1:4: yaml: cannot decode !!str as a !!float"),
            ("!!bool 1", "f:1:4: yaml: cannot decode !!int as a !!bool"),
            ("!!null SECRET", "f:1:4: yaml: cannot decode !!str as a !!null"),
            ("!!timestamp SECRET", "f:1:4: yaml: cannot decode !!str as a !!timestamp"),
            ("!<tag:yaml.org,2002:int> SECRET", "f:1:4: yaml: cannot decode !!str as a !!int"),
        ] {
            do {
                _ = try reader(text)
                Issue.record("\(text) is taken")
            } catch { #expect("\(error)" == message) }
        }
    }

    @Test(
        "what is no number is refused, quoted numbers and switches too",
        arguments: [
            "\"10\"", "'10'", "abc", "1e", "0x", "0b2", "--5", "1 2", "true", ".inf", ".nan", "[1]", "{a: 1}", "1e400",
            "0s7", "0z10", "0:5", "0-7", "0a", "0x1.8p1", "\"true\"", "08.x", "-", "+", ".", "1-2",
            "99999999999999999999999",
        ])
    func noNumber(text: String) throws {
        #expect(throws: ConfigError.self) { try reader(text).integer("k") }
        #expect(throws: ConfigError.self) { try reader(text).count("k") }
        if text != "true" { #expect(throws: ConfigError.self) { try reader(text).bool("k") } }
    }

    @Test("unsigned numbers go up to 2^64 and not below 0")
    func unsigned() throws {
        #expect(try reader("18446744073709551615").unsigned("k") == .max)
        #expect(try reader("18446744073709551615").count("k") == .max)
        #expect(throws: ConfigError.self) { try reader("-1").count("k") }
        #expect(throws: ConfigError.self) { try reader("18446744073709551616").integer("k") }
        #expect(throws: ConfigError.self) { try reader("18446744073709551615").integer("k") }
        #expect(try reader("-9223372036854775808").integer("k") == .min)
        #expect(try reader("-1").integer("k") == -1)
    }

    @Test("random whole numbers read back in every base")
    func random() throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<10_000 {
            let number = Int64(bitPattern: random.next()) >> Int64(random.next() % 63)
            let digits = number.magnitude
            let sign = number < 0 ? "-" : ""
            for spelled in [
                "\(number)", sign + "0x" + String(digits, radix: 16), sign + "0b" + String(digits, radix: 2),
                sign + "0o" + String(digits, radix: 8), sign + "0" + String(digits, radix: 8),
            ] {
                #expect(YAMLScalar(spelled, isPlain: true) == .int(number), "\(spelled)")
                #expect(YAMLScalar(spelled, isPlain: false) == .string)
            }
        }
    }

    @Test("limits in configurations take what Helm writes; a rule's limit may be negative")
    func configurations() throws {
        let configuration = try ConfigurationLoader.parse(
            text: Array(
                """
                scrape_configs:
                - job_name: a
                  sample_limit: 1e+06
                  label_value_length_limit: 2048.0
                  params: {b1234: , c: [x, null]}
                  relabel_configs:
                  - {source_labels: [null], regex: '(?<n>a)', target_label: b, replacement: '$n'}
                  - {source_labels: [a], action: hashmod, modulus: 18446744073709551615, target_label: h}
                """.utf8), path: "f.yml")
        let job = try #require(configuration.scrapeConfigs.first)
        #expect(job.limits.samples == 1_000_000)
        #expect(job.limits.labelValueLength == 2048)
        #expect(job.params.map(\.values) == [[], ["x", ""]])
        #expect(job.relabelRules[1].modulus == .max)
        let rules = try RuleFileLoader.parse(
            text: Array("groups: [{name: g, limit: -1, rules: [{record: a, expr: b}]}]".utf8), path: "r.yml")
        #expect(rules.groups.first?.limit == 0)
    }

    @Test(
        "relabel rules that Prometheus refuses are refused",
        arguments: [
            ("", "action: null, source_labels: [a], target_label: b", "relabel action cannot be empty"),
            ("", "action: keepequal, source_labels: [a], target_label: b, regex: (.*)", "no other fields"),
            ("", "target_label: null, source_labels: [a]", "requires 'target_label' value"),
            ("", "source_labels: [\"\"], target_label: b", "is not a valid label name"),
            ("", "regex: 'a\\C', target_label: b", "invalid escape sequence: `\\C`"),
            ("legacy", "target_label: a-b", "is invalid 'target_label' for replace action"),
            ("legacy", "target_label: '${1}-b'", "is invalid 'target_label' for replace action"),
            ("legacy", "action: labelmap, regex: a, replacement: 'b.$1'", "is invalid 'replacement' for labelmap"),
            ("legacy", "action: lowercase, target_label: 'a.b'", "is invalid 'target_label' for lowercase"),
            ("legacy", "action: keepequal, target_label: '1a'", "is invalid 'target_label' for keepequal"),
        ])
    func relabel(scheme: String, rule: String, message: String) {
        let scheme = scheme.isEmpty ? "utf8" : scheme
        let text =
            "global: {metric_name_validation_scheme: \(scheme)}\n"
            + "scrape_configs: [{job_name: a, relabel_configs: [{\(rule)}]}]"
        let error = #expect(throws: ConfigError.self) {
            try ConfigurationLoader.parse(text: Array(text.utf8), path: "f.yml")
        }
        #expect(error?.message.contains(message) == true, "\(error?.description ?? "")")
    }

    @Test(
        "legacy names with references to groups are taken", arguments: ["a_$1", "${1}_b", "$name", "a${n}b1", "a$1$2"])
    func legacyTemplates(target: String) throws {
        let text =
            "global: {metric_name_validation_scheme: legacy}\n"
            + "scrape_configs: [{job_name: a, relabel_configs: [{regex: '(.)(?P<n>.)', target_label: '\(target)'}]}]"
        _ = try ConfigurationLoader.parse(text: Array(text.utf8), path: "f.yml")
    }

    @Test(
        "environment variables are expanded as os.Expand does",
        arguments: [
            ("$A", "va"), ("${A}", "va"), ("$$", "$"), ("$$A", "$A"), ("${A", "A"), ("${}x", "x"), ("$", "$"),
            ("a$ b", "a$ b"), ("$1x", "x"), ("${NO}", ""), ("$A-$A_", "va-"), ("$.A", "$.A"), ("${A}${B}", "vavb"),
            ("${$}", "$"), ("$ä", "$ä"), ("x$", "x$"), ("$A$", "va$"), ("${a b}", "sp"), ("$@x", "x"),
            ("$${A}", "${A}"),
        ])
    func environment(text: String, expanded: String) {
        let known = ["A": "va", "B": "vb", "a b": "sp"]
        #expect(GlobalConfig.expand(text) { known[$0] } == expanded)
    }

    @Test("an unknown key is named before anything that is missing, with the nearest known one")
    func unknownKeys() {
        for (text, message) in [
            ("scrape_configs: [{job: 3}]", "field job not found in type config.ScrapeConfig"),
            ("scrape_configs: [{job_name: a, static_config: []}]", "did you mean static_configs?"),
        ] {
            let error = #expect(throws: ConfigError.self) {
                try ConfigurationLoader.parse(text: Array(text.utf8), path: "f.yml")
            }
            #expect(error?.message.contains(message) == true, "\(error?.description ?? "")")
        }
    }

    @Test("UTF-16 and a byte-order mark are read as go-yaml reads them")
    func encodings() throws {
        let text = "global: {external_labels: {a: ä}}"
        let wide = Array(text.utf16)
        let little: [UInt8] = [0xFF, 0xFE] + wide.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
        let big: [UInt8] = [0xFE, 0xFF] + wide.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
        for bytes in [Array(text.utf8), [0xEF, 0xBB, 0xBF] + Array(text.utf8), little, big] {
            let configuration = try ConfigurationLoader.parse(text: bytes, path: "f.yml")
            #expect(configuration.global.externalLabels == Labels([("a", "ä")]))
        }
    }
}
