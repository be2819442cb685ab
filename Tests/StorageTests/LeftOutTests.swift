import Glibc
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Storage

/// What cannot be read is left out of answers, and is said.
@Suite struct LeftOutTests {
    private let start: Int64 = 1_699_999_200_000
    private let clock = ManualClock(now: 1_700_004_000_000)

    private func open(_ files: FaultyFileSystem) throws -> TimeSeriesStore {
        try .open(files, clock) { $0.blockDuration = 600_000 }
    }

    /// Two blocks at least, and a head.
    private func fill(_ files: FaultyFileSystem) throws {
        let store = try open(files)
        for step in 0..<400 {
            try store.push(series: 4, at: start + Int64(step) * 10_000) { Double(step * $0) }
            if step % 100 == 99 { store.runMaintenance() }
        }
        try #require(store.blocks.count >= 2)
        try store.close()
    }

    private func answer(_ store: TimeSeriesStore, _ from: Int64 = .min, _ to: Int64 = .max) throws -> (
        samples: Int, warnings: [String]
    ) {
        let warnings = SourceWarnings()
        let request = SelectRequest(matchers: [], minTime: from, maxTime: to, warn: { warnings.add($0) })
        return (try store.stored(request).times.count, warnings.texts)
    }

    @Test func `a checkpoint from before the last cut lacks nothing that the cut has put into a block`() throws {
        let files = FaultyFileSystem()
        let store = try open(files)
        for step in 0..<400 {
            try store.push(series: 4, at: start + Int64(step) * 10_000) {
                Double(step * $0) + 0.25 * Double(step % 7)
            }
        }
        try store.checkpoint()
        let before = files.afterPowerCut(.kept)
        try #require(before.list("data/spill").count > 1)
        store.runMaintenance()
        try #require(!store.blocks.isEmpty)
        let after = files.afterPowerCut(.kept)
        let lost = try before.list("data/spill").filter { !(try after.exists("data/spill/" + $0)) }
        try #require(!lost.isEmpty)
        let log = try before.list("data/wal").map { "data/wal/" + $0 }
        for path in log + ["data/checkpoint"] {
            let bytes = try before.read(path)
            let file = try after.open(path, .replace)
            try bytes.withUnsafeBytes { try file.write($0) }
            file.close()
        }
        let again = try open(after)
        #expect(again.leftOut.isEmpty)
        let whole = try answer(again)
        #expect(whole.samples == 1600)
        #expect(whole.warnings == [])
        #expect(again.leftOut.isEmpty)
    }

