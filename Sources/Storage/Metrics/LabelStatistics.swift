import Model

/// Which names and values of labels the series of a head have most of.
///
/// Pairs are looked at a few thousand at a time, so that new series need not wait for millions of them, and only what is
/// shown in the end becomes text.
struct LabelStatistics {
    typealias List = [(name: String, value: Int)]
    private(set) var pairs = 0
    private(set) var seriesByMetric: List = []
    private(set) var valuesByLabel: List = []
    private(set) var bytesByLabel: List = []
    private(set) var seriesByPair: List = []

    /// Pairs that are looked at while nobody may add series.
    private static let pairsAtOnce = 1 << 12
    /// Attempts before the rest is looked at in one go.
    private static let attempts = 3

    private struct Name {
        var text: String
        var values = 0
        var bytes = 0
    }

    private struct Counts {
        var pairs = 0
        var names: [UInt32: Name] = [:]
        var metrics: TopList
        var pairsBySeries: TopList

        init(limit: Int) {
            metrics = TopList(limit)
            pairsBySeries = TopList(limit)
        }

        /// Bytes of a text with its length in front, as labels are packed.
        private static func packed(_ count: Int) -> Int { count + (count < 255 ? 1 : 4) }

        mutating func add(_ pair: LabelIndex.PairInUse) {
            pairs += 1
            var name = names[pair.name] ?? Name(text: String(decoding: pair.nameText, as: UTF8.self))
            name.values += 1
            name.bytes += pair.series * (Self.packed(pair.nameText.count) + Self.packed(pair.valueText.count))
            names[pair.name] = name
            let value = { String(decoding: pair.valueText, as: UTF8.self) }
            if name.text == Labels.nameLabel { metrics.add(pair.series, value) }
            pairsBySeries.add(pair.series) { name.text + "=" + value() }
        }
    }

    init(_ head: Head, limit: Int) {
        var counts = Counts(limit: limit)
        for attempt in 1...Self.attempts {
            counts = Counts(limit: limit)
            let step = attempt < Self.attempts ? Self.pairsAtOnce : Int.max
            let index = head.registry.withLock { head.index }
            var next = 0
            var (isWhole, goesOn) = (true, true)
            while goesOn {
                let end = next.addingReportingOverflow(step).overflow ? Int.max : next + step
                head.registry.withLock {
                    // A smaller index has taken its place: its pairs have other numbers.
                    isWhole = attempt == Self.attempts || index === head.index
                    goesOn = isWhole && head.index.forEachPairInUse(next..<end) { counts.add($0) }
                }
                next = end
            }
            if isWhole { break }
        }
        pairs = counts.pairs
        seriesByMetric = counts.metrics.entries
        seriesByPair = counts.pairsBySeries.entries
        valuesByLabel = Self.top(counts.names.values.map { ($0.text, $0.values) }, limit)
        bytesByLabel = Self.top(counts.names.values.map { ($0.text, $0.bytes) }, limit)
    }

    private static func top(_ list: [(String, Int)], _ limit: Int) -> List {
        var top = TopList(limit)
        for (name, value) in list { top.add(value) { name } }
        return top.entries
    }
}

/// The entries with the largest numbers; texts are only made of those that are kept for now.
struct TopList {
    private let limit: Int
    /// A heap whose first entry is the least.
    private var heap: [(name: String, value: Int)] = []

    init(_ limit: Int) { self.limit = max(0, limit) }

    private static func isLess(_ a: (name: String, value: Int), _ b: (name: String, value: Int)) -> Bool {
        a.value != b.value ? a.value < b.value : a.name > b.name
    }

    mutating func add(_ value: Int, _ name: () -> String) {
        guard limit > 0 else { return }
        if heap.count < limit {
            heap.append((name(), value))
            rise(heap.count - 1)
            return
        }
        if value < heap[0].value { return }
        let entry = (name: name(), value: value)
        guard Self.isLess(heap[0], entry) else { return }
        heap[0] = entry
        sink()
    }

    private mutating func rise(_ start: Int) {
        var at = start
        while at > 0, Self.isLess(heap[at], heap[(at - 1) / 2]) {
            heap.swapAt(at, (at - 1) / 2)
            at = (at - 1) / 2
        }
    }

    private mutating func sink() {
        var at = 0
        while true {
            var least = at
            for child in [2 * at + 1, 2 * at + 2] where child < heap.count && Self.isLess(heap[child], heap[least]) {
                least = child
            }
            if least == at { return }
            heap.swapAt(at, least)
            at = least
        }
    }

    /// The largest first; of equal ones those whose names stand first.
    var entries: [(name: String, value: Int)] { heap.sorted { Self.isLess($1, $0) } }
}
