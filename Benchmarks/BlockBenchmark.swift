import Glibc
import Model
import Platform
import Storage

/// Writes, merges and reads blocks of a small fleet.
enum BlockBenchmark {
    static func run(_ clock: some Clock) throws {
        let files = RealFileSystem()
        let directory = "/tmp/martlet-bench-\(getpid())"
        try files.createDirectory(directory)
        defer { try? files.removeAll(directory) }
        let (targets, metrics, hours) = (20, 500, 2)
        var names: [(name: String, kind: SyntheticSeries.Kind)] = []
        for (kind, share) in SyntheticSeries.mixture {
            for i in 0..<(share * metrics / 100) { names.append(("node_\(kind.rawValue)_\(i)_total", kind)) }
        }
        var columns = SampleColumns()
        var blocks: [BlockReader] = []
        let cache = FrameCache(capacity: 256 << 20)
        let samples = hours * 240
        var source = SyntheticSeries(seed: 7)
        for part in 0..<4 {
            var list: [(Labels, SyntheticSeries.Kind, Int)] = []
            for entry in names {
                for target in 0..<targets {
                    let labels = Labels([
                        ("__name__", entry.name), ("instance", "host-\(target).example.net:9100"), ("job", "node"),
                        ("device", "sd\(entry.name.utf8.count % 7)"),
                    ])
                    list.append((labels, entry.kind, target))
                }
            }
            list.sort { $0.0 < $1.0 }
            let writer = try BlockWriter(
                files, parent: directory, id: BlockMeta.makeID(now: Int64(part)), options: .init())
            var spent: Int64 = 0
            for (labels, kind, target) in list {
                columns.removeAll()
                let values = source.values(kind, samples)
                for i in 0..<samples {
                    columns.append(Int64(part * samples + i) * 15_000 + Int64(target * 37), values[i])
                }
                let start = clock.monotonic()
                try writer.add(labels, columns)
                spent += clock.monotonic() - start
            }
            let start = clock.monotonic()
            guard let meta = try writer.finish() else { continue }
            spent += clock.monotonic() - start
            let reader = try BlockReader(files, directory: "\(directory)/\(meta.id)", cache: cache)
            blocks.append(reader)
            if part == 0 { try report("2 h block", reader, files, spent) }
        }
        let start = clock.monotonic()
        let id = BlockMeta.makeID(now: 100)
        _ = try BlockMerger.merge(files, blocks, to: directory + "/" + id)
        let merged = try BlockReader(files, directory: "\(directory)/\(id)", cache: cache)
        try report("8 h block, merged", merged, files, clock.monotonic() - start)
        for round in ["cold", "warm"] {
            for matcher in [try Matcher("__name__", .regex, ".+"), try Matcher("__name__", .regex, "node_counter.*")] {
                let start = clock.monotonic()
                let request = SelectRequest(matchers: [matcher], minTime: .min, maxTime: .max)
                let set = try merged.select(request)
                let selected = clock.monotonic()
                var count = 0
                for i in 0..<set.count {
                    try set.read(i, into: &columns)
                    count += columns.count
                }
                let done = clock.monotonic()
                printRow(
                    "select \(matcher.value) \(round)",
                    [
                        Double(set.count), Double(selected - start) / Double(set.count),
                        Double(done - selected) / Double(count),
                    ])
            }
        }
        print("(select: series, ns per series to find and label them, ns per sample to read them)")
    }

    private static func report(_ name: String, _ block: BlockReader, _ files: RealFileSystem, _ time: Int64) throws {
        let samples = Double(block.meta.sampleCount)
        var bytes: [Double] = []
        for file in ["data", "index"] { bytes.append(Double(try files.status("\(block.directory)/\(file)").size)) }
        printRow(name + ": bytes/sample, ns/sample", [(bytes[0] + bytes[1]) / samples, Double(time) / samples])
        printRow("  index bytes per series", [bytes[1] / Double(block.meta.seriesCount)])
    }
}
