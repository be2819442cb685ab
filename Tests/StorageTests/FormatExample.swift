import Model
import Platform
import TestSupport

@testable import Storage

/// The small store of which `docs/formats/` shows each file byte by byte.
struct FormatExample {
    /// The end of a block window, ms: 2023-11-15T00:00:00Z.
    static let middle: Int64 = 1_700_006_400_000
    static let window: Int64 = 7_200_000
    static let block = "01HF7GZ8M00000000000000000"
    static let lostBlock = "01HF7GZ8M00000000000000001"

    let files = FaultyFileSystem()
    let clock = ManualClock(now: Self.middle + 20_000)

    static let store: UInt64 = 0x0807_0605_0403_0201

    static var options: StoreOptions {
        var options = StoreOptions(
            directory: "data", retentionTime: 0, blockDuration: window, runsInBackground: false)
        options.makeIdentity = { Self.store }
        return options
    }

    static func labels(_ instance: String) -> Labels {
        TimeSeriesStoreTests.labels(["__name__": "up", "instance": instance])
    }

    /// The files by their names in the data directory.
    func make() throws -> [String: [UInt8]] {
        try makeBlock()
        let store = try TimeSeriesStore.open(options: Self.options, fileSystem: files, clock: clock)
        let group = store.openGroup("job")
        store.setMetadata([("up", MetricMetadata(type: .gauge, help: "", unit: ""))], in: group)
        func commit(_ time: Int64, _ value: Double) throws {
            var batch = SampleBatch(timestamp: time)
            batch.append(try store.resolve(Self.labels("a"), in: group), value)
            _ = try store.commit(batch, in: group, durability: .synced)
        }
        // The last sample is of another window: the chunk before it is sealed.
        for (time, value) in [(-30_000, 1.0), (-15_000, 2.5), (0, 3)] { try commit(Self.middle + Int64(time), value) }
        try store.checkpoint()
        try commit(Self.middle + 15_000, 4)
        let other = store.openGroup("other")
        var batch = SampleBatch(timestamp: Self.middle + 15_000)
        batch.append(try store.resolve(Self.labels("b"), in: other), 7)
        _ = try store.commit(batch, in: other, durability: .synced)
        var result: [String: [UInt8]] = [:]
        func collect(_ folder: String, _ prefix: String) throws {
            for name in try files.list(folder) {
                let path = folder + "/" + name
                if try files.status(path).isDirectory {
                    try collect(path, prefix + name + "/")
                } else {
                    result[prefix + name] = try files.read(path)
                }
            }
        }
        try collect("data", "")
        try store.close()
        var pending = PendingDeletions()
        try pending.add(
            .init(
                block: Self.lostBlock, matchers: [try Matcher("job", .regex, "a.*")], minTime: Self.middle,
                maxTime: Self.middle + 60_000))
        try files.createDirectory("other")
        try pending.write(files, "other")
        var notes = DamageNotes()
        notes.add(
            .init(
                file: "wal/00000001", kind: .damaged, found: Self.middle, times: (Self.middle - 60_000)...Self.middle))
        try notes.write("other", files)
        result[DamageNotes.fileName] = try files.read("other/" + DamageNotes.fileName)
        result["blocks/pending-deletions"] = try files.read("other/pending-deletions")
        return result
    }

    /// A block with two series, of one of which a sample is deleted.
    private func makeBlock() throws {
        try files.createDirectory("data")
        try files.createDirectory("data/blocks")
        var options = BlockWriter.Options()
        options.baseTime = Self.middle - 2 * Self.window
        let writer = try BlockWriter(files, parent: "data/blocks", id: Self.block, options: options)
        writer.metadata = [ExactText("up"): MetricMetadata(type: .gauge, help: "", unit: "")]
        for (instance, values) in [("a", [1.0, 1, 1]), ("b", [1, 0, 1])] {
            var columns = SampleColumns()
            for (step, value) in values.enumerated() {
                columns.append(Self.middle - Self.window - 45_000 + Int64(step) * 15_000, value)
            }
            try writer.add(Self.labels(instance), columns)
        }
        _ = try writer.finish()
        var deleted = DeletedRanges()
        let time = Self.middle - Self.window - 45_000
        deleted.add(PostingRuns(1..<2), time, time)
        try deleted.write(files, "data/blocks/" + Self.block)
        let manifest = try Manifest(files, directory: "data/blocks")
        try manifest.commit(.init(added: [Self.block], mark: Self.middle - Self.window))
    }
}