    @Test(arguments: ["data", "index", "meta.json", "."])
    func `a block of which a file is missing at the start is said in the answers that it touches`(file: String) throws {
        let files = FaultyFileSystem()
        try fill(files)
        let block = try #require(try open(files.afterPowerCut(.kept)).blocks.first)
        let directory = "data/blocks/" + block.meta.id
        try files.removeAll(file == "." ? directory : directory + "/" + file)
        let store = try open(files)
        #expect(store.leftOut.map(\.name) == [block.meta.id])
        #expect(store.leftOut.first?.kind == .missing)
        let whole = try answer(store)
        #expect(whole.samples > 0 && whole.samples < 1600)
        #expect(whole.warnings.count == 1 && whole.warnings.first?.contains(block.meta.id) == true)
        if file != "." { #expect(try answer(store, block.maxTime + 1).warnings.isEmpty) }
        let warnings = SourceWarnings()
        let request = SelectRequest(matchers: [], minTime: .min, maxTime: .max, warn: { warnings.add($0) })
        _ = try store.labelNames(request)
        #expect(warnings.texts == whole.warnings)
    }

    @Test func `damage anywhere in the data of a block leaves the rest of the answer`() throws {
        let files = FaultyFileSystem()
        try fill(files)
        let first = try open(files.afterPowerCut(.kept))
        let block = try #require(first.blocks.first)
        let complete = try answer(first).samples
        let path = "data/blocks/\(block.meta.id)/data"
        let size = try files.status(path).size
        var isSeen = false
        for at in stride(from: 17, to: size, by: 211) {
            for cut in [false, true] {
                let copy = files.afterPowerCut(.kept)
                copy.damage(path) { if cut { $0.removeLast($0.count - at) } else { $0[at] ^= 0x40 } }
                let store = try open(copy)
                let found = try answer(store)
                #expect(found.samples == complete || !found.warnings.isEmpty, "byte \(at), cut \(cut)")
                #expect(found.samples >= complete - block.meta.sampleCount)
                isSeen = isSeen || !found.warnings.isEmpty
                store.runMaintenance()
                #expect(try copy.exists(path))
                store.abandon()
            }
        }
        #expect(isSeen)
    }

    @Test(arguments: [false, true])
    func `a damaged page of series leaves out the series of that page`(hasMatcher: Bool) throws {
        let files = FaultyFileSystem()
        var random = SeededRandom(seed: 9)
        let filled = try open(files)
        let group = filled.openGroup("g")
        let series = (0..<1200).map { s in
            let long = (0..<30).map { _ in String(random.next(), radix: 16) }.joined()
            return Labels([("__name__", "m"), ("long", long), ("s", "\(s)")])
        }
        for step in 0..<100 {
            var batch = SampleBatch(timestamp: start + Int64(step) * 10_000)
            for labels in series { batch.append(try filled.resolve(labels, in: group), Double(step)) }
            _ = try filled.commit(batch, in: group, durability: .written)
        }
        filled.runMaintenance()
        filled.abandon()
        let block = try #require(filled.blockSet.readers.first)
        #expect(filled.blockSet.readers.count == 1)
        let pages = block.index.seriesPages
        try #require(pages.count > 5)
        let path = block.directory + "/data"
        let request = SelectRequest(
            matchers: hasMatcher ? [Matcher(name: "__name__", equals: "m")] : [], minTime: block.minTime,
            maxTime: block.maxTime)
        func labels(_ store: TimeSeriesStore, _ request: SelectRequest) throws -> Set<Labels> {
            let set = try store.select(request)
            var columns = SampleColumns()
            var found: Set<Labels> = []
            for i in 0..<set.count {
                try set.read(i, into: &columns)
                #expect(columns.count == block.meta.sampleCount / series.count)
                found.insert(set.labels(i))
            }
            return found
        }
        for (number, page) in pages.enumerated() {
            let copy = files.afterPowerCut(.kept)
            let place = block.index.frames[Int(page.frame)]
            copy.damage(path) { $0[Int(place.offset) + BlockFormat.frameHeaderSize + Int(place.stored) / 2] ^= 1 }
            let store = try open(copy)
            let warnings = SourceWarnings()
            var warned = request
            warned.warn = { warnings.add($0) }
            let found = try labels(store, warned)
            let lost = block.firstRank(behind: number) - Int(page.first)
            #expect(found.count == series.count - lost, "page \(number)")
            #expect(warnings.texts.count == 1 && warnings.texts.first?.contains(block.meta.id) == true)
            #expect(store.leftOut.map(\.kind) == [.damaged])
            // The rest goes on being answered, and nothing is merged away.
            store.runMaintenance()
            #expect(try labels(store, request) == found)
            store.abandon()
        }
    }

    @Test func `damage that only a merge reads is reported, and the block is not merged again`() throws {
        let files = FaultyFileSystem()
        try fill(files)
        let store = try open(files)
        defer { store.abandon() }
        let block = try #require(store.blocks.first)
        let whole = try answer(store)
        // Queries have all of it in their cache.
        var bytes = try files.read(block.directory + "/data")
        let frame = try #require(block.index.frames.first)
        bytes[Int(frame.offset) + BlockFormat.frameHeaderSize + 1] ^= 1
        let file = try files.open(block.directory + "/data", .replace)
        try file.write(bytes)
        file.close()
        _ = try store.deleteSeries([], minTime: start, maxTime: start)
        #expect(throws: BlockError.self) { try store.cleanTombstones() }
        #expect(store.leftOut.map(\.name) == [block.meta.id])
        try store.cleanTombstones()
        #expect(store.blocks.contains { $0.meta.id == block.meta.id })
        let left = try answer(store)
        #expect(left.samples == whole.samples - 4 && left.warnings.count == 1)
    }

    @Test func `a file that vanishes under a running store is noticed, and so is its return`() throws {
        let files = FaultyFileSystem()
        try fill(files)
        let store = try open(files)
        store.runMaintenance()
        let block = try #require(store.blocks.first)
        let path = "data/blocks/\(block.meta.id)/data"
        try files.rename(path, to: "elsewhere")
        clock.advance(to: clock.now() + 11_000)
        store.runMaintenance()
        #expect(store.leftOut.map(\.kind) == [.missing])
        #expect(try answer(store).warnings.count == 1)
        try files.rename("elsewhere", to: path)
        clock.advance(to: clock.now() + 11_000)
        store.runMaintenance()
        #expect(store.leftOut.isEmpty)
        let complete = try answer(store).samples
        let content = try files.read(path)
        files.damage(path) { $0.removeLast($0.count / 2) }
        for _ in 0..<3 {
            clock.advance(to: clock.now() + 11_000)
            store.runMaintenance()
            #expect(store.leftOut.map(\.kind) == [.damaged])
        }
        // A copy from a backup is another file.
        try files.replace(path, with: content)
        clock.advance(to: clock.now() + 11_000)
        store.runMaintenance()
        #expect(store.leftOut.isEmpty)
        let mended = try answer(store)
        #expect(mended.samples == complete && mended.warnings.isEmpty)
    }

    @Test(arguments: [false, true], ["data", "index", "meta.json", "."])
    func `what is deleted while a block is left out stays deleted when it comes back`(
        restarts: Bool, file: String
    ) throws {
        let files = FaultyFileSystem()
        try fill(files)
        let block = try #require(try open(files.afterPowerCut(.kept)).blocks.first)
        let path = "data/blocks/" + block.meta.id + (file == "." ? "" : "/" + file)
        try files.rename(path, to: "elsewhere")
        var store = try open(files)
        #expect(store.leftOut.map(\.name) == [block.meta.id])
        let matchers = [Matcher(name: "s", equals: "2"), try Matcher("__name__", .regex, "m|n")]
        _ = try store.deleteSeries(matchers, minTime: .min, maxTime: .max)
        // Of another series only a part.
        _ = try store.deleteSeries(
            [Matcher(name: "s", equals: "1")], minTime: block.minTime, maxTime: block.minTime + 59_000)
        func check(_ stage: String) throws {
            let found = try answer(store)
            #expect(found.warnings.isEmpty, "\(stage)")
            #expect(found.samples == 1200 - 6, "\(stage)")
        }
        if restarts { try store.close() }
        try files.rename("elsewhere", to: path)
        if restarts {
            store = try open(files)
        } else {
            clock.advance(to: clock.now() + 11_000)
            store.runMaintenance()
        }
        try check("back")
        #expect(try !files.exists("data/blocks/" + PendingDeletions.fileName))
        try store.close()
        store = try open(files)
        try check("again")
        try store.cleanTombstones()
        try check("clean")
        store.abandon()
    }

    @Test(arguments: ["deleted", "pending-deletions", "pending-deletions damaged"])
    func `without the file that says what is deleted a block stays left out, whatever is deleted then`(_ file: String)
        throws
    {
        let files = FaultyFileSystem()
        try fill(files)
        let block = try #require(try open(files.afterPowerCut(.kept)).blocks.first)
        let folder = "data/blocks/" + block.meta.id
        let matchers = [Matcher(name: "s", equals: "2")]
        var store: TimeSeriesStore
        var kept: [UInt8] = []
        if file == "deleted" {
            store = try open(files)
            _ = try store.deleteSeries(matchers, minTime: .min, maxTime: .max)
            store.abandon()
            kept = try files.read(folder + "/deleted")
            try files.remove(folder + "/deleted")
        } else {
            try files.rename(folder, to: "elsewhere")
            store = try open(files)
            _ = try store.deleteSeries(matchers, minTime: .min, maxTime: .max)
            store.abandon()
            let list = "data/blocks/" + PendingDeletions.fileName
            if file.hasSuffix("damaged") { files.damage(list) { $0[20] ^= 1 } } else { try files.remove(list) }
            try files.rename("elsewhere", to: folder)
        }
        for life in 0..<3 {
            store = try open(files)
            #expect(store.leftOut.map(\.name) == [block.meta.id], "life \(life)")
            #expect(try !answer(store).warnings.isEmpty)
            // Something else.
            if life == 1 { _ = try store.deleteSeries([Matcher(name: "s", equals: "1")], minTime: 0, maxTime: 1) }
            if life == 1 { _ = try store.deleteSeries([Matcher(name: "s", equals: "0")], minTime: .min, maxTime: .max) }
            clock.advance(to: clock.now() + 11_000)
            store.runMaintenance()
            #expect(store.leftOut.map(\.name) == [block.meta.id], "life \(life)")
            store.abandon()
        }
        guard !kept.isEmpty else {
            // As the page of the manifest says: without it, all whole blocks are taken.
            try files.remove("data/blocks/" + Manifest.fileName)
            store = try open(files)
            #expect(
                !store.leftOut.contains { $0.name == block.meta.id }
                    && store.blocks.contains { $0.meta.id == block.meta.id })
            store.abandon()
            return
        }
        let restored = try files.open(folder + "/deleted", .replace)
        try restored.write(kept)
        restored.close()
        store = try open(files)
        #expect(store.leftOut.isEmpty)
        #expect(try store.stored(matchers[0], from: block.minTime, to: block.maxTime).times == [])
        store.abandon()
    }

