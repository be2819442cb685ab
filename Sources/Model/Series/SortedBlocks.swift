/// An element of ``SortedBlocks``.
public protocol Timed {
    /// ms.
    var time: Int64 { get }
}

/// Elements in the order of their times, in blocks of limited size, so that an insertion anywhere moves few of them.
///
/// Few elements are one array. A copy shares its blocks with the original, and a change copies one of them.
public struct SortedBlocks<Element: Timed> {
    /// The most elements of a block.
    @inlinable public static var blockSize: Int { 256 }

    /// The blocks before the last one; none of them is empty.
    @usableFromInline internal var full: [[Element]] = []
    /// The last block; empty only if there are no elements.
    @usableFromInline internal var last: [Element] = []

    /// The place of an element, or the end of a block.
    public struct Position: Sendable, Equatable {
        @usableFromInline internal var block: Int
        @usableFromInline internal var at: Int

        @inlinable
        internal init(block: Int, at: Int) { (self.block, self.at) = (block, at) }
    }

    @inlinable public init() {}

    /// Makes blocks of elements that are in the order of their times.
    @inlinable
    public init(_ ascending: some Sequence<Element>) {
        for element in ascending { append(element) }
    }

    @inlinable public var isEmpty: Bool { last.isEmpty }

    @inlinable public var count: Int { full.reduce(last.count) { $0 + $1.count } }

    /// The number of elements for which memory is reserved.
    @inlinable public var capacity: Int { full.reduce(last.capacity) { $0 + $1.capacity } }

    @inlinable public var first: Element? { full.first?.first ?? last.first }

    /// The element with the latest time.
    @inlinable public var newest: Element? { last.last }

    /// All elements as one array.
    @inlinable public var elements: [Element] { full.isEmpty ? last : full.joined() + last }

    @inlinable
    internal func block(_ number: Int) -> [Element] { number < full.count ? full[number] : last }

    // MARK: Search

    /// The position after the last element that is not later than `time`.
    @inlinable
    public func position(after time: Int64) -> Position {
        if full.isEmpty { return Position(block: 0, at: Self.count(in: last, until: time)) }
        if let first = last.first, first.time <= time {
            return Position(block: full.count, at: Self.count(in: last, until: time))
        }
        var (low, high) = (0, full.count)
        while low < high {
            let middle = (low + high) / 2
            if full[middle][0].time <= time { low = middle + 1 } else { high = middle }
        }
        let number = max(0, low - 1)
        return Position(block: number, at: Self.count(in: full[number], until: time))
    }

    /// The number of elements of a block that are not later than `time`.
    @inlinable
    internal static func count(in block: [Element], until time: Int64) -> Int {
        if let last = block.last, last.time <= time { return block.count }
        var (low, high) = (0, block.count)
        while low < high {
            let middle = (low + high) / 2
            if block[middle].time <= time { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The element before a position.
    @inlinable
    public func element(before position: Position) -> Element? {
        if position.at > 0 { return block(position.block)[position.at - 1] }
        return position.block > 0 ? full[position.block - 1].last : nil
    }

    /// The element after a position.
    @inlinable
    public func element(after position: Position) -> Element? {
        let own = block(position.block)
        if position.at < own.count { return own[position.at] }
        return position.block < full.count ? block(position.block + 1).first : nil
    }

    /// Calls `body` with the elements after a position, in their order, until it returns false.
    @inlinable
    public func forEach(after position: Position, _ body: (Element) -> Bool) {
        var from = position.at
        for number in position.block...full.count {
            for element in block(number)[from...] {
                guard body(element) else { return }
            }
            from = 0
        }
    }

    /// The elements between two times, inclusive.
    @inlinable
    public func elements(from: Int64, to: Int64) -> [Element] {
        guard from <= to, let first, let newest, first.time <= to, newest.time >= from else { return [] }
        if from <= first.time, to >= newest.time { return elements }
        var found: [Element] = []
        forEach(after: from == .min ? Position(block: 0, at: 0) : position(after: from - 1)) { element in
            guard element.time <= to else { return false }
            found.append(element)
            return true
        }
        return found
    }

    // MARK: Changes

    /// Adds an element that is later than all others.
    @inlinable
    public mutating func append(_ element: Element) {
        if last.count >= Self.blockSize {
            full.append(last)
            last = []
        }
        last.append(element)
    }

    /// Adds an element at its position.
    ///
    /// - Returns: The number of elements and blocks that were moved.
    @inlinable
    @discardableResult
    public mutating func insert(_ element: Element, at position: Position) -> Int {
        let (number, at) = (position.block, position.at)
        let size = block(number).count
        if number == full.count, at == size {
            append(element)
            return 0
        }
        if size < Self.blockSize {
            if number < full.count { full[number].insert(element, at: at) } else { last.insert(element, at: at) }
            return size - at
        }
        let blocks = full.count - number
        if number == 0, at == 0 {
            // Elements in descending order fill a block of their own, as those in ascending order do.
            full.insert([element], at: 0)
            return blocks
        }
        let half = size / 2
        let own = block(number)
        var (left, right) = (Array(own[..<half]), Array(own[half...]))
        if at <= half { left.insert(element, at: at) } else { right.insert(element, at: at - half) }
        if number < full.count {
            full[number] = left
            full.insert(right, at: number + 1)
        } else {
            full.append(left)
            last = right
        }
        return size + blocks
    }

    /// Replaces the element before a position by one of the same time.
    @inlinable
    public mutating func replace(before position: Position, with element: Element) {
        var (number, at) = (position.block, position.at)
        if at == 0 {
            guard number > 0 else { return }
            number -= 1
            at = full[number].count
        }
        if number < full.count { full[number][at - 1] = element } else { last[at - 1] = element }
    }

    /// Removes the element before a position; the position becomes invalid.
    @inlinable
    public mutating func remove(before position: Position) {
        var (number, at) = (position.block, position.at)
        if at == 0 {
            guard number > 0 else { return }
            number -= 1
            at = full[number].count
        }
        if number < full.count {
            full[number].remove(at: at - 1)
            if full[number].isEmpty { full.remove(at: number) }
        } else {
            last.remove(at: at - 1)
            if last.isEmpty, let before = full.popLast() { last = before }
        }
    }

    /// Removes the element with the latest time.
    @inlinable
    public mutating func removeNewest() { remove(before: Position(block: full.count, at: last.count)) }

    /// Removes the elements that are not later than `time`.
    @inlinable
    public mutating func removeAll(until time: Int64) {
        let position = position(after: time)
        if position.block < full.count {
            full.removeFirst(position.block)
            full[0].removeFirst(position.at)
            if full[0].isEmpty { full.removeFirst() }
        } else {
            full = []
            last.removeFirst(position.at)
        }
    }

    /// Removes the elements for which `isGone` is true.
    @inlinable
    public mutating func removeAll(where isGone: (Element) -> Bool) {
        let all = elements
        guard all.contains(where: isGone) else { return }
        self = SortedBlocks(all.filter { !isGone($0) })
    }

    /// Removes all elements, and keeps the memory of the last block.
    @inlinable
    public mutating func removeAll() {
        full = []
        last.removeAll(keepingCapacity: true)
    }

    /// Whether the times ascend, and no block is empty or too large.
    @inlinable public var isSound: Bool {
        let sizes = full.allSatisfy { (1...Self.blockSize).contains($0.count) } && last.count <= Self.blockSize
        let all = elements
        return sizes && (full.isEmpty || !last.isEmpty) && zip(all, all.dropFirst()).allSatisfy { $0.time < $1.time }
    }
}

extension SortedBlocks: Sendable where Element: Sendable {}
