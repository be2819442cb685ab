import Model
import TestSupport
import Testing

@Suite("Label sets of any size")
struct LongLabelsTests {
    @Test("a text of any length comes back, and the labels behind it")
    func lengths() {
        for length in [1, 254, 255, 256, 65_535, 65_536, 0xFF_FFFE, 0xFF_FFFF, 0x100_0000, 20_000_000] {
            let long = String(repeating: "v", count: length)
            let labels = Labels([("z", "last"), ("a", long), ("b", "next")])
            #expect(labels.count == 3)
            #expect(labels["a"]?.utf8.count == length)
            #expect(labels["b"] == "next" && labels["z"] == "last")
            #expect(labels.removing(["a"]) == Labels([("b", "next"), ("z", "last")]))
            var builder = LabelsBuilder(labels)
            builder.set("c", "x")
            builder.remove("c")
            #expect(builder.labels() == labels)
        }
    }

    @Test("sizes that reach beyond the bytes end the walk")
    func damaged() {
        for size: [UInt8] in [
            [255, 255, 255, 255], [255, 255, 255, 255, 1, 0, 0, 0, 0, 0, 0, 128],
            [255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255], [255, 1, 0], [5, 1],
        ] {
            #expect(Labels(packed: size + [1, 2, 3]).pairs.isEmpty)
        }
    }

    @Test("pairs in any order make the set that one change after the other makes")
    func order() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<2000 {
            let pairs = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                (
                    ["a", "b", "aa", "é", "e\u{301}", "", "Z"].randomElement(using: &random) ?? "",
                    ["", "1", "22"].randomElement(using: &random) ?? ""
                )
            }
            var builder = LabelsBuilder()
            for (name, value) in pairs { builder.set(name, value) }
            #expect(Labels(pairs).bytes == builder.labels().bytes, "\(pairs)")
        }
    }

    @Test("a hundred thousand labels in descending order are one sort")
    func many() {
        let pairs = (0..<100_000).reversed().map { ("l\($0 + 100_000)", "v") }
        let labels = Labels(pairs)
        #expect(labels.count == 100_000)
        #expect(labels["l100000"] == "v" && labels["l199999"] == "v")
    }
}