    @Test func `a block whose change failed does not bring back what is deleted after it`() throws {
        let files = FaultyFileSystem()
        try fill(files)
        let store = try open(files)
        let before = Set(store.blocks.map(\.meta.id))
        // The manifest cannot be written, and not be written anew: it may name the block, or not.
        for number in 1..<400 where store.blockSet.unfinishedCount == 0 {
            files.failSyncs(oneIn: 3, seed: UInt64(number))
            _ = try? store.snapshot()
            files.heal()
            guard store.blockSet.unfinishedCount == 0 else { break }
            // Something for the next block.
            clock.advance(to: clock.now() + 1000)
            let group = store.openGroup("more")
            var batch = SampleBatch(timestamp: clock.now() - 1)
            let labels = TimeSeriesStoreTests.labels(["__name__": "m", "s": "2", "more": "yes"])
            batch.append(try store.resolve(labels, in: group), 1)
            _ = try store.commit(batch, in: group, durability: .written)
        }
        #expect(store.blockSet.unfinishedCount > 0)
        _ = try store.deleteSeries([Matcher(name: "s", equals: "2")], minTime: .min, maxTime: .max)
        #expect(store.blockSet.unfinishedCount == 0)
        store.abandon()
        let again = try open(files)
        let blocks = Set(again.blocks.map(\.meta.id)).subtracting(before)
        #expect(try again.stored(Matcher(name: "s", equals: "2")).times == [], "blocks \(blocks)")
        again.abandon()
    }

