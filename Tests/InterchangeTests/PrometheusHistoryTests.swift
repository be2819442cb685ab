import Glibc
import Model
import Platform
import Storage
import TestSupport
import Testing

@testable import Interchange

/// Histories of pushes, deletions and compactions, of which Prometheus and the store answer the same samples.
@Suite struct PrometheusHistoryTests {
    private static let series = 6
    private static let firstHistogram = 5
    private static let histories: UInt64 = 100
    private static let base: Int64 = 1_700_000_400_000

    /// One history.
    private struct History {
        var random: SeededRandom
        var peer = SimulatedPrometheus(at: base)
        /// Whether series 0 has all its samples, so that deleted samples can disappear from the files of blocks.
        let isSteady: Bool
        var now = base
        var deleted: [(series: Set<Int>, times: ClosedRange<Int64>)] = []
        var pushed: [Int: Set<Int64>] = [:]
        var value = 0.0

        init(_ seed: UInt64) {
            random = SeededRandom(seed: seed)
            isSteady = Bool.random(using: &random)
        }

        mutating func number(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &random) }
        mutating func choice(of list: Int64...) -> Int64 { list[Int.random(in: list.indices, using: &random)] }
        mutating func isLucky(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

        mutating func nextValue(_ number: Int) -> Double {
            value += 1
            return isLucky(3) && number < firstHistogram ? Staleness.marker : value
        }

        mutating func pushForward() {
            let end = now + choice(of: 10_000, 100_000, 400_000)
            var list: [SimulatedPrometheus.Push] = []
            for number in 0..<series where number == 0 || isLucky(60) {
                var time = now + 1000 + Int64(number)
                while time <= end {
                    list.append((number, time, nextValue(number)))
                    time += number == 0 ? 7000 : self.number(1000...60_000)
                }
            }
            now = end
            push(list)
        }

        /// Pushes samples late: at new times, or again what was deleted, sometimes the same twice.
        mutating func pushLate() {
            var list: [SimulatedPrometheus.Push] = []
            let number = Int.random(in: isSteady ? 1..<series : 0..<series, using: &random)
            if isLucky(40), let old = deleted.randomElement(using: &random) {
                let times = (pushed[number] ?? []).filter(old.times.contains).sorted()
                list = times.prefix(isLucky(50) ? 5 : 60).map { (number, $0, 0) }
            } else {
                list = Set((0..<self.number(1...60)).map { _ in self.number(base...now) }).sorted()
                    .map { (number, $0, 0) }
            }
            for at in list.indices { list[at].value = nextValue(number) }
            push(list)
            if isLucky(20) { push(list) }
        }

        private mutating func push(_ list: [SimulatedPrometheus.Push]) {
            if list.isEmpty { return }
            for push in list { pushed[push.series, default: []].insert(push.time) }
            peer.push(list)
        }

        mutating func delete() {
            let from = number(base...(now + 1))
            let times = from...(from + choice(of: 1000, 100_000, 10_000_000))
            let all = Array(isSteady ? 1..<series : 0..<series)
            let chosen = isLucky(40) ? Set(all) : Set(all.filter { _ in isLucky(30) })
            deleted.append((chosen, times))
            peer.delete(chosen, times)
        }

        private func mayMerge(_ list: [Int]) -> Bool {
            isSteady || !list.contains { peer.blocks[$0].hasDeleted }
        }

        /// Merges overlapping blocks, or neighbours except the newest.
        mutating func merge() {
            let order = peer.blocks.indices.sorted { peer.blocks[$0].minTime < peer.blocks[$1].minTime }
            var list = peer.overlapping
            if !isLucky(70), order.count > 3 {
                let first = Int.random(in: 0..<(order.count - 3), using: &random)
                if list.isEmpty { list = Array(order[first..<(first + 2)]) }
            }
            if mayMerge(list) { peer.merge(list) }
        }

        /// Merges all blocks, so that none tells how far the head was compacted, and deletes.
        mutating func mergeAll() {
            while !peer.overlapping.isEmpty, mayMerge(peer.overlapping) { peer.merge(peer.overlapping) }
            let order = peer.blocks.indices.sorted { peer.blocks[$0].minTime < peer.blocks[$1].minTime }
            let names = peer.overlapping.isEmpty ? order.map { peer.blocks[$0].id } : []
            for at in stride(from: 0, to: names.count - 1, by: 2) {
                let end = at + 3 == names.count ? at + 3 : at + 2
                let list = peer.blocks.indices.filter { names[at..<end].contains(peer.blocks[$0].id) }
                if mayMerge(list) { peer.merge(list) }
            }
            for _ in 0..<number(0...2) { delete() }
        }

        mutating func run() {
            for _ in 0..<number(5...60) {
                switch number(0...99) {
                case 0..<45: pushForward()
                case 45..<65: pushLate()
                case 65..<75: delete()
                case 75..<85: peer.compact(writesCheckpoint: isLucky(50))
                case 85..<92: merge()
                case 92..<95 where isSteady && peer.overlapping.isEmpty: peer.clean()
                default: peer.map(Int.random(in: 0..<firstHistogram, using: &random))
                }
            }
            if isLucky(60) { mergeAll() }
            if isLucky(30) { pushForward() }
        }
    }

