import Exposition
import Model

/// The layout of a target's last scrape body: the series of each line.
///
/// The lines of a body with the same layout are recognized by the hash of each series' text, without parsing it. A line
/// that has moved is looked up nearby, then in an index of all hashes. The template needs 24 bytes per line, and 8 for
/// the index while lines move.
struct ScrapeTemplate {
    /// One line of the body.
    struct Slot {
        /// ``SeriesHash`` of the text of the series.
        var hash: UInt64
        /// The series; `SeriesRef.none` if the line is dropped or the series has to be resolved again.
        var ref: SeriesRef
        /// The number of the last scrape with the line.
        var seen: UInt32
        /// Bits 0–27: the length of the text; above: flags.
        private var bits: UInt32

        static let live: UInt32 = 1 << 31
        static let tracked: UInt32 = 1 << 30
        static let dropped: UInt32 = 1 << 29
        static let histogram: UInt32 = 1 << 28
        static let lengthMax = 1 << 28 - 1

        init(hash: UInt64, ref: SeriesRef, length: Int, flags: UInt32) {
            self.hash = hash
            self.ref = ref
            seen = 0
            // A longer text is never expected by position, but is found by its hash.
            bits = UInt32(length > Slot.lengthMax ? 0 : length) | flags
        }

        var length: Int { Int(bits & (1 << 28 - 1)) }

        func has(_ flag: UInt32) -> Bool { bits & flag != 0 }
        mutating func set(_ flag: UInt32, _ on: Bool) { bits = on ? bits | flag : bits & ~flag }
    }

    private(set) var slots: [Slot] = []
    /// An open-addressing table by hash: position + 1 in `slots`, 0 for free; empty while it is not needed.
    private var index: [UInt32] = []
    /// The number of the current scrape; 0 before the first.
    private(set) var scrape: UInt32 = 0
    /// The number of the last successful scrape; 0 before the first.
    private var lastWorked: UInt32 = 0
    /// The slot in which the next line is expected.
    private var cursor = 0
    /// Slots with ``Slot/live``.
    private(set) var liveCount = 0
    private var seenLive = 0
    private var newlyLive = 0
    /// The number of lines of this scrape that were not in the expected slot.
    private var misses = 0
    /// Lines of this scrape in their order; filled only from the first miss on.
    private var order: [UInt32] = []
    /// The number of scrapes until the next attempt to sort the slots in the order of the body.
    private var remainingScrapes = 0

    /// The expected next line.
    @inline(__always)
    var expected: (length: Int, hash: UInt64) {
        cursor < slots.count ? (slots[cursor].length, slots[cursor].hash) : (0, 0)
    }

    mutating func begin() {
        // 0 means never, and is skipped when the number wraps after some thousand years.
        scrape = scrape == .max ? 1 : scrape &+ 1
        cursor = 0
        seenLive = 0
        newlyLive = 0
        misses = 0
        order.removeAll(keepingCapacity: true)
    }

    /// The slot of the line with this hash, or nil if the line is new.
    @inline(__always)
    mutating func find(_ hash: UInt64) -> Int? {
        if cursor < slots.count, slots[cursor].hash == hash {
            let found = cursor
            cursor &+= 1
            if misses > 0 { order.append(UInt32(truncatingIfNeeded: found)) }
            return found
        }
        return search(hash)
    }

    private mutating func search(_ hash: UInt64) -> Int? {
        if misses == 0 {
            order.removeAll(keepingCapacity: true)
            for i in 0..<cursor { order.append(UInt32(truncatingIfNeeded: i)) }
        }
        let low = max(0, cursor &- 8)
        let high = min(slots.count, cursor &+ 8)
        var found: Int?
        if low < high {
            for i in low..<high where slots[i].hash == hash {
                found = i
                break
            }
        }
        misses &+= 1
        if found == nil { found = lookUp(hash) }
        guard let found else { return nil }
        cursor = found &+ 1
        order.append(UInt32(truncatingIfNeeded: found))
        return found
    }

    private mutating func lookUp(_ hash: UInt64) -> Int? {
        if slots.isEmpty { return nil }
        if index.isEmpty { rebuildIndex() }
        let mask = index.count &- 1
        var at = Int(truncatingIfNeeded: hash) & mask
        while index[at] != 0 {
            let position = Int(index[at] &- 1)
            if slots[position].hash == hash { return position }
            at = (at &+ 1) & mask
        }
        return nil
    }

    private mutating func rebuildIndex() {
        var size = 64
        while size < slots.count &* 2 { size &*= 2 }
        index = [UInt32](repeating: 0, count: size)
        for i in 0..<slots.count where slots[i].hash != 0 { enter(i) }
    }

