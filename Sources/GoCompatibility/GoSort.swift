/// Pattern-defeating quicksort as in Go's `sort.Sort`.
///
/// The order of equal elements is not specified, but it is always the same and visible in results. Short ranges are
/// sorted by insertion; after too many uneven partitions it uses a heap sort.
public struct GoSort<Element> {
    @usableFromInline var items: [Element]
    @usableFromInline let less: (Element, Element) -> Bool

    @inlinable
    init(items: [Element], less: @escaping (Element, Element) -> Bool) {
        self.items = items
        self.less = less
    }

    /// Sorts `items`; `less` need not be a strict order.
    @inlinable
    public static func sort(_ items: inout [Element], by less: @escaping (Element, Element) -> Bool) {
        var sorter = GoSort(items: items, less: less)
        let limit = Int.bitWidth - items.count.leadingZeroBitCount
        sorter.sort(0, items.count, limit)
        items = sorter.items
    }

    @inlinable
    func less(_ i: Int, _ j: Int) -> Bool { less(items[i], items[j]) }

    @inlinable
    mutating func sort(_ start: Int, _ end: Int, _ badPivots: Int) {
        var (start, end, badPivots) = (start, end, badPivots)
        var (wasBalanced, wasPartitioned) = (true, true)
        while end - start > 12 {
            if badPivots == 0 { return heapSort(start, end) }
            if !wasBalanced {
                breakPatterns(start, end)
                badPivots -= 1
            }
            let length = end - start
            var (pivot, swaps) = choosePivot(start, end)
            let isDescending = swaps == 12
            if isDescending {
                items[start..<end].reverse()
                pivot = end - 1 - (pivot - start)
            }
            if wasBalanced, wasPartitioned, swaps == 0 || isDescending, finishAlmostSorted(start, end) { return }
            if start > 0, !less(start - 1, pivot) {
                start = partitionEqual(start, end, pivot)
                continue
            }
            let middle: Int
            (middle, wasPartitioned) = partition(start, end, pivot)
            wasBalanced = min(middle - start, end - middle) >= length / 8
            if middle - start < end - middle {
                sort(start, middle, badPivots)
                start = middle + 1
            } else {
                sort(middle + 1, end, badPivots)
                end = middle
            }
        }
        for i in start..<max(start, end) { sinkLeft(i, downTo: start) }
    }

    @inlinable
    mutating func sinkLeft(_ index: Int, downTo start: Int) {
        var j = index
        while j > start, less(j, j - 1) {
            items.swapAt(j, j - 1)
            j -= 1
        }
    }

    // MARK: Pivots

    /// The position of a median, and the number of swaps to find it: at most 12.
    @inlinable
    func choosePivot(_ start: Int, _ end: Int) -> (pivot: Int, swaps: Int) {
        let quarter = (end - start) / 4
        var swaps = 0
        var places = [start + quarter, start + 2 * quarter, start + 3 * quarter]
        if end - start >= 50 { places = places.map { median($0 - 1, $0, $0 + 1, &swaps) } }
        return (median(places[0], places[1], places[2], &swaps), swaps)
    }

    @inlinable
    func median(_ a: Int, _ b: Int, _ c: Int, _ swaps: inout Int) -> Int {
        var (a, b, c) = (a, b, c)
        order(&a, &b, &swaps)
        order(&b, &c, &swaps)
        order(&a, &b, &swaps)
        return b
    }

    @inlinable
    func order(_ a: inout Int, _ b: inout Int, _ swaps: inout Int) {
        guard less(b, a) else { return }
        swap(&a, &b)
        swaps += 1
    }

    /// Moves three elements to random positions, but always to the same ones.
    @inlinable
    mutating func breakPatterns(_ start: Int, _ end: Int) {
        let length = end - start
        var random = UInt64(length)
        let mask = (UInt64(1) << UInt64(Int.bitWidth - length.leadingZeroBitCount)) - 1
        let middle = start + length / 4 * 2 - 1
        for i in -1...1 {
            random ^= random << 13
            random ^= random >> 7
            random ^= random << 17
            var other = Int(random & mask)
            if other >= length { other -= length }
            items.swapAt(middle + i, start + other)
        }
    }

    // MARK: Partitions

    /// Moves elements that are less than the pivot before it; returns the pivot's new position, and whether no other
    /// element was moved.
    @inlinable
    mutating func partition(_ start: Int, _ end: Int, _ pivot: Int) -> (middle: Int, isPartitioned: Bool) {
        items.swapAt(start, pivot)
        var (i, j) = (start + 1, end - 1)
        var isPartitioned = true
        while true {
            while i <= j, less(i, start) { i += 1 }
            while i <= j, !less(j, start) { j -= 1 }
            if i > j { break }
            isPartitioned = false
            items.swapAt(i, j)
            i += 1
            j -= 1
        }
        items.swapAt(j, start)
        return (j, isPartitioned)
    }

    /// Moves elements that equal the pivot, which is the minimum, to the front; returns the start of the rest.
    @inlinable
    mutating func partitionEqual(_ start: Int, _ end: Int, _ pivot: Int) -> Int {
        items.swapAt(start, pivot)
        var (i, j) = (start + 1, end - 1)
        while true {
            while i <= j, !less(start, i) { i += 1 }
            while i <= j, less(start, j) { j -= 1 }
            if i > j { return i }
            items.swapAt(i, j)
            i += 1
            j -= 1
        }
    }

    /// Swaps up to five elements of a range that seems sorted; returns whether it is sorted then.
    @inlinable
    mutating func finishAlmostSorted(_ start: Int, _ end: Int) -> Bool {
        var i = start + 1
        for _ in 0..<5 {
            while i < end, !less(i, i - 1) { i += 1 }
            if i == end { return true }
            if end - start < 50 { return false }
            items.swapAt(i, i - 1)
            if i - start >= 2 { sinkLeft(i - 1, downTo: 0) }
            var j = i + 1
            while end - i >= 2, j < end, less(j, j - 1) {
                items.swapAt(j, j - 1)
                j += 1
            }
        }
        return false
    }

    // MARK: Heap

    @inlinable
    mutating func heapSort(_ start: Int, _ end: Int) {
        let count = end - start
        for i in stride(from: (count - 1) / 2, through: 0, by: -1) { siftDown(i, count, start) }
        for i in stride(from: count - 1, through: 0, by: -1) {
            items.swapAt(start, start + i)
            siftDown(0, i, start)
        }
    }

    @inlinable
    mutating func siftDown(_ index: Int, _ count: Int, _ start: Int) {
        var root = index
        while 2 * root + 1 < count {
            var child = 2 * root + 1
            if child + 1 < count, less(start + child, start + child + 1) { child += 1 }
            guard less(start + root, start + child) else { return }
            items.swapAt(start + root, start + child)
            root = child
        }
    }
}
