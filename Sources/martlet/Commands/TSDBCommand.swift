import Glibc
import Interchange
import Model
import Platform
import PromQL
import Storage

/// `martlet tsdb …`: looks at a store that no daemon uses, and moves samples in and out.
enum TSDBCommand {
    static let flags = FlagSet(flags: [
        Flag("storage.tsdb.path", .text, "data/", "The directory of the store, or of one of its snapshots."),
        Flag("storage.tsdb.min-block-duration", .duration, "2h", "The span of the store's fresh blocks."),
        Flag("min-time", .text, "", "First time, Unix seconds or RFC 3339."),
        Flag("max-time", .text, "", "Last time, Unix seconds or RFC 3339."),
        Flag("match", .text, "", "A series selector; all series without it."),
        Flag("limit", .integer, "20", "Entries in each list of `analyze`."),
    ])

    private static let usage = """
        usage: martlet tsdb list|analyze|dump|verify [FLAGS]
               martlet tsdb import DIRECTORY [FLAGS]         takes the data of a Prometheus
               martlet tsdb export DIRECTORY [FLAGS]         writes blocks for Prometheus
               martlet tsdb create-blocks-from openmetrics FILE [FLAGS]

        The store must not be in use by a daemon; a snapshot (POST /api/v1/admin/tsdb/snapshot) may be looked at anytime.

        """

    static func run(_ words: [String]) throws -> Int32 {
        let parsed = try flags.parse(behindKindOf: words)
        if parsed.wantsHelp || words.isEmpty {
            print(usage + "\n" + flags.help)
            return words.isEmpty ? 2 : 0
        }
        switch words[0] {
        case "list": return try list(parsed)
        case "analyze": return try analyze(parsed)
        case "dump": return try dump(parsed)
        case "verify": return try verify(parsed)
        case "import": return try importBlocks(parsed)
        case "export": return try export(parsed)
        case "create-blocks-from": return try createBlocks(parsed)
        default:
            throw CommandLineError(
                description: "tsdb what? list, analyze, dump, verify, import, export or create-blocks-from")
        }
    }

    /// Opens the store; it must be there unless it may be made.
    private static func open(_ parsed: ParsedFlags, mayMake: Bool = false) throws -> TimeSeriesStore {
        let files = RealFileSystem()
        var directory = parsed.text("storage.tsdb.path")
        while directory.count > 1, directory.hasSuffix("/") { directory.removeLast() }
        guard try mayMake || files.exists(directory + "/blocks") else {
            throw CommandLineError(description: "\(directory) is no store of martlet: there is no \(directory)/blocks")
        }
        return try TimeSeriesStore.open(
            options: StoreOptions(
                directory: directory, retentionTime: 0,
                blockDuration: parsed.duration("storage.tsdb.min-block-duration"), runsInBackground: false),
            fileSystem: files)
    }

    private static func time(_ parsed: ParsedFlags, _ flag: String, or other: Int64) throws -> Int64 {
        let text = parsed.text(flag)
        if text.isEmpty { return other }
        guard let time = TimeText.parse(text) else {
            throw CommandLineError(description: "--\(flag): \"\(text)\" is neither Unix seconds nor an RFC 3339 time")
        }
        return time
    }

    private static func matchers(_ parsed: ParsedFlags) throws -> [Matcher] {
        let text = parsed.text("match")
        return text.isEmpty ? [] : try PromQLParser.parseSelector(text)
    }