    private mutating func enter(_ position: Int) {
        let mask = index.count &- 1
        var at = Int(truncatingIfNeeded: slots[position].hash) & mask
        while index[at] != 0 { at = (at &+ 1) & mask }
        index[at] = UInt32(truncatingIfNeeded: position &+ 1)
    }

    /// Adds a line after all others.
    ///
    /// - Returns: Its slot.
    mutating func add(hash: UInt64, length: Int, ref: SeriesRef, flags: UInt32) -> Int {
        slots.append(Slot(hash: hash, ref: ref, length: length, flags: flags))
        let position = slots.count &- 1
        if !index.isEmpty {
            if slots.count &* 2 > index.count { rebuildIndex() } else { enter(position) }
        }
        order.append(UInt32(truncatingIfNeeded: position))
        // New lines are mostly consecutive, so the old neighbour stays the expected next line.
        if cursor == position { cursor = position &+ 1 }
        return position
    }

    /// Records that the current scrape has the line.
    ///
    /// - Parameter isTracked: Whether its absence from the next scrape ends the series.
    /// - Returns: Whether the line was in no scrape since the last successful one, including that.
    @inline(__always)
    @discardableResult
    mutating func markSeen(_ position: Int, isTracked: Bool) -> Bool {
        let seen = slots[position].seen
        guard seen != scrape else { return false }
        slots[position].seen = scrape
        if slots[position].has(Slot.tracked) != isTracked { slots[position].set(Slot.tracked, isTracked) }
        if slots[position].has(Slot.live) {
            if isTracked { seenLive &+= 1 }
        } else if isTracked {
            newlyLive &+= 1
        }
        return seen == 0 || Int32(bitPattern: lastWorked &- seen) > 0
    }

    mutating func setRef(_ position: Int, _ ref: SeriesRef, isDropped: Bool) {
        slots[position].ref = ref
        slots[position].set(Slot.dropped, isDropped)
    }

    mutating func setHistogram(_ position: Int, _ isHistogram: Bool) {
        if slots[position].has(Slot.histogram) != isHistogram { slots[position].set(Slot.histogram, isHistogram) }
    }

    /// Returns to the start of the body for a second pass within the same scrape.
    mutating func rewind() {
        cursor = 0
        misses = 0
        order.removeAll(keepingCapacity: true)
    }

    /// Forgets the series of all lines after the rules have changed; active series can still end.
    ///
    /// Lines are resolved again at their next sample.
    mutating func forgetMeanings() {
        for i in slots.indices {
            slots[i].hash = 0
            slots[i].set(Slot.dropped, false)
        }
        index = []
        cursor = 0
    }

    /// Ends a successful scrape: calls `ended` for each series that the body does not have any more.
    ///
    /// - Parameter isEmpty: Whether the body had no bytes; series that return after it do not count as added.
    mutating func finish(isEmpty: Bool, _ ended: (Slot) -> Void) {
        if !isEmpty { lastWorked = scrape }
        if seenLive != liveCount || newlyLive > 0 {
            liveCount = 0
            for i in slots.indices {
                let isLive = slots[i].seen == scrape && slots[i].has(Slot.tracked) && !slots[i].has(Slot.dropped)
                if slots[i].has(Slot.live), !isLive { ended(slots[i]) }
                slots[i].set(Slot.live, isLive)
                if isLive { liveCount &+= 1 }
            }
        }
        if misses == 0 {
            if !index.isEmpty { index = [] }
            if !order.isEmpty { order = [] }
        } else {
            tidy()
        }
    }

    /// Ends a failed scrape, or all scrapes: every active series ends.
    mutating func endAll(_ ended: (Slot) -> Void) {
        guard liveCount > 0 else { return }
        for i in slots.indices where slots[i].has(Slot.live) {
            ended(slots[i])
            slots[i].set(Slot.live, false)
        }
        liveCount = 0
    }

    /// Sorts the slots in the order of the body, and removes those that were absent in ten scrapes.
    private mutating func tidy() {
        if remainingScrapes > 0 {
            remainingScrapes &-= 1
            return
        }
        guard misses > 2 &+ slots.count / 64 || slots.count > 2 &* order.count &+ 64 else { return }
        var next: [Slot] = []
        next.reserveCapacity(order.count)
        var isTaken = [Bool](repeating: false, count: slots.count)
        for position in order {
            let position = Int(position)
            guard position < slots.count, !isTaken[position] else { continue }
            isTaken[position] = true
            next.append(slots[position])
        }
        for i in slots.indices where !isTaken[i] {
            if scrape &- slots[i].seen < 10, slots[i].hash != 0 { next.append(slots[i]) }
        }
        // A body in random order does not benefit from sorting; then the index is used.
        if slots.count == next.count, misses > slots.count / 4 { remainingScrapes = 100 }
        slots = next
        index = []
        order = []
    }
}
