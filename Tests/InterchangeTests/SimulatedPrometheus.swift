import Model
import TestSupport

/// A model of Prometheus 2.42: what it stores, and what it answers.
///
/// It has the rules of the head, of blocks and of deletions, but none of the import. Times are in ms.
struct SimulatedPrometheus {
    typealias Samples = [Int: [Int64: Double]]
    typealias Push = (series: Int, time: Int64, value: Double)

    struct Block {
        var id: String
        var minTime: Int64
        var maxTime: Int64
        var isLate: Bool
        var level = 1
        var parents: [(minTime: Int64, maxTime: Int64)] = []
        var samples: Samples
        var deleted: [Int: [ClosedRange<Int64>]] = [:]

        var hasDeleted: Bool { !deleted.isEmpty }

        var visible: Samples {
            var result: Samples = [:]
            for (series, list) in samples {
                let kept = list.filter { time, _ in !(deleted[series] ?? []).contains { $0.contains(time) } }
                if !kept.isEmpty { result[series] = kept }
            }
            return result
        }
    }

    enum Record {
        case samples([Push])
        case deletions([(series: Int, times: ClosedRange<Int64>)])
    }

    struct Chunk {
        var series: Int
        var isLate: Bool
        var samples: [Int64: Double]
    }

    /// The range of a block that is made from the head.
    static let range: Int64 = 600_000

    private(set) var blocks: [Block] = []
    private(set) var log: [Record] = []
    private(set) var lateLog: [Record] = []
    private(set) var chunks: [Chunk] = []
    private(set) var newest: Int64
    private var head: Samples = [:]
    private var deleted: [Int: [ClosedRange<Int64>]] = [:]
    /// The late samples that are not compacted; of a time, several values can be stored.
    private var late: [Int: [Int64: [Double]]] = [:]
    /// The values of each time that were pushed before its last deletion, and those that were pushed at all.
    private var old: [Int: [Int64: Set<UInt64>]] = [:]
    private var pushed: [Int: [Int64: Set<UInt64>]] = [:]
    /// The times of late samples that were deleted before they were compacted, and not pushed again.
    private(set) var ignoredDeletions: [Int: Set<Int64>] = [:]
    private var unmapped: [Int: [Int64: Double]] = [:]
    private var last: [Int: Int64] = [:]
    private var mapped: [Int: Int64] = [:]
    private var start = Int64.min
    private var count = 0

    init(at time: Int64) { newest = time }

    /// The values that may be imported for each time of each series.
    ///
    /// Of several stored values Prometheus answers any, also one that was deleted before another one was pushed. Only
    /// the others may be imported.
    ///
    /// Late samples that were deleted before they were compacted are not among them: this version goes on to answer
    /// them, but later ones do not.
    var answer: [Int: [Int64: Set<UInt64>]] {
        var result: [Int: [Int64: Set<UInt64>]] = [:]
        for part in blocks.map(\.visible) + [visibleHead] {
            for (series, list) in part {
                for (time, value) in list { result[series, default: [:]][time, default: []].insert(value.bitPattern) }
            }
        }
        for (series, list) in late {
            for (time, values) in list where ignoredDeletions[series]?.contains(time) != true {
                result[series, default: [:]][time, default: []].formUnion(values.map(\.bitPattern))
            }
        }
        for (series, list) in result {
            for (time, values) in list {
                let fresh = values.subtracting(old[series]?[time] ?? [])
                if !fresh.isEmpty { result[series]?[time] = fresh }
            }
        }
        return result
    }

    private var visibleHead: Samples {
        head.reduce(into: [:]) { result, part in
            let kept = part.value.filter { time, _ in
                !(deleted[part.key] ?? []).contains { $0.contains(time) }
            }
            if !kept.isEmpty { result[part.key] = kept }
        }
    }

    // MARK: Writing

    mutating func push(_ list: [Push]) {
        let oldest = max(newest - Self.range / 2, start)
        var lateOnes: [Push] = []
        for push in list {
            ignoredDeletions[push.series]?.remove(push.time)
            pushed[push.series, default: [:]][push.time, default: []].insert(push.value.bitPattern)
            old[push.series]?[push.time]?.remove(push.value.bitPattern)
            if push.time >= oldest, last[push.series].map({ push.time > $0 }) ?? true {
                head[push.series, default: [:]][push.time] = push.value
                last[push.series] = push.time
                newest = max(newest, push.time)
            } else if unmapped[push.series]?[push.time] == nil {
                // Only the samples that are not in a chunk yet are searched for the time.
                late[push.series, default: [:]][push.time, default: []].append(push.value)
                unmapped[push.series, default: [:]][push.time] = push.value
                lateOnes.append(push)
            }
        }
        log.append(.samples(list))
        if !lateOnes.isEmpty { lateLog.append(.samples(lateOnes)) }
        for series in unmapped.keys.sorted() where (unmapped[series]?.count ?? 0) >= 32 { mapLate(series) }
    }

    private mutating func mapLate(_ series: Int) {
        guard let samples = unmapped.removeValue(forKey: series), !samples.isEmpty else { return }
        chunks.append(Chunk(series: series, isLate: true, samples: samples))
    }

    /// Writes the in-order samples of a series to disk, one chunk for each range.
    mutating func map(_ series: Int) {
        let fresh = (head[series] ?? [:]).filter { $0.key > mapped[series] ?? .min }
        for (_, part) in Dictionary(grouping: fresh, by: { Self.floor($0.key) }) {
            chunks.append(
                Chunk(series: series, isLate: false, samples: Dictionary(uniqueKeysWithValues: part.map { ($0, $1) })))
        }
        if let newest = fresh.keys.max() { mapped[series] = newest }
    }

