import Glibc
import GoCompatibility
import Model
import Storage

/// The commands that show the content of a storage.
extension TSDBCommand {
    static func list(_ parsed: ParsedFlags) throws -> Int32 {
        let store = try openUnchanged(parsed)
        defer { store.abandon() }
        print(
            "BLOCK                       MIN TIME              MAX TIME              SAMPLES      CHUNKS     SERIES    BYTES"
        )
        func pad(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(1, width - text.utf8.count))
        }
        for block in store.blocks {
            print(
                pad(block.meta.id, 28) + pad(RFC3339.text(block.minTime / 1000 * 1000), 22)
                    + pad(RFC3339.text(block.maxTime / 1000 * 1000), 22) + pad("\(block.meta.sampleCount)", 13)
                    + pad("\(block.meta.chunkCount)", 11) + pad("\(block.meta.seriesCount)", 10) + "\(try block.size())"
            )
        }
        for name in store.damagedBlocks { print("\(name)  cannot be read") }
        let statistics = store.statistics(limit: 0)
        if statistics.series > 0 { print("in no block yet: \(statistics.series) series, \(statistics.chunks) chunks") }
        return store.damagedBlocks.isEmpty ? 0 : 1
    }

    static func analyze(_ parsed: ParsedFlags) throws -> Int32 {
        let store = try openUnchanged(parsed)
        defer { store.abandon() }
        guard let times = store.timeRange else {
            print("The store is empty.")
            return 0
        }
        let wanted = try Self.times(parsed)
        let set = try store.select(
            SelectRequest(
                matchers: try parsed.matchers("match"), minTime: max(times.lowerBound, wanted.lowerBound),
                maxTime: min(times.upperBound, wanted.upperBound)))
        var byMetric: [ExactText: Int] = [:]
        var byName: [ExactText: Set<ExactText>] = [:]
        var byPair: [ExactText: Int] = [:]
        var columns = SampleColumns()
        var (series, samples, first, last) = (0, 0, Int64.max, Int64.min)
        for i in 0..<set.count {
            if i % 256 == 0 { Progress.show("analyze", Double(i) / Double(set.count)) }
            try set.read(i, into: &columns)
            guard columns.count > 0 else { continue }
            series += 1
            samples += columns.count
            (first, last) = (min(first, columns.timestamps[0]), max(last, columns.timestamps[columns.count - 1]))
            for pair in set.labels(i).pairs {
                if pair.name == Labels.nameLabel { byMetric[ExactText(pair.value), default: 0] += 1 }
                byName[ExactText(pair.name), default: []].insert(ExactText(pair.value))
                byPair[ExactText(pair.name + "=" + pair.value), default: 0] += 1
            }
        }
        Progress.end()
        guard series > 0 else {
            print("There are no samples of these series between these times.")
            return status(store)
        }
        print("Times: \(RFC3339.text(first)) to \(RFC3339.text(last))")
        print("Series: \(series)\nSamples: \(samples)\nLabel names: \(byName.count)\nLabel pairs: \(byPair.count)")
        let limit = parsed.integer("limit")
        func top(_ title: String, _ entries: [ExactText: Int]) {
            print("\n\(title):")
            for (name, count) in entries.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }).prefix(limit) {
                print("\(count) \(name)")
            }
        }
        top("Metrics by series", byMetric)
        top("Label names by values", byName.mapValues(\.count))
        top("Label pairs by series", byPair)
        return status(store)
    }

    static func dump(_ parsed: ParsedFlags) throws -> Int32 {
        let store = try openUnchanged(parsed)
        defer { store.abandon() }
        let times = try times(parsed)
        let set = try store.select(
            SelectRequest(
                matchers: try parsed.matchers("match"), minTime: times.lowerBound, maxTime: times.upperBound))
        var columns = SampleColumns()
        // On a terminal the samples themselves show the progress.
        let showsProgress = isatty(1) == 0
        defer { if showsProgress { Progress.end() } }
        for i in 0..<set.count {
            if showsProgress, i % 256 == 0 { Progress.show("dump", Double(i) / Double(set.count)) }
            try set.read(i, into: &columns)
            let labels = set.labels(i).description
            var histogram = 0
            for k in 0..<columns.count {
                var value = FloatText.general(columns.values[k])
                if histogram < columns.histograms.count, columns.histograms[histogram].index == k {
                    value = columns.histograms[histogram].histogram.description
                    histogram += 1
                }
                print("\(labels) \(value) \(columns.timestamps[k])")
            }
        }
        return status(store)
    }

    static func verify(_ parsed: ParsedFlags) throws -> Int32 {
        let store = try openUnchanged(parsed)
        defer { store.abandon() }
        var failures = store.damagedBlocks.map { "\($0): cannot be opened" }
        try store.readHead()
        failures += store.leftOut.filter { !$0.isBlock }.map(\.description)
        for (at, block) in store.blocks.enumerated() {
            Progress.show("verify", Double(at) / Double(store.blocks.count))
            failures += try block.problems().map { "\($0)" }
        }
        Progress.end()
        for failure in failures { print("damaged: \(failure)") }
        print("\(store.blocks.count) blocks looked at, \(failures.count) failures")
        return failures.isEmpty ? 0 : 1
    }
}