    private func content(_ store: TimeSeriesStore) throws -> [Int: [Int64: UInt64]] {
        let set = try store.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
        var result: [Int: [Int64: UInt64]] = [:]
        for i in 0..<set.count {
            var columns = SampleColumns()
            try set.read(i, into: &columns)
            let number = try #require(set.labels(i)["s"].flatMap { Int($0) })
            for at in 0..<columns.count {
                result[number, default: [:]][columns.timestamps[at]] = columns.values[at].bitPattern
            }
            for own in columns.histograms {
                result[number]?[columns.timestamps[own.index]] = own.histogram.sum.bitPattern
            }
        }
        return result
    }

    @Test func `an import has what Prometheus answers, whatever was deleted, pushed again and compacted`() throws {
        for seed in 1...Self.histories { try compare(seed) }
    }

    private static let mergedHistories: [UInt64] = [
        19_719_847_196_981_814, 10_594, 11_008, 11_201, 11_390, 11_446, 11_827, 12_389, 14_293,
    ]

    /// In these histories, no two blocks show the length of the range that Prometheus compacts at once.
    @Test(arguments: mergedHistories)
    func `the start of a head is found by the ends of merged blocks`(seed: UInt64) throws { try compare(seed) }

    /// In these histories, two blocks have a time: one with a value that was deleted, and one that was pushed again.
    @Test(arguments: [2216, 2218, 2258, 2735] as [UInt64])
    func `the value of the newest block is imported`(seed: UInt64) throws { try compare(seed) }

    private func store(_ files: FaultyFileSystem, _ directory: String = "store") throws -> TimeSeriesStore {
        try TimeSeriesStore.open(
            options: StoreOptions(directory: directory, retentionTime: 0, runsInBackground: false),
            fileSystem: files, clock: ManualClock(now: Self.base))
    }

    /// The files of a history, in the directory `p`.
    private func files(of history: History) throws -> FaultyFileSystem {
        let files = FaultyFileSystem()
        try SimulatedPrometheusFiles(files: files, firstHistogram: Self.firstHistogram, series: Self.series)
            .write(history.peer, to: "p")
        return files
    }