    // MARK: Deleting

    mutating func delete(_ series: Set<Int>, _ times: ClosedRange<Int64>) {
        for at in blocks.indices {
            for number in series {
                guard let all = blocks[at].samples[number]?.keys, let first = all.min(), let last = all.max(),
                    times.overlaps(first...last)
                else { continue }
                blocks[at].deleted[number, default: []].append(times.clamped(to: first...last))
            }
        }
        for number in series {
            for (time, values) in pushed[number] ?? [:] where times.contains(time) {
                old[number, default: [:]][time] = values
            }
        }
        // Late samples of the head stay.
        var stones: [(series: Int, times: ClosedRange<Int64>)] = []
        for number in series.sorted() {
            guard let all = head[number]?.keys, let first = all.min(), let last = all.max(),
                times.overlaps(first...last)
            else { continue }
            stones.append((number, times.clamped(to: first...last)))
            deleted[number, default: []].append(times.clamped(to: first...last))
            let hidden = (late[number] ?? [:]).keys.filter(times.clamped(to: first...last).contains)
            ignoredDeletions[number, default: []].formUnion(hidden)
        }
        if !stones.isEmpty { log.append(.deletions(stones)) }
    }

    // MARK: Compacting

    private static func floor(_ time: Int64) -> Int64 { time / range * range }

    private mutating func add(_ block: Block) {
        guard block.samples.values.contains(where: { !$0.isEmpty }) else { return }
        var block = block
        count += 1
        let number = String(count)
        block.id = "01HF7GZ8M0" + String(repeating: "0", count: 16 - number.count) + number
        blocks.append(block)
    }

    private static func part(_ samples: Samples, _ times: Range<Int64>) -> Samples {
        samples.mapValues { $0.filter { times.contains($0.key) } }.filter { !$0.value.isEmpty }
    }

    /// Compacts the head as far as Prometheus does, then all late samples.
    ///
    /// - Parameter writesCheckpoint: Whether a checkpoint replaces the older two thirds of the log.
    mutating func compact(writesCheckpoint: Bool) {
        let before = start
        while let first = head.values.compactMap({ $0.keys.min() }).min(), newest - first > Self.range / 2 * 3 {
            let end = Self.floor(first) + Self.range
            let from = max(first, start)
            add(
                Block(
                    id: "", minTime: from, maxTime: end, isLate: false,
                    samples: Self.part(visibleHead, from..<end)))
            start = end
            head = Self.part(head, end..<Int64.max)
            for series in last.keys where head[series] == nil { last[series] = nil }
        }
        guard start > before else { return }
        chunks.removeAll { !$0.isLate && ($0.samples.keys.max() ?? .min) < start }
        if writesCheckpoint {
            let end = log.count * 2 / 3
            log = log[..<end].compactMap(kept) + log[end...]
        }
        compactLate()
    }

    private func kept(_ record: Record) -> Record? {
        switch record {
        case .samples(let list):
            let list = list.filter { $0.time >= start }
            return list.isEmpty ? nil : .samples(list)
        case .deletions(let list):
            let list = list.filter { $0.times.upperBound >= start }
            return list.isEmpty ? nil : .deletions(list)
        }
    }

    private mutating func compactLate() {
        for series in unmapped.keys.sorted() { mapLate(series) }
        // Any value of a time remains.
        let all = late.mapValues { list in
            list.reduce(into: [Int64: Double]()) { $0[$1.key] = $1.key % 2 == 0 ? $1.value.first : $1.value.last }
        }
        for from in Set(late.values.flatMap { $0.keys.map(Self.floor) }).sorted() {
            let end = from + Self.range
            add(Block(id: "", minTime: from, maxTime: end, isLate: true, samples: Self.part(all, from..<end)))
        }
        (late, lateLog, ignoredDeletions) = ([:], [], [:])
    }

    /// The positions of the first blocks that overlap, which Prometheus merges before others.
    var overlapping: [Int] {
        var (list, end) = ([Int](), Int64.min)
        for at in blocks.indices.sorted(by: { blocks[$0].minTime < blocks[$1].minTime }) {
            if blocks[at].minTime >= end {
                if list.count > 1 { break }
                list = []
            }
            list.append(at)
            end = max(end, blocks[at].maxTime)
        }
        return list.count > 1 ? list : []
    }

    /// Merges the blocks with these positions.
    mutating func merge(_ list: [Int]) {
        let parts = list.map { blocks[$0] }
        guard parts.count > 1, let from = parts.map(\.minTime).min(), let end = parts.map(\.maxTime).max() else {
            return
        }
        var samples: Samples = [:]
        for part in parts {
            for (series, list) in part.visible { samples[series, default: [:]].merge(list) { a, _ in a } }
        }
        blocks.removeAll { block in parts.contains { $0.id == block.id } }
        add(
            Block(
                id: "", minTime: from, maxTime: end, isLate: parts.allSatisfy(\.isLate),
                level: (parts.map(\.level).max() ?? 1) + 1, parents: parts.map { ($0.minTime, $0.maxTime) },
                samples: samples))
    }

    /// Removes what was deleted from the files of the blocks.
    mutating func clean() {
        for block in blocks where block.hasDeleted {
            blocks.removeAll { $0.id == block.id }
            add(
                Block(
                    id: "", minTime: block.minTime, maxTime: block.maxTime, isLate: block.isLate,
                    parents: [(block.minTime, block.maxTime)], samples: block.visible))
        }
    }
}
