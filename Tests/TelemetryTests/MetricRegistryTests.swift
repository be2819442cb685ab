import Telemetry
import Testing

@Suite("Metric registry")
struct MetricRegistryTests {
    @Test("the same name and labels are the same metric")
    func identity() {
        let registry = MetricRegistry()
        registry.counter("a_total", "A.", ["job": "x"]).increment()
        registry.counter("a_total", "A.", ["job": "x"]).add(0.5)
        registry.counter("a_total", "A.", ["job": "y"]).increment(by: 3)
        let family = registry.families().first
        #expect(family?.samples.map(\.value) == [1.5, 3])
        #expect(family?.samples.first?.labels.first?.value == "x")
    }

    @Test("labels that differ in their bytes only are two metrics")
    func exactLabels() {
        let registry = MetricRegistry()
        registry.counter("a_total", "A.", ["job": "\u{E9}"]).increment()
        registry.counter("a_total", "A.", ["job": "e\u{301}"]).increment(by: 2)
        #expect(registry.families().first?.samples.map(\.value) == [2, 1])
        registry.remove("a_total", ["job": "\u{E9}"])
        #expect(registry.families().first?.samples.map(\.value) == [2])
    }

    @Test("a counter ignores what would make it fall")
    func monotonic() {
        let counter = MetricRegistry().counter("a_total", "A.")
        counter.add(-1)
        counter.add(.nan)
        counter.increment(by: -5)
        #expect(counter.value == 0)
    }

    @Test("a histogram shows cumulative buckets, sum and count")
    func histogram() {
        let registry = MetricRegistry()
        let histogram = registry.histogram("h", "H.", bounds: [1, 2])
        for value in [0.5, 1, 1.5, 9] { histogram.observe(value) }
        let samples = registry.families()[0].samples
        #expect(samples.map(\.value) == [2, 3, 4, 12, 4])
        #expect(samples.map(\.suffix) == ["_bucket", "_bucket", "_bucket", "_sum", "_count"])
        #expect(samples[2].labels.last?.value == "+Inf")
    }

    @Test("a name of two kinds is reported and harms nothing")
    func conflict() {
        let registry = MetricRegistry()
        registry.counter("a", "A.").increment()
        registry.gauge("a", "A.").set(7)
        #expect(registry.conflicts == ["a"])
        #expect(registry.families().count == 1)
    }

    @Test("collectors join the families of the same name")
    func collectors() {
        let registry = MetricRegistry()
        registry.gauge("a", "A.").set(1)
        registry.addCollector { [MetricFamily(name: "a", help: "A.", kind: .gauge, samples: [.init(value: 2)])] }
        #expect(registry.families().map(\.samples.count) == [2])
    }

    @Test("to add a metric to a large family costs as much as to a small one")
    func manyLabels() {
        let registry = MetricRegistry()
        // What copies the family for each of them would copy ten thousand million entries.
        for i in 0..<150_000 { registry.gauge("jobs", "Jobs.", ["job": "\(i)"]).set(1) }
        for i in 0..<150_000 { registry.remove("jobs", ["job": "\(i)"]) }
        #expect(registry.families().first { $0.name == "jobs" }?.samples.isEmpty == true)
    }
}
