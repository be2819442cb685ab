import Glibc
import Interchange
import Model
import Platform
import Storage

/// `martlet tsdb …`: shows a storage that no daemon uses, and imports and exports samples.
enum TSDBCommand {
    private static let store = [
        Flag("storage.tsdb.path", .text, "data/", "The directory of the store, or of one of its snapshots."),
        Flag("storage.tsdb.min-block-duration", .span, "2h", "The span of the store's fresh blocks."),
    ]
    private static let selection = [
        Flag("min-time", .time, nil, "First time, Unix seconds or RFC 3339."),
        Flag("max-time", .time, nil, "Last time, Unix seconds or RFC 3339."),
        Flag("match", .selector, nil, "A series selector; all series without it."),
    ]
    private static let remarks =
        "The store must not be in use by a daemon. A snapshot (POST /api/v1/admin/tsdb/snapshot) may be read at any time."
    private static let readingRemarks =
        remarks + " Nothing in its directory is changed; temporary files go to $TMPDIR, or to /tmp."

    static let commands = [
        Subcommand(
            words: ["tsdb", "list"], summary: "Lists the blocks of a store.", flags: FlagSet(flags: store),
            remarks: readingRemarks, run: list),
        Subcommand(
            words: ["tsdb", "analyze"], summary: "Prints statistics about the metrics and labels of a store.",
            flags: FlagSet(
                flags: store + selection + [Flag("limit", .count, "20", "Entries in each list.")]),
            remarks: readingRemarks, run: analyze),
        Subcommand(
            words: ["tsdb", "dump"], summary: "Prints the samples of a store.",
            flags: FlagSet(flags: store + selection), remarks: readingRemarks, run: dump),
        Subcommand(
            words: ["tsdb", "verify"], summary: "Reads all blocks of a store and compares their checksums.",
            flags: FlagSet(flags: store), remarks: readingRemarks, run: verify),
        Subcommand(
            words: ["tsdb", "import"], summary: "Takes the data of a Prometheus that does not run into a store.",
            arguments: [.one("DIRECTORY")],
            flags: FlagSet(
                flags: store + selection + [
                    Flag(
                        "force", .boolean, "false",
                        "Import even if it is unknown whether a Prometheus still uses the directory.")
                ]),
            remarks: remarks, run: importBlocks),
        Subcommand(
            words: ["tsdb", "export"], summary: "Writes blocks for Prometheus into a new or empty directory.",
            arguments: [.one("DIRECTORY")], flags: FlagSet(flags: store + selection), remarks: readingRemarks,
            run: export),
        Subcommand(
            words: ["tsdb", "create-blocks-from", "openmetrics"],
            summary: "Takes samples with times from an OpenMetrics file into a store.", arguments: [.one("FILE")],
            flags: FlagSet(flags: store), remarks: remarks, run: createBlocks),
    ]

    /// Opens the storage for writing; it is made if it is missing.
    static func open(_ parsed: ParsedFlags) throws -> TimeSeriesStore {
        try open(directory(parsed), RealFileSystem(), parsed.duration("storage.tsdb.min-block-duration"))
    }

    /// Opens the storage, which must exist, for reading: nothing in its directory changes.
    static func openUnchanged(_ parsed: ParsedFlags) throws -> TimeSeriesStore {
        let (directory, files) = (directory(parsed), RealFileSystem())
        try TimeSeriesStore.requireStore(directory, files)
        // With another duration, blocks would be made of what the head holds.
        let duration = try TimeSeriesStore.blockDuration(of: directory, files)
        let unchanged: OverlayFileSystem
        do throws(FileError) { unchanged = try OverlayFileSystem(directory) } catch {
            throw CommandFailure(description: "\(error): name a directory for temporary files with TMPDIR")
        }
        return try open(
            directory, unchanged, duration ?? parsed.duration("storage.tsdb.min-block-duration"))
    }

    /// The status of a command that has read a store: 1 if samples are missing, whose files it names.
    static func status(_ store: TimeSeriesStore) -> Int32 {
        let parts = store.leftOut
        for part in parts { Command.complain("warning: \(part.description)") }
        return parts.isEmpty ? 0 : 1
    }

    private static func directory(_ parsed: ParsedFlags) -> String {
        var directory = parsed.text("storage.tsdb.path")
        while directory.count > 1, directory.hasSuffix("/") { directory.removeLast() }
        return directory
    }

    private static func open(
        _ directory: String, _ files: any FileSystem, _ blockDuration: Int64
    ) throws -> TimeSeriesStore {
        try TimeSeriesStore.open(
            options: StoreOptions(
                directory: directory, retentionTime: 0, blockDuration: blockDuration, runsInBackground: false),
            fileSystem: files)
    }

    /// The time range of the flags; all time without them.
    static func times(_ parsed: ParsedFlags) throws -> ClosedRange<Int64> {
        let (from, to) = (parsed.time("min-time") ?? .min, parsed.time("max-time") ?? .max)
        guard from <= to else { throw CommandLineError(description: "--min-time lies after --max-time") }
        return from...to
    }
}
