import Model
import TestSupport
import Testing

@Suite("Labels")
struct LabelsTests {
    @Test("pairs in any order become a sorted set without empty values")
    func sorting() {
        let labels = Labels([("job", "a"), ("__name__", "up"), ("gone", "")])
        #expect(labels.pairs == [Label(name: "__name__", value: "up"), Label(name: "job", value: "a")])
        #expect(labels["job"] == "a")
        #expect(labels["gone"] == nil)
        #expect(labels.metricName == "up")
        #expect(labels.count == 2)
    }

    @Test("sets are ordered as lists of names and values, whatever their sizes")
    func orderOfSizes() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        let values = [
            "", "a", "ab", "b", "\u{FF}", String(repeating: "x", count: 254), String(repeating: "x", count: 255),
        ]
        let sets = (0..<120).map { _ in
            Labels(["__name__", "a", "ab", "b", "job"].map { ($0, values.randomElement(using: &random) ?? "") })
        }
        for a in sets {
            for b in sets {
                let (x, y) = (a.pairs.flatMap { [$0.name, $0.value] }, b.pairs.flatMap { [$0.name, $0.value] })
                let isBefore = x.lexicographicallyPrecedes(y) { $0.utf8.lexicographicallyPrecedes($1.utf8) }
                #expect((a < b) == isBefore)
                #expect((a == b) == (x == y))
            }
        }
    }

    @Test(
        "the stable hash is Prometheus's",
        arguments: [
            ([], 0xef46_db37_51d8_e999),
            ([("a", "b")], 0xe1d7_c427_46d8_6b11),
            ([("__name__", "up"), ("job", "a")], 0xabb3_5243_313f_bb0b),
            ([("instance", "localhost:9090"), ("job", "prometheus")], 0x97c8_cdd1_c29c_d6f6),
        ] as [([(String, String)], UInt64)])
    func stableHash(_ pairs: [(String, String)], _ hash: UInt64) {
        #expect(Labels(pairs).stableHash == hash)
    }

    @Test("values of 255 bytes and more keep their size")
    func longValues() {
        for size in [254, 255, 256, 70_000] {
            let value = String(repeating: "x", count: size)
            #expect(Labels([("a", value), ("b", "c")])["a"] == value)
            #expect(Labels([("a", value), ("b", "c")])["b"] == "c")
        }
    }

    @Test("order is by name, then value, bytewise, and a beginning comes first")
    func order() {
        let ordered = [
            Labels.empty, Labels([("a", "b")]), Labels([("a", "b"), ("c", "d")]), Labels([("a", "bb")]),
            Labels([("b", "a")]),
        ]
        for (i, a) in ordered.enumerated() {
            for (j, b) in ordered.enumerated() { #expect((a < b) == (i < j), "\(a) < \(b)") }
        }
    }

    @Test("damaged packed bytes end the walk, and never read outside")
    func damaged() {
        #expect(Labels(packed: [5, 97]).pairs.isEmpty)
        #expect(Labels(packed: [1, 97]).pairs.isEmpty)
        #expect(Labels(packed: [255, 1]).pairs.isEmpty)
        #expect(Labels(packed: [1, 97, 1, 98, 9]).pairs == [Label(name: "a", value: "b")])
    }

    @Test("labels are kept and removed by name")
    func keeping() {
        let labels = Labels([("a", "1"), ("b", "2"), ("c", "3")])
        #expect(labels.keeping(["c", "a"]) == Labels([("a", "1"), ("c", "3")]))
        #expect(labels.removing(["b"]) == Labels([("a", "1"), ("c", "3")]))
    }

    @Test("a metric is printed as Prometheus prints it")
    func printing() {
        #expect(Labels([("__name__", "up"), ("job", "a\"b")]).metricDescription == #"up{job="a\"b"}"#)
        #expect(Labels([("__name__", "a.b"), ("x", "y")]).metricDescription == #"{"a.b", x="y"}"#)
        #expect(Labels.empty.metricDescription == "{}")
    }

    @Test("a builder agrees with a dictionary")
    func builder() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<200 {
            var builder = LabelsBuilder()
            var model: [String: String] = [:]
            for _ in 0..<20 {
                let name = String("abcdefgh".randomElement(using: &random) ?? "a")
                let value = Bool.random(using: &random) ? "" : "\(Int.random(in: 0..<100, using: &random))"
                builder.set(name, value)
                model[name] = value.isEmpty ? nil : value
            }
            #expect(builder.labels() == Labels(model.map { ($0.key, $0.value) }))
        }
    }

    @Test("many labels set or removed at once are as one after the other")
    func builderInBulk() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for count in [0, 1, 15, 16, 17, 40, 200] {
            func some() -> [Label] {
                (0..<count).map { _ in
                    Label(
                        name: "n\(Int.random(in: 0...count, using: &random))",
                        value: Bool.random(using: &random) ? "" : "\(Int.random(in: 0..<100, using: &random))")
                }
            }
            let (first, second) = (some(), some())
            var (single, bulk) = (LabelsBuilder(), LabelsBuilder())
            for label in first + second { single.set(label.name, label.value) }
            bulk.set(first)
            bulk.set(second)
            #expect(bulk.labels() == single.labels())
            for label in single.current where label.name.hasSuffix("1") { single.remove(label.name) }
            bulk.removeAll { $0.hasSuffix("1") }
            #expect(bulk.labels() == single.labels())
        }
    }

    @Test("hundreds of thousands of labels are set and removed in linear time")
    func manyInBulk() {
        let count = 300_000
        let labels = (0..<count).map { Label(name: "l\(count - $0)", value: "v") }
        let time = ContinuousClock().measure {
            var builder = LabelsBuilder()
            builder.set(labels)
            #expect(builder.current.count == count)
            builder.removeAll { !$0.hasSuffix("7") }
            #expect(builder.current.count == count / 10)
        }
        // One after the other they take minutes.
        #expect(time < .seconds(30))
    }
}