    @Test func `a store whose directory was moved away writes nothing into the one that lies there now`() throws {
        let files = FaultyFileSystem()
        try fill(files)
        let store = try open(files)
        try files.rename("data", to: "moved")
        try files.createDirectory("data")
        #expect(throws: (any Error).self) { _ = try store.snapshot() }
        #expect(throws: (any Error).self) { try store.checkpoint() }
        store.runMaintenance()
        #expect(try files.list("data").isEmpty)
        store.abandon()
    }

    @Test func `a damaged list of pending deletions is set aside, and the store opens`() throws {
        let files = FaultyFileSystem()
        try fill(files)
        let block = try #require(try open(files.afterPowerCut(.kept)).blocks.first)
        try files.rename("data/blocks/" + block.meta.id, to: "elsewhere")
        var store = try open(files)
        _ = try store.deleteSeries([Matcher(name: "s", equals: "2")], minTime: .min, maxTime: .max)
        store.abandon()
        let path = "data/blocks/" + PendingDeletions.fileName
        let size = try files.status(path).size
        for at in 0..<size {
            let copy = files.afterPowerCut(.kept)
            copy.damage(path) { $0[at] ^= 0x11 }
            store = try open(copy)
            #expect(try copy.exists(path + ".damaged"), "byte \(at)")
            store.abandon()
        }
    }

