import Model

/// The statistics of the labels of the head's series: the largest numbers by name and by value.
///
/// Pairs are read a few thousand at a time, so that new series do not wait for millions of them. Texts of values are
/// only made for entries that enter a list.
struct LabelStatistics {
    typealias List = [(name: String, value: Int)]
    private(set) var pairs = 0
    private(set) var seriesByMetric: List = []
    private(set) var valuesByLabel: List = []
    private(set) var bytesByLabel: List = []
    private(set) var seriesByPair: List = []

    /// The number of pairs that are read while no series can be added.
    private static let pairsAtOnce = 1 << 12
    /// The number of attempts; the last one reads all pairs at once.
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

        /// The bytes of a text with its length before it, as in packed labels.
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
                    // If a smaller index replaced it, the pairs have other numbers.
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

/// The entries with the largest numbers; texts are only made for entries that enter the list.
struct TopList {
    private let limit: Int
    /// A heap whose first entry is the smallest.
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

    /// The entries, largest number first; entries with equal numbers are in the order of their names.
    var entries: [(name: String, value: Int)] { heap.sorted { Self.isLess($1, $0) } }
}
