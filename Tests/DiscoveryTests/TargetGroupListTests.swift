import Config
import Model
import Testing

@testable import Discovery

/// Documents of target groups as other programs write them.
@Suite("Target group list")
struct TargetGroupListTests {
    private func parse(_ text: String, isJSON: Bool = true) throws -> [TargetGroup] {
        try TargetGroupList.parse(Array(text.utf8), isJSON: isJSON, place: "f", labels: [])
    }

    private func targets(_ group: TargetGroup) -> [String] {
        group.targets.map { $0.first { $0.name == "__address__" }?.value ?? "none" }
    }

    private func labels(_ group: TargetGroup?) -> [String: String] {
        Dictionary((group?.labels ?? []).map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
    }

    @Test("JSON is read by Go's rules: any case of fields, the last of equal ones, null as nothing")
    func json() throws {
        #expect(try parse("null").isEmpty)
        #expect(try parse(" [] \n").isEmpty)
        let groups = try parse(
            #"[{"Targets": ["a:1", null], "LABELS": {"x": "1", "x": "2", "n": null}}, {"targets": null, "labels": null},"#
                + #" {"targets": ["b"], "targets": ["\u00e4\ud83d\ude00\/c"]}, {}]"#)
        #expect(groups.count == 4)
        #expect(targets(groups[0]) == ["a:1", ""])
        #expect(labels(groups[0])["x"] == "2" && labels(groups[0])["n"] == "")
        #expect(targets(groups[2]) == ["ä😀/c"])
    }

    @Test(
        "of equal fields of targets the last is used, but a null in it is what was at its place, as in Go",
        arguments: [
            (#"["x", "w"], "targets": [null, "q"]"#, ["x", "q"]), (#"["x"], "targets": [null]"#, ["x"]),
            (#"["x", "y"], "targets": ["z"]"#, ["z"]), (#"["x"], "targets": null"#, []),
            (#"["x"], "targets": null, "targets": [null]"#, [""]), (#"["x"], "targets": [], "Targets": [null]"#, [""]),
            (#"["x", "y"], "targets": ["z"], "targets": [null, null, null]"#, ["z", "y", ""]),
            (#"null, "targets": [null, "a"]"#, ["", "a"]),
        ])
    func equalFields(text: String, expected: [String]) throws {
        let groups = try parse(#"[{"targets": \#(text)}, {"targets": [null]}]"#)
        #expect(try targets(#require(groups.first)) == expected)
        #expect(try targets(#require(groups.last)) == [""])
    }

    @Test(
        "JSON that Go refuses is refused with the group's number",
        arguments: [
            #"[{"targets": ["a"], "foo": 1}]"#, #"[null]"#, #"[{"targets": [1]}]"#, #"[{"targets": "a"}]"#,
            #"[{"labels": {"a": 1}}]"#, #"[{"labels": {"a": true}}]"#, #"[{"labels": []}]"#, #"[[]]"#, "{}", "1",
            #"[{"targets": []}] x"#, "", #"[{"labels": {"": "x"}}]"#, "\u{FEFF}[]", "- targets: [a]",
            "[{'targets': []}]",
        ])
    func badJSON(text: String) {
        #expect(throws: ConfigError.self) { try parse(text) }
    }

    @Test("YAML takes numbers, switches and null as label values")
    func yaml() throws {
        let groups = try parse(
            "- targets: [a:1, 'b']\n  labels: {n: 1, f: 1.50, b: true, z: null, e: , q: \"x\"}\n", isJSON: false)
        #expect(labels(groups.first) == ["n": "1", "f": "1.50", "b": "true", "z": "", "e": "", "q": "x"])
        // A null is an empty target, which the building of targets skips.
        let targets = try parse("- targets: [a:1, null, ~, b:2]", isJSON: false).first?.targets ?? []
        #expect(targets.map { $0.map(\.value) } == [["a:1"], [""], [""], ["b:2"]])
        #expect(try parse("", isJSON: false).isEmpty)
        #expect(try parse("# nothing\n", isJSON: false).isEmpty)
        for bad in [
            "- null", "- {targets: [a], foo: 1}", "- {labels: {a: [1]}}", "a: 1", "- {labels: {a: 1, a: 2}}",
            "- {targets: [a], targets: [b]}", "- {labels: {a: b}, labels: {}}",
        ] {
            #expect(throws: ConfigError.self) { try parse(bad, isJSON: false) }
        }
    }
}
