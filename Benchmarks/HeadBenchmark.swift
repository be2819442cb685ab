import Glibc
import Model
import Platform
import Storage

/// Appends scrapes of many targets, restarts, and selects; the store lies in a temporary directory.
enum HeadBenchmark {
    /// `series` in targets of 500, `hours` of scrapes 15 s apart, about the mixture of the performance study.
    static func run(_ clock: some Clock, series: Int, scrapes: Int) throws {
        let files = RealFileSystem()
        let directory = "/tmp/martlet-bench-head-\(getpid())"
        defer { try? files.removeAll(directory) }
        let before = anonymous()
        let options = StoreOptions(directory: directory, retentionTime: 0, runsInBackground: false)
        let store = try TimeSeriesStore.open(options: options)
        let targets = series / 500
        var groups: [SeriesGroup] = []
        var batches: [SampleBatch] = []
        var levels = [Int64](repeating: 1_000_000, count: series)
        let resolving = clock.monotonic()
        for t in 0..<targets {
            let group = store.openGroup("job node, target \(t)")
            var batch = SampleBatch()
            for s in 0..<500 {
                let labels = Labels([
                    ("__name__", "node_something_metric_\(s / 5)_total"), ("instance", "host-\(t).example.net:9100"),
                    ("job", "node"), ("device", "sd\(s % 5)"), ("mode", "mode\(s % 3)"),
                ])
                batch.append(try store.resolve(labels, in: group), 0, mantissa: 0, scale: 0)
            }
            groups.append(group)
            batches.append(batch)
        }
        let resolved = Double(clock.monotonic() - resolving) / Double(series)
        let buffers = anonymous()
        var seed: UInt64 = 7
        var spent: Int64 = 0
        var peak = 0
        let start: Int64 = 1_700_006_400_000
        for k in 0..<scrapes {
            for t in 0..<targets {
                batches[t].timestamp = start + Int64(k) * 15_000 + Int64(t * 37 % 15_000)
                for s in 0..<500 {
                    seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    let r = Int64(seed >> 44)
                    let at = t * 500 + s
                    var scale: Int8 = 0
                    switch s % 100 {
                    case 0..<52: break
                    case 52..<72: if r % 8 == 0 { levels[at] += r % 5 - 1 }
                    case 72..<82: levels[at] += 1500 + r % 600
                    case 82..<89:
                        levels[at] += 1400 + r % 90
                        scale = 2
                    case 89..<94: levels[at] += (r % 601 - 300) * 4096
                    default:
                        levels[at] = 2_000_000 + r % 260_000
                        scale = 9
                    }
                    batches[t].values[s] = Double(levels[at]) / (scale == 0 ? 1 : scale == 2 ? 100 : 1e9)
                    batches[t].mantissas[s] = levels[at]
                    batches[t].scales[s] = scale
                }
                let began = clock.monotonic()
                _ = try store.commit(batches[t], in: groups[t], durability: .written)
                spent += clock.monotonic() - began
            }
            if k % 20 == 19 {
                store.runMaintenance()
                peak = max(peak, anonymous())
            }
        }
        let samples = Double(series * scrapes)
        let after = anonymous()
        print("\(series) series, \(scrapes) scrapes")
        printRow("resolve, ns per new series", [resolved])
        printRow("commit, ns per sample", [Double(spent) / samples])
        printRow("memory, bytes per series", [Double(after - before) / Double(series)])
        printRow("  without the batches", [Double(after - before - max(0, buffers - before) / 2) / Double(series)])
        printRow("peak, bytes per series", [Double(peak - before) / Double(series)])
        let statistics = store.statistics()
        for part in statistics.memory { printRow("  " + part.name, [Double(part.value) / Double(series)]) }
        printRow("log, bytes per sample", [Double(statistics.walBytes) / samples])
        printRow("spill, bytes per sample", [Double(statistics.spillBytes) / samples])
        try measureSelect(store, clock, start + Int64(scrapes) * 15_000)
        // As after a kill: a copy of the directory is opened while the store still stands.
        let copy = directory + "-copy"
        defer { try? files.removeAll(copy) }
        try link(files, directory, copy)
        var copied = options
        copied.directory = copy
        copied.usesLockFile = false
        var began = clock.monotonic()
        let replayed = try TimeSeriesStore.open(options: copied)
        let replay = clock.monotonic() - began
        printRow("restart from the log, ms", [Double(replay) / 1e6])
        printRow("  ns per sample", [Double(replay) / samples])
        began = clock.monotonic()
        try replayed.close()
        printRow("clean stop, ms", [Double(clock.monotonic() - began) / 1e6])
        began = clock.monotonic()
        let restarted = try TimeSeriesStore.open(options: copied)
        printRow("restart from the checkpoint, ms", [Double(clock.monotonic() - began) / 1e6])
        began = clock.monotonic()
        _ = try restarted.snapshot()
        printRow("all into blocks, ns per sample", [Double(clock.monotonic() - began) / samples])
        printRow("blocks, bytes per sample", [Double(restarted.statistics().blockBytes) / samples])
    }

    private static func measureSelect(_ store: TimeSeriesStore, _ clock: some Clock, _ now: Int64) throws {
        let matchers = [Matcher(name: "__name__", equals: "node_something_metric_16_total")]
        for (name, from, newest) in [
            ("one metric, newest", now - 300_000, true), ("one metric, 1 h", now - 3_600_000, false),
        ] {
            let began = clock.monotonic()
            var columns = SampleColumns()
            let set = try store.select(
                SelectRequest(matchers: matchers, minTime: from, maxTime: now, newestOnly: newest))
            let selected = clock.monotonic()
            var count = 0
            for i in 0..<set.count {
                try set.read(i, into: &columns)
                count += columns.count
            }
            printRow("select \(name), us per series", [Double(selected - began) / 1000 / Double(max(1, set.count))])
            printRow("  read, ns per sample", [Double(clock.monotonic() - selected) / Double(max(1, count))])
        }
    }

    private static func link(_ files: RealFileSystem, _ from: String, _ to: String) throws {
        try files.createDirectory(to)
        for name in try files.list(from) where name != "lock" {
            if try files.status(from + "/" + name).isDirectory {
                try link(files, from + "/" + name, to + "/" + name)
            } else {
                let copy = try files.open(to + "/" + name, .create)
                try copy.write(try files.read(from + "/" + name, limit: .max))
                copy.close()
            }
        }
    }

    /// Anonymous memory of this process in bytes.
    private static func anonymous() -> Int {
        guard let file = fopen("/proc/self/status", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            guard text.hasPrefix("RssAnon:") else { continue }
            return (Int(text.filter { $0 >= "0" && $0 <= "9" }) ?? 0) * 1024
        }
        return 0
    }
}