    /// Imports the history of a seed, and requires the samples that Prometheus answers.
    private func compare(_ seed: UInt64) throws {
        var history = History(seed)
        history.run()
        let files = try files(of: history)
        let store = try store(files)
        let report = try BlockImport.run("p", into: store, files: files)
        try #require(report.failures.isEmpty && report.damage.isEmpty && report.orphans == 0)
        let (expected, found) = (history.peer.answer, try content(store))
        for number in 0..<Self.series {
            let (theirs, own) = (expected[number] ?? [:], found[number] ?? [:])
            let lost = theirs.keys.filter { own[$0] == nil }.sorted()
            let back = own.keys.filter { theirs[$0] == nil }.sorted()
            let wrong = own.filter { theirs[$0.key]?.contains($0.value) == false }.keys.sorted()
            try #require(
                lost.isEmpty && back.isEmpty && wrong.isEmpty,
                """
                seed \(seed): series \(number): \(lost.count) lost \(lost.prefix(3)), \
                \(back.count) back \(back.prefix(3)), \(wrong.count) wrong \(wrong.prefix(3))
                """)
        }
        #expect(try BlockImport.run("p", into: store, files: files).added == 0)
    }

    // MARK: Imports that fail at first

    /// What hinders a first import.
    private enum Hindrance: CustomStringConvertible {
        case unreadable(String, code: Int32, after: Int)
        case missing(String)
        case damaged(String)
        case killed(at: Int)

        var description: String {
            switch self {
            case .unreadable(let path, let code, let after): "\(path) fails with \(code) after \(after) reads"
            case .missing(let path): "\(path) is missing"
            case .damaged(let path): "\(path) is damaged"
            case .killed(let operation): "killed at operation \(operation)"
            }
        }
    }

    private func hindrance(
        _ history: inout History, _ files: FaultyFileSystem, operations: ClosedRange<Int64>
    ) throws -> Hindrance {
        let paths = try ["wal", "wbl", "chunks_head"].flatMap { part in
            try files.list("p/\(part)").map { "p/\(part)/\($0)" }
        }
        let blocks = history.peer.blocks.map { "p/" + $0.id }
        guard let block = blocks.randomElement(using: &history.random), history.isLucky(80) else {
            guard let path = paths.randomElement(using: &history.random), history.isLucky(50) else {
                return .killed(at: Int(history.number(operations)))
            }
            return .unreadable(path, code: EIO, after: Int(history.number(0...2)))
        }
        let parts = ["", "/meta.json", "/index", "/chunks/000001", "/tombstones"]
        let path = block + (parts.randomElement(using: &history.random) ?? "")
        switch history.number(0...3) {
        case 0: return .missing(block + (history.isLucky(50) ? "/meta.json" : "/index"))
        case 1: return .damaged(block + "/chunks/000001")
        default:
            return .unreadable(
                path, code: history.isLucky(50) ? EIO : EMFILE, after: history.isLucky(70) ? 0 : 1)
        }
    }

    /// Imports as the hindrance allows, removes it, and returns the files and whether the write-ahead log was imported.
    private func importOnce(_ hindrance: Hindrance, _ files: FaultyFileSystem) throws -> (FaultyFileSystem, Bool) {
        var (isTaken, saved) = (false, [UInt8]())
        let store = try store(files, "again")
        do {
            switch hindrance {
            case .unreadable(let path, let code, let after): files.failReads(of: path, code: code, after: after)
            case .missing(let path): try files.rename(path, to: "p/away")
            case .damaged(let path):
                saved = try files.read(path, limit: 1 << 30)
                files.damage(path) { content in for at in 8..<content.count { content[at] ^= 0x10 } }
            case .killed(let operation): files.inject(.stop, at: files.operations.count + operation)
            }
            let report = try BlockImport.run("p", into: store, files: files)
            isTaken = report.hasHead
            #expect(isTaken == report.failures.isEmpty && isTaken != report.isHeadLeftOut, "\(hindrance)")
        } catch is FileError {}
        let next = files.afterPowerCut(.kept)
        next.heal()
        switch hindrance {
        case .missing(let path): try next.rename("p/away", to: path)
        case .damaged(let path): next.damage(path) { $0 = saved }
        default: break
        }
        return (next, isTaken)
    }

    @Test(arguments: ["wal", "wbl", "chunks_head"])
    func `nothing is imported if a file of the head cannot be read`(part: String) throws {
        var history = History(39)
        history.run()
        let files = try files(of: history)
        let name = try #require(try files.list("p/" + part).first)
        files.failReads(of: "p/\(part)/\(name)", code: EIO, after: 0)
        let store = try store(files)
        #expect(throws: FileError.self) { try BlockImport.run("p", into: store, files: files) }
        #expect(try content(store).isEmpty)
    }

    @Test func `an import after one that could not read a file has what an undisturbed one has`() throws {
        var hindered = 0
        for seed in 1...Self.histories {
            var history = History(seed)
            history.run()
            let files = try files(of: history)
            let undisturbed = try store(files)
            let start = files.operations.count
            _ = try BlockImport.run("p", into: undisturbed, files: files)
            let expected = try content(undisturbed)
            let operations = Int64(files.operations.count - start)
            let hindrance = try hindrance(&history, files, operations: 1...operations)
            let (next, isTaken) = try importOnce(hindrance, try self.files(of: history))
            if !isTaken { hindered += 1 }
            let again = try store(next, "again")
            let report = try BlockImport.run("p", into: again, files: next)
            #expect(report.failures.isEmpty && report.hasHead)
            let (found, allowed) = (try content(again), history.peer.answer)
            for number in 0..<Self.series {
                let (theirs, own) = (expected[number] ?? [:], found[number] ?? [:])
                let lost = theirs.keys.filter { own[$0] == nil }.count
                let back = own.keys.filter { theirs[$0] == nil }.count
                // At a time that two blocks have, the value is that of the block which was read first.
                let wrong = own.filter { allowed[number]?[$0.key]?.contains($0.value) == false }.count
                try #require(
                    lost == 0 && back == 0 && wrong == 0,
                    "seed \(seed), \(hindrance): series \(number): \(lost) lost, \(back) back, \(wrong) wrong")
            }
        }
        #expect(hindered > Int(Self.histories) / 2)
    }
}
