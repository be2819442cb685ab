import Config
import Model
import Testing

@Suite("Relabelling")
struct RelabelTests {
    /// Reads rules as they stand under a job.
    static func rules(_ yaml: String) throws -> [RelabelRule] {
        let text =
            "scrape_configs:\n- job_name: j\n  relabel_configs:\n"
            + yaml.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n")
        return try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml").scrapeConfigs[0].relabelRules
    }

    static let before = Labels([("a", "foo"), ("b", "bar"), ("__meta_x", "y")])

    @Test(
        "each action",
        arguments: [
            ("- {source_labels: [a], regex: f(.*), target_label: d, replacement: 'ch$1-ch${1}'}", ["d": "choo-choo"]),
            (
                "- {source_labels: [a, b], separator: '-', regex: (.*)-(.*), target_label: c, replacement: $2$1}",
                ["c": "barfoo"]
            ),
            ("- {source_labels: [a], regex: nope, target_label: d}", [:]),
            ("- {target_label: a, replacement: ''}", ["a": nil]),
            ("- {source_labels: [b], target_label: c, action: uppercase}", ["c": "BAR"]),
            ("- {source_labels: [b], target_label: c, action: HashMod, modulus: 1000}", ["c": "\(hashOfBar)"]),
            ("- {regex: __meta_(.*), action: labelmap}", ["x": "y"]),
            ("- {regex: __.*, action: labeldrop}", ["__meta_x": nil]),
            ("- {regex: a, action: labelkeep}", ["b": nil, "__meta_x": nil]),
            ("- {source_labels: [a], regex: (f)oo, target_label: 'x_${1}', replacement: v}", ["x_f": "v"]),
        ] as [(String, [String: String?])])
    func actions(_ yaml: String, _ changes: [String: String?]) throws {
        var builder = LabelsBuilder(Self.before)
        #expect(Relabel.apply(try Self.rules(yaml), to: &builder))
        var expected = LabelsBuilder(Self.before)
        for (name, value) in changes { expected.set(name, value ?? "") }
        #expect(builder.labels() == expected.labels())
    }

    /// md5("bar") = 37b51d194a7513e45b56f6524f2d51f2; its last 8 bytes modulo 1000.
    static let hashOfBar: UInt64 = 0x5b56_f652_4f2d_51f2 % 1000

    @Test(
        "what drops and what keeps",
        arguments: [
            ("- {source_labels: [a], regex: fo+, action: drop}", false),
            ("- {source_labels: [a], regex: o, action: drop}", true),
            ("- {source_labels: [a], regex: fo+, action: keep}", true),
            ("- {source_labels: [zz], regex: .+, action: keep}", false),
            ("- {source_labels: [a], target_label: b, action: keepequal}", false),
            ("- {source_labels: [a], target_label: b, action: dropequal}", true),
        ])
    func dropping(_ yaml: String, _ kept: Bool) throws {
        var builder = LabelsBuilder(Self.before)
        #expect(Relabel.apply(try Self.rules(yaml), to: &builder) == kept)
    }

    @Test(
        "a dot matches a line feed",
        arguments: [
            "- {source_labels: [c], regex: x.y, action: keep}", "- {source_labels: [c], regex: x.*, action: keep}",
            "- {source_labels: [c], action: keep}", "- {source_labels: [c], regex: .+y, action: keep}",
        ])
    func dots(_ yaml: String) throws {
        var builder = LabelsBuilder(Labels([("c", "x\ny")]))
        #expect(Relabel.apply(try Self.rules(yaml), to: &builder))
    }

    @Test(
        "case changes letter by letter, of actions too",
        arguments: [
            ("uppercase", "straße ŉ", "STRAßE ŉ"), ("lowercase", "İΑΣ ẞ", "iασ ß"), ("Uppercase", "ᾳ", "ᾼ"),
            ("LOWERCASE", "E\u{301}", "e\u{301}"), ("\u{212A}eep", "straße", "straße"),
        ])
    func cases(_ action: String, _ text: String, _ changed: String) throws {
        var builder = LabelsBuilder(Labels([("c", text)]))
        let target = action.hasSuffix("eep") ? "" : "target_label: c, "
        #expect(Relabel.apply(try Self.rules("- {source_labels: [c], \(target)action: \(action)}"), to: &builder))
        #expect(builder.get("c").isExactly(changed))
    }

    @Test(
        "the digest is RFC 1321's",
        arguments: [
            ("", "d41d8cd98f00b204e9800998ecf8427e"), ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a"
            ),
        ])
    func md5(_ text: String, _ digest: String) {
        let hex = MD5.hash(Array(text.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(hex == digest)
    }
}