    @Test func `a list of pending deletions whose entries are cut or changed is refused or read, whatever they are`()
        throws
    {
        let files = FaultyFileSystem()
        try files.createDirectory("d")
        var pending = PendingDeletions()
        try pending.add(.init(block: "b", matchers: [Matcher("s", .regex, "a(b|c)+")], minTime: .min, maxTime: .max))
        try pending.add(.init(block: "b", matchers: [], minTime: 1, maxTime: -1))
        try pending.write(files, "d")
        let path = "d/" + PendingDeletions.fileName
        let rest = Array(try files.read(path).dropFirst(16))
        #expect(try PendingDeletions.read(files, "d").entries.count == 2)
        for at in rest.indices {
            for value: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
                for cut in [false, true] {
                    var changed = cut ? Array(rest[...at]) : rest
                    changed[at] = value
                    files.damage(path) { $0 = PendingDeletions.sealed(changed) }
                    if let read = try? PendingDeletions.read(files, "d") { #expect(read.entries.count <= 2) }
                }
            }
        }
    }

    @Test func `a damaged spill file does not keep its window in the head`() throws {
        let files = FaultyFileSystem()
        var store = try open(files)
        func push(_ steps: Range<Int>) throws {
            for step in steps {
                try store.push(series: 20, at: start + Int64(step) * 1000) { Double(step * $0) * 1.37 }
            }
        }
        try push(0..<500)
        // The spill file is written with the checkpoint.
        try store.close()
        let names = try files.list("data").flatMap { name in
            ((try? files.list("data/" + name)) ?? []).filter { $0.hasSuffix(".spill") }.map { "data/\(name)/\($0)" }
        }
        let path = try #require(names.first)
        files.damage(path) { bytes in for at in stride(from: 40, to: bytes.count, by: 300) { bytes[at] ^= 0xFF } }
        store = try open(files)
        try push(500..<1600)
        store.runMaintenance()
        #expect(store.blocks.count >= 1)
        let leftOut = store.head.damagedRecords.load(ordering: .relaxed)
        #expect(leftOut > 0)
        let found = try answer(store)
        #expect(found.samples >= 1100 * 20 && found.samples < 1600 * 20, "\(found.samples)")
        store.abandon()
    }

    @Test func `damage of the log is said in answers about the time of the head`() throws {
        let files = FaultyFileSystem()
        let store = try open(files)
        for step in 0..<50 { try store.push("m", at: [start + Int64(step) * 1000]) }
        store.abandon()
        let segment = try #require(try files.list("data/wal").first)
        files.damage("data/wal/" + segment) { $0[$0.count / 2] ^= 0xFF }
        let again = try open(files)
        #expect(again.leftOut.map(\.name) == ["wal/" + segment])
        #expect(try answer(again).warnings.count == 1)
        #expect(try answer(again, .min, start - 3_600_000_000).warnings.isEmpty)
    }
}