    private static func list(_ parsed: ParsedFlags) throws -> Int32 {
        let store = try open(parsed)
        defer { store.abandon() }
        print(
            "BLOCK                       MIN TIME              MAX TIME              SAMPLES      CHUNKS     SERIES    BYTES"
        )
        func pad(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(1, width - text.utf8.count))
        }
        for block in store.blocks {
            print(
                pad(block.meta.id, 28) + pad(TimeText.rfc3339(block.minTime / 1000 * 1000), 22)
                    + pad(TimeText.rfc3339(block.maxTime / 1000 * 1000), 22) + pad("\(block.meta.sampleCount)", 13)
                    + pad("\(block.meta.chunkCount)", 11) + pad("\(block.meta.seriesCount)", 10) + "\(try block.size())"
            )
        }
        for name in store.damagedBlocks { print("\(name)  cannot be read") }
        let statistics = store.statistics(limit: 0)
        if statistics.series > 0 { print("in no block yet: \(statistics.series) series, \(statistics.chunks) chunks") }
        return store.damagedBlocks.isEmpty ? 0 : 1
    }

    private static func analyze(_ parsed: ParsedFlags) throws -> Int32 {
        let store = try open(parsed)
        defer { store.abandon() }
        guard let times = store.timeRange else {
            print("The store is empty.")
            return 0
        }
        let (from, to) = (
            try time(parsed, "min-time", or: times.lowerBound), try time(parsed, "max-time", or: times.upperBound)
        )
        let set = try store.select(
            SelectRequest(matchers: try matchers(parsed), minTime: from, maxTime: to))
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
            return 0
        }
        print("Times: \(TimeText.rfc3339(first)) to \(TimeText.rfc3339(last))")
        print("Series: \(series)\nSamples: \(samples)\nLabel names: \(byName.count)\nLabel pairs: \(byPair.count)")
        let limit = max(0, parsed.integer("limit"))
        func top(_ title: String, _ entries: [ExactText: Int]) {
            print("\n\(title):")
            for (name, count) in entries.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }).prefix(limit) {
                print("\(count) \(name)")
            }
        }
        top("Metrics by series", byMetric)
        top("Label names by values", byName.mapValues(\.count))
        top("Label pairs by series", byPair)
        return 0
    }

    private static func dump(_ parsed: ParsedFlags) throws -> Int32 {
        let store = try open(parsed)
        defer { store.abandon() }
        let set = try store.select(
            SelectRequest(
                matchers: try matchers(parsed), minTime: try time(parsed, "min-time", or: .min),
                maxTime: try time(parsed, "max-time", or: .max)))
        var columns = SampleColumns()
        // On a terminal the samples themselves show how far it is.
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
        return 0
    }

    private static func verify(_ parsed: ParsedFlags) throws -> Int32 {
        let store = try open(parsed)
        defer { store.abandon() }
        var failures = store.damagedBlocks.map { "\($0): cannot be opened" }
        for (at, block) in store.blocks.enumerated() {
            Progress.show("verify", Double(at) / Double(store.blocks.count))
            do { try block.verify() } catch { failures.append("\(error)") }
        }
        Progress.end()
        for failure in failures { print("damaged: \(failure)") }
        print("\(store.blocks.count) blocks looked at, \(failures.count) failures")
        return failures.isEmpty ? 0 : 1
    }

    private static func argument(_ parsed: ParsedFlags, _ what: String) throws -> String {
        guard parsed.positional.count == 1 else { throw CommandLineError(description: "expected \(what)") }
        return parsed.positional[0]
    }

    private static func importBlocks(_ parsed: ParsedFlags) throws -> Int32 {
        let source = try argument(parsed, "the directory of a Prometheus")
        let files = RealFileSystem()
        guard try files.exists(source) else {
            throw CommandLineError(description: "\(source): there is no such directory")
        }
        let lock = try lockSource(source, files)
        defer { lock?.release() }
        let store = try open(parsed, mayMake: true)
        // Blocks are on the disk when they are taken; nothing else of the store changes.
        defer { store.abandon() }
        let report = try BlockImport.run(source, into: store, files: files) { done, all, share in
            Progress.show("import", (Double(done) + share) / Double(max(1, all)))
        }
        Progress.end()
        for failure in report.failures { Command.complain("not taken: \(failure.reason)") }
        for damage in report.damage {
            Command.complain(
                "\(damage.path): at \(damage.offset): \(damage.reason); "
                    + (damage.isTornTail
                        ? "what is before it was taken, as Prometheus does after a kill" : "the rest was taken"))
        }
        if report.orphans > 0 { Command.complain("not taken: \(report.orphans) samples whose series is not known") }
        if report.exemplars > 0 {
            Command.complain("not taken: the exemplars in \(report.exemplars) records of the write-ahead log")
        }
        if let first = report.firstUnreadableChunk {
            Command.complain(
                "not taken: \(report.unreadableChunks) chunks that cannot be read, the first in \(first); "
                    + "what the write-ahead log has of their samples was taken")
        }
        if report.impossibleTimes > 0 {
            Command.complain(
                "not taken: \(report.impossibleTimes) samples from before the year 0 or behind the year 9999")
        }
        if let first = report.firstRefusal {
            Command.complain("\(report.refused) native histograms are invalid and not taken, the first in \(first)")
        }
        let parts = "\(report.blocks) blocks" + (report.hasHead ? " and the write-ahead log" : "")
        print("\(parts) taken, \(report.series) series, \(report.samples) samples, \(report.added) of them new")
        if report.blocks == 0, report.failures.isEmpty, !report.hasHead {
            Command.complain("there is neither a block nor a write-ahead log in \(source)")
        }
        return report.failures.isEmpty && (report.blocks > 0 || report.hasHead) ? 0 : 1
    }

    /// Locks the directory of a Prometheus as a second Prometheus would; nil if it has no lock file, or none that may
    /// be opened.
    private static func lockSource(_ directory: String, _ files: RealFileSystem) throws -> (any DirectoryLock)? {
        func refusal(_ holder: (process: Int, name: String)?) -> CommandLineError {
            let holder = holder.map { "process \($0.process) (\($0.name))" } ?? "another process"
            return CommandLineError(
                description: "\(directory) is in use by \(holder): stop it first, or let it make a snapshot "
                    + "(POST /api/v1/admin/tsdb/snapshot) and import that")
        }
        // Debian's Prometheus makes no lock file.
        if let user = DirectoryUsers.first(of: directory, files) { throw refusal(user) }
        let path = directory + "/lock"
        guard try files.exists(path) else { return nil }
        do { return try files.lock(path) } catch {
            guard error.code == EWOULDBLOCK else { return nil }
            throw refusal(files.lockHolder(path))
        }
    }

    private static func export(_ parsed: ParsedFlags) throws -> Int32 {
        let target = try argument(parsed, "the directory to write to")
        guard try !TimeSeriesStore.isStore(target, RealFileSystem()) else {
            throw CommandLineError(
                description: "\(target) is a store of martlet: blocks for Prometheus must go to another directory")
        }
        let store = try open(parsed)
        defer { store.abandon() }
        guard let times = store.timeRange else {
            print("The store is empty.")
            return 0
        }
        let (from, to) = (
            max(times.lowerBound, try time(parsed, "min-time", or: .min)),
            min(times.upperBound, try time(parsed, "max-time", or: .max))
        )
        guard from <= to else { throw CommandLineError(description: "there are no samples between these times") }
        let files = RealFileSystem()
        try files.createDirectory(target)
        let blocks = try BlockExport.run(
            store, times: from...to, matchers: try matchers(parsed), to: target, files: files
        ) { Progress.show("export", $0) }
        Progress.end()
        for block in blocks { print("\(block.name): \(block.series) series, \(block.samples) samples") }
        return 0
    }

    private static func createBlocks(_ parsed: ParsedFlags) throws -> Int32 {
        guard parsed.positional.count == 2, parsed.positional[0] == "openmetrics" else {
            throw CommandLineError(description: "expected: create-blocks-from openmetrics FILE")
        }
        let store = try open(parsed, mayMake: true)
        let report = try OpenMetricsImport.run(parsed.positional[1], into: store, files: RealFileSystem()) {
            Progress.show("create-blocks-from", $0)
        }
        Progress.end()
        try store.close()
        print("\(report.series) series, \(report.samples) samples")
        return 0
    }
}

/// A bar on the terminal; nothing if standard error is none.
enum Progress {
    private static let width = 40

    static func show(_ name: String, _ share: Double) {
        guard isatty(2) != 0 else { return }
        let full = Int((max(0, min(1, share)) * Double(width)).rounded())
        let bar = String(repeating: "█", count: full) + String(repeating: "░", count: width - full)
        var line = "\r\(name) \(bar) \(Int(share * 100)) %"
        line.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
    }

    static func end() {
        guard isatty(2) != 0 else { return }
        var line = "\r\u{1B}[K"
        line.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
    }
}
