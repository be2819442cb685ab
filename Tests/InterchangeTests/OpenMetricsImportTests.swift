import Model
import Platform
import Storage
import TestSupport
import Testing

@testable import Interchange

/// Backfilling from files, which may hold anything.
@Suite struct OpenMetricsImportTests {
    private func store(_ files: FaultyFileSystem) throws -> TimeSeriesStore {
        try TimeSeriesStore.open(
            options: StoreOptions(directory: "store", retentionTime: 0, runsInBackground: false), fileSystem: files,
            clock: ManualClock(now: 1_700_000_000_000))
    }

    private func run(_ text: String, _ store: TimeSeriesStore, _ files: FaultyFileSystem) throws -> (
        series: Int, samples: Int
    ) {
        try files.open("file", .replace).write(Array(text.utf8))
        return try OpenMetricsImport.run("file", into: store, files: files)
    }

    private func count(_ store: TimeSeriesStore) throws -> Int {
        let set = try store.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
        var columns = SampleColumns()
        var sum = 0
        for i in 0..<set.count {
            try set.read(i, into: &columns)
            sum += columns.count
        }
        return sum
    }

    @Test func `of samples of a series at one time the first is taken`() throws {
        let files = FaultyFileSystem()
        let target = try store(files)
        _ = try run("m 1 5\nn 7 5\nm 2 5\nm 3 4\nm 4 5\nm 5 4\n# EOF\n", target, files)
        let set = try target.select(
            SelectRequest(matchers: [Matcher(name: "__name__", equals: "m")], minTime: .min, maxTime: .max))
        var columns = SampleColumns()
        try set.read(0, into: &columns)
        #expect(columns.count == 2)
        #expect((0..<2).map { columns.timestamps[$0] } == [4000, 5000])
        #expect((0..<2).map { columns.values[$0] } == [3, 1])
    }

    @Test func `the same file again adds nothing, and one that overlaps adds the rest`() throws {
        let files = FaultyFileSystem()
        let target = try store(files)
        func text(_ steps: Range<Int>) -> String {
            "# TYPE m gauge\n" + steps.map { "m{a=\"1\"} \($0) \(1_700_000_000 + $0)\n" }.joined() + "# EOF\n"
        }
        _ = try run(text(0..<100), target, files)
        let blocks = target.blocks.map(\.meta.id)
        _ = try run(text(0..<100), target, files)
        #expect(target.blocks.map(\.meta.id) == blocks)
        _ = try run(text(50..<150), target, files)
        #expect(try count(target) == 150)
    }

    @Test(arguments: [
        ("m 1 1700000000\nm 2\n# EOF\n", "line 2"), ("m 1 1700000000\nm 2 1e300\n# EOF\n", "line 2"),
        ("m 1 1700000000\nm 2 -99999999999999\n# EOF\n", "line 2"),
        ("m 1 1700000000\nm 2 253402300800\n# EOF\n", "line 2"), ("m 1 1700000000\nm 2 NaN\n# EOF\n", "line 2"),
        ("m 1 1700000000\nm x 1700000000\n# EOF\n", "line 2"), ("m 1 1700000000\n", "EOF"), ("", "# EOF"),
        ("m 1 1700000000\n# EOF\nm 2 1700000001\n", "line"), ("m{a=\"1 1 1700000000\n# EOF\n", "line"),
    ])
    func `a file with nonsense is refused with its line, and nothing is taken`(text: String, place: String) throws {
        let files = FaultyFileSystem()
        let target = try store(files)
        do {
            _ = try run(text, target, files)
            Issue.record("it was taken")
        } catch { #expect("\(error)".contains(place), "\(error)") }
        #expect(target.blocks.isEmpty)
    }

    @Test func `times of the years 0 and 9999 make one block, and an export only the days with samples`() throws {
        let files = FaultyFileSystem()
        let target = try store(files)
        _ = try run("m 1 -62167219200\nm NaN 0\nm 3 253402300799\n# EOF\n", target, files)
        #expect(target.blocks.count == 1)
        #expect(try count(target) == 3)
        try files.createDirectory("out")
        let times = try #require(target.timeRange)
        #expect(try BlockExport.run(target, times: times, to: "out", files: files).count == 3)
        let again = try TimeSeriesStore.open(
            options: StoreOptions(directory: "again", retentionTime: 0, runsInBackground: false), fileSystem: files,
            clock: ManualClock(now: 1_700_000_000_000))
        #expect(try BlockImport.run("out", into: again, files: files).added == 3)
    }

    @Test func `a series with a million labels is refused with its line`() throws {
        let files = FaultyFileSystem()
        let target = try store(files)
        let labels = (0..<1_000_000).map { "l\($0)=\"v\"" }.joined(separator: ",")
        do {
            _ = try run("m 1 1\nm{\(labels)} 1 1\n# EOF\n", target, files)
            Issue.record("it was taken")
        } catch { #expect("\(error)".contains("line 2") && "\(error)".contains("labels"), "\("\(error)".prefix(200))") }
    }
}
