import Glibc
import Model
import Platform
import Storage
import TestSupport
import Testing

@testable import Interchange

/// From a store into Prometheus's format and back.
@Suite struct BlockRoundTripTests {
    private func store(_ files: FaultyFileSystem, _ directory: String) throws -> TimeSeriesStore {
        try TimeSeriesStore.open(
            options: StoreOptions(directory: directory, retentionTime: 0, runsInBackground: false), fileSystem: files,
            clock: ManualClock(now: 1_700_000_000_000))
    }

    private func labels(_ pairs: KeyValuePairs<String, String>) -> Labels {
        var builder = LabelsBuilder()
        for (name, value) in pairs { builder.set(name, value) }
        return builder.labels()
    }

    /// Everything a store holds, as text.
    private func content(_ store: TimeSeriesStore) throws -> [String] {
        let set = try store.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
        var columns = SampleColumns()
        var result: [String] = []
        for i in 0..<set.count {
            try set.read(i, into: &columns)
            var values = (0..<columns.count).map { "\(columns.timestamps[$0]) \(columns.values[$0].bitPattern)" }
            for entry in columns.histograms {
                values[entry.index] = "\(columns.timestamps[entry.index]) \(entry.histogram)"
            }
            result += values.map { "\(set.labels(i)) \($0)" }
        }
        return result
    }

    @Test func `what is exported and imported again is the same`() throws {
        let files = FaultyFileSystem()
        let source = try store(files, "source")
        let group = source.openGroup("g")
        for step in 0..<700 {
            let time = 1_700_000_000_000 + Int64(step) * 300_000
            var batch = SampleBatch()
            for s in 0..<5 {
                let ref = try source.resolve(
                    labels(["__name__": "m", "s": "\(s)", "größe": s == 2 ? "π" : ""]), in: group)
                batch.append(ref, s == 3 && step % 50 == 0 ? Staleness.marker : Double(step * s) / 7, at: time)
            }
            let ref = try source.resolve(labels(["__name__": "h"]), in: group)
            // The counter begins anew, and the buckets change.
            let count = Double(step % 200)
            batch.append(
                ref,
                FloatHistogram(
                    schema: step < 400 ? 1 : 2, zeroThreshold: 0.001, zeroCount: 1, count: count + 1, sum: count * 2,
                    positiveSpans: [.init(offset: 1, length: 1)], positiveBuckets: [step < 600 ? count : count / 2]),
                at: time)
            _ = try source.commit(batch, in: group, durability: .written)
        }
        let times = try #require(source.timeRange)
        try files.createDirectory("out")
        let blocks = try BlockExport.run(source, times: times, to: "out", files: files)
        #expect(blocks.count >= 3)
        #expect(blocks.reduce(0) { $0 + $1.samples } == 700 * 6)
        for block in blocks {
            // Prometheus links it into its snapshots.
            let tombstones = try files.read("out/\(block.name)/tombstones")
            #expect(tombstones == [0x01, 0x30, 0xBA, 0x30, 1, 0, 0, 0, 0])
        }
        let target = try store(files, "target")
        let report = try BlockImport.run("out", into: target, files: files)
        #expect(report.failures.isEmpty)
        #expect(report.blocks == blocks.count)
        #expect(report.samples == 700 * 6)
        #expect(try content(target) == (try content(source)))
    }

    @Test func `a damaged block is named and left out, the others are taken`() throws {
        let files = FaultyFileSystem()
        let source = try store(files, "source")
        let group = source.openGroup("g")
        for step in 0..<600 {
            var batch = SampleBatch(timestamp: 1_700_000_000_000 + Int64(step) * 600_000)
            batch.append(try source.resolve(labels(["__name__": "m"]), in: group), Double(step))
            _ = try source.commit(batch, in: group, durability: .written)
        }
        try files.createDirectory("out")
        let times = try #require(source.timeRange)
        let blocks = try BlockExport.run(source, times: times, to: "out", files: files)
        let index = "out/\(blocks[0].name)/index"
        for at in stride(from: 0, to: try files.status(index).size, by: 7) {
            let copy = files.afterPowerCut(.kept)
            copy.damage(index) { $0[at] ^= 0x40 }
            let report = try BlockImport.run("out", into: try store(copy, "target"), files: copy)
            // Padding and the tables that nobody reads may change.
            #expect(report.blocks >= blocks.count - 1)
            for failure in report.failures { #expect(failure.reason.contains(index)) }
        }
    }

    @Test(arguments: ["index", "meta.json"])
    func `a block that lacks a file is named, the others are taken`(file: String) throws {
        let files = FaultyFileSystem()
        let source = try store(files, "source")
        let group = source.openGroup("g")
        for step in 0..<600 {
            var batch = SampleBatch(timestamp: 1_700_000_000_000 + Int64(step) * 600_000)
            batch.append(try source.resolve(labels(["__name__": "m"]), in: group), Double(step))
            _ = try source.commit(batch, in: group, durability: .written)
        }
        try files.createDirectory("out")
        let blocks = try BlockExport.run(source, times: try #require(source.timeRange), to: "out", files: files)
        try files.remove("out/\(blocks[0].name)/\(file)")
        // What does not have the name of a block is none.
        try files.createDirectory("out/notes")
        let report = try BlockImport.run("out", into: try store(files, "target"), files: files)
        #expect(report.blocks == blocks.count - 1)
        #expect(report.failures.map(\.reason) == ["out/\(blocks[0].name)/\(file): missing"])
    }

    @Test func `blocks that overlap are taken once`() throws {
        let files = FaultyFileSystem()
        try files.createDirectory("out")
        for (name, steps) in [("a", 0..<300), ("b", 200..<500)] {
            let source = try store(files, name)
            let group = source.openGroup("g")
            for step in steps {
                var batch = SampleBatch(timestamp: 1_699_920_000_000 + Int64(step) * 60_000)
                batch.append(try source.resolve(labels(["__name__": "m"]), in: group), Double(step))
                batch.append(try source.resolve(labels(["__name__": "only", "in": name]), in: group), 1)
                _ = try source.commit(batch, in: group, durability: .written)
            }
            let times = try #require(source.timeRange)
            _ = try BlockExport.run(source, times: times, to: "out", files: files)
        }
        let target = try store(files, "target")
        let report = try BlockImport.run("out", into: target, files: files)
        #expect(report.failures.isEmpty && report.blocks >= 2)
        #expect(report.samples == 1200 && report.added == 1100)
        #expect(try content(target).count == 1100)
        #expect(try BlockImport.run("out", into: target, files: files).added == 0)
    }
}
