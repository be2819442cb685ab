import Model
import Platform
import TestSupport
import Testing

@testable import Storage

@Suite struct BlockCrashTests {
    /// Two blocks are written, one gets deletions, both are merged; every step is known to the manifest.
    private static func life(_ files: FaultyFileSystem, _ ids: [String], _ parts: [[PlainSeries]]) throws {
        try files.createDirectory("data")
        try files.syncDirectory(".")
        let manifest = try Manifest(files, directory: "data")
        let cache = FrameCache(capacity: 1 << 20)
        var readers: [BlockReader] = []
        for (number, part) in parts.enumerated() {
            let writer = try BlockWriter(files, parent: "data", id: ids[number], options: .init())
            var columns = SampleColumns()
            for one in part {
                columns.removeAll()
                for sample in one.samples { columns.append(sample.time, sample.value) }
                try writer.add(one.labels, columns)
            }
            guard let meta = try writer.finish() else { continue }
            try manifest.commit(.init(added: [meta.id], mark: Int64(number)))
            readers.append(try BlockReader(files, directory: "data/\(meta.id)", cache: cache))
        }
        guard let meta = try BlockMerger.merge(files, readers, to: "data/" + ids[2]) else { return }
        try manifest.commit(.init(added: [meta.id], removed: [ids[0], ids[1]], mark: 9))
        for id in ids[..<2] { try files.removeAll("data/\(id)") }
    }

    @Test(arguments: FaultyFileSystem.Aftermath.allCases)
    func `after a stop at any operation the blocks of the manifest are whole`(
        aftermath: FaultyFileSystem.Aftermath
    ) throws {
        let parts = [Int64(0), 7_200_000].map {
            BlockMaking.series(seed: UInt64($0), metrics: 3, targets: 2, samples: 20, start: $0)
        }
        let ids = (0..<3).map { BlockMeta.makeID(now: Int64($0)) }
        let counting = FaultyFileSystem()
        try Self.life(counting, ids, parts)
        let total = counting.operations.count
        #expect(total > 40)
        for stop in 1...total {
            let files = FaultyFileSystem()
            files.inject(.stop, at: stop)
            #expect(throws: (any Error).self) { try Self.life(files, ids, parts) }
            let after = files.afterPowerCut(aftermath)
            try after.createDirectory("data")
            let manifest = try Manifest(after, directory: "data")
            try manifest.removeGarbage(in: "data")
            let names = manifest.blocks
            #expect([[], [ids[0]], [ids[0], ids[1]], [ids[2]]].contains(names), "stop at \(stop)")
            var found: [PlainSeries] = []
            for name in names {
                let block = try BlockReader(after, directory: "data/\(name)", cache: FrameCache(capacity: 1 << 20))
                try block.verify()
                let all = try block.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
                found += try BlockTests.read(all)
            }
            if names == [ids[0], ids[1]] { BlockTests.expectEqual(found, parts[0] + parts[1]) }
            if names == [ids[2]] {
                #expect(
                    found.reduce(0) { $0 + $1.samples.count }
                        == (parts[0] + parts[1]).reduce(0) { $0 + $1.samples.count })
            }
        }
    }

    @Test func `errors of the disk are thrown and leave the manifest usable`() throws {
        let parts = [BlockMaking.series(seed: 1, metrics: 2, targets: 2, samples: 5), []]
        let ids = (0..<3).map { BlockMeta.makeID(now: Int64($0)) }
        let counting = FaultyFileSystem()
        try Self.life(counting, ids, parts)
        for number in 1...counting.operations.count {
            for fault in [FaultyFileSystem.Fault.fail(28), .fail(5), .tear] {
                let files = FaultyFileSystem()
                files.inject(fault, at: number)
                do {
                    try Self.life(files, ids, parts)
                } catch is FileError {
                    files.heal()
                    try files.createDirectory("data")
                    let manifest = try Manifest(files, directory: "data")
                    try manifest.removeGarbage(in: "data")
                    for name in manifest.blocks {
                        try BlockReader(files, directory: "data/\(name)", cache: FrameCache(capacity: 1 << 20)).verify()
                    }
                }
            }
        }
    }
}
