import Interchange
import Model
import Platform
import Storage

/// The commands that import and export samples.
extension TSDBCommand {
    static func importBlocks(_ parsed: ParsedFlags) throws -> Int32 {
        let source = parsed.positional[0]
        let files = RealFileSystem()
        let selection = BlockImport.Selection(times: try times(parsed), matchers: try parsed.matchers("match"))
        let hold = try ImportSource.hold(source, files, isForced: parsed.boolean("force"))
        defer { hold.release() }
        let store = try open(parsed)
        // Imported blocks are on disk already; nothing else of the storage changes.
        defer { store.abandon() }
        let report = try BlockImport.run(source, into: store, selection: selection, files: files) { done, all, share in
            Progress.show("import", (Double(done) + share) / Double(max(1, all)))
        }
        Progress.end()
        // The list is right in its longer form, too.
        try? store.rewriteManifest()
        for failure in report.failures {
            let place = failure.reason.contains(failure.directory) ? "" : failure.directory + ": "
            Command.complain("not imported: \(place)\(failure.reason)")
        }
        if report.isHeadLeftOut {
            Command.complain(
                "not imported: \(source)/wal, because the blocks tell what Prometheus answers from it: mend what the other "
                    + "messages name, or move blocks that are damaged for good out of \(source), and import again")
        }
        for damage in report.damage {
            Command.complain(
                "\(damage.path): at \(damage.offset): \(damage.reason); "
                    + (damage.isTornTail
                        ? "the part before it was imported, as Prometheus does after a kill" : "the rest was imported"))
        }
        if report.orphans > 0 { Command.complain("not imported: \(report.orphans) samples of unknown series") }
        if report.exemplars > 0 {
            Command.complain("not imported: the exemplars in \(report.exemplars) records of the write-ahead log")
        }
        if let first = report.firstUnreadableChunk {
            Command.complain(
                "not imported: \(report.unreadableChunks) chunks that cannot be read, the first in \(first); "
                    + "their samples in the write-ahead log were imported")
        }
        if report.impossibleTimes > 0 {
            Command.complain(
                "not imported: \(report.impossibleTimes) samples from before the year 0 or after the year 9999")
        }
        if let first = report.firstRefusal {
            Command.complain("\(report.refused) native histograms are invalid and not imported, the first in \(first)")
        }
        let parts = "\(report.blocks) blocks" + (report.hasHead ? " and the write-ahead log" : "")
        print("\(parts) taken, \(report.series) series, \(report.samples) samples, \(report.added) of them new")
        guard report.blocks + report.blocksOutside > 0 || report.hasHead || !report.failures.isEmpty else {
            throw CommandFailure(description: ImportSource.nothing(in: source))
        }
        guard try !hold.hasChanged(files) else {
            throw CommandFailure(
                description: "\(source) was written while it was read, so the newest samples may be missing: stop the "
                    + "Prometheus that uses it and import again")
        }
        return report.failures.isEmpty ? 0 : 1
    }

    static func export(_ parsed: ParsedFlags) throws -> Int32 {
        let target = parsed.positional[0]
        let files = RealFileSystem()
        let wanted = try Self.times(parsed)
        guard try !files.exists(target) || files.list(target).allSatisfy({ $0 == "lost+found" }) else {
            throw CommandFailure(
                description: "\(target) is not empty: export to a new directory, and move the blocks where they belong")
        }
        let directory = parsed.text("storage.tsdb.path")
        guard !FilePath.isBelow(directory, target) else {
            throw CommandFailure(
                description: "\(target) is in the data directory \(directory), which has only martlet's own files: "
                    + "export to another directory")
        }
        let store = try openUnchanged(parsed)
        defer { store.abandon() }
        guard let times = store.timeRange else {
            print("The store is empty.")
            return 0
        }
        guard wanted.overlaps(times) else {
            print("There are no samples between these times.")
            return 0
        }
        try files.createDirectory(target)
        let blocks = try BlockExport.run(
            store, times: wanted.clamped(to: times), matchers: try parsed.matchers("match"), to: target, files: files
        ) { Progress.show("export", $0) }
        Progress.end()
        for block in blocks { print("\(block.name): \(block.series) series, \(block.samples) samples") }
        return status(store)
    }

    static func createBlocks(_ parsed: ParsedFlags) throws -> Int32 {
        let store = try open(parsed)
        let report = try OpenMetricsImport.run(parsed.positional[0], into: store, files: RealFileSystem()) {
            Progress.show("create-blocks-from", $0)
        }
        Progress.end()
        try store.close()
        print("\(report.series) series, \(report.samples) samples")
        return 0
    }
}
