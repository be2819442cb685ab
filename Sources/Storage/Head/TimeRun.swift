/// Consecutive times that series of a group share; open chunks point into one instead of holding times.
///
/// The first series of a scrape appends the time, the others find it there. A run ends after 240 times or at the
/// border of a block's window. A series that was absent, or has times of its own, gets a run that starts as a copy.
struct TimeRun: BitwiseCopyable {
    /// The first time in ms.
    var base: Int64
    /// Times as ms behind `base`: `count` of them, with room for `room`; nil if the number of the run is free.
    fileprivate(set) var times: Times?
    /// No time at or behind this one belongs to the run.
    var windowEnd: Int64
    /// Unique in the store; what readers know the run by.
    var serial: UInt64
    /// Open chunks that point here.
    var references: UInt32
    /// The run that followed, 0 if none has.
    var next: UInt32
    /// Where the spill file holds the times; `UInt32.max` if it does not yet.
    var spilledAt: UInt32
    /// The number of that file.
    var spilledFile: UInt16
    /// How many of them.
    var spilledCount: UInt16
    var count: UInt16
    var room: UInt16
    /// Times at most.
    var limit: UInt8
    /// No more times will be added.
    var isClosed: Bool

    /// A number that no run has.
    static var none: TimeRun {
        TimeRun(
            base: 0, times: nil, windowEnd: 0, serial: 0, references: 0, next: 0, spilledAt: 0, spilledFile: 0,
            spilledCount: 0, count: 0, room: 0, limit: 0, isClosed: false)
    }

    /// Memory of the times, which the table of runs allocates and frees.
    struct Times: BitwiseCopyable {
        fileprivate let base: UnsafeMutablePointer<UInt32>
    }

    /// Whether the run holds times, so that its number is in use.
    var isInUse: Bool { times != nil }

    /// The time at a position, ms behind `base`.
    @inline(__always)
    func offset(_ at: Int) -> UInt32 {
        assert(at >= 0 && at < count, "time \(at) of \(count)")
        return times.map { $0.base[at] } ?? 0
    }

    /// The time at a position.
    @inline(__always)
    func time(_ at: Int) -> Int64 { base &+ Int64(offset(at)) }

    /// The position of a time, or nil.
    func position(of time: Int64) -> Int? {
        guard let times = times?.base, count > 0, time >= base, time &- base <= Int64(UInt32.max) else { return nil }
        assert(count <= room, "\(count) times, and room for \(room)")
        let wanted = UInt32(truncatingIfNeeded: time &- base)
        var (low, high) = (0, Int(count) &- 1)
        if times[high] == wanted { return high }
        while low < high {
            let middle = (low &+ high) >> 1
            if times[middle] < wanted { low = middle &+ 1 } else { high = middle }
        }
        return times[low] == wanted ? low : nil
    }
}

/// The runs of one group; used under the group's lock.
struct TimeRunTable: ~Copyable {
    private var runs: FixedBuffer<TimeRun>
    /// Number of the highest run + 1; run 0 is none.
    private(set) var end = 1
    private(set) var free: [UInt32] = []
    /// Runs by their first time.
    private(set) var starts: [Int64: UInt32] = [:]
    /// Where a copy went: series that leave a run at the same place for the same time share it again.
    private var branches: [Branch: (run: UInt32, serial: UInt64)] = [:]
    /// The run that was used last.
    var latest: UInt32 = 0

    private struct Branch: Hashable {
        var serial: UInt64
        var first: UInt8
        var count: UInt8
        var time: Int64
    }

    /// Open chunks that point into runs.
    var openChunks: Int { (1..<max(1, end)).reduce(0) { $0 + Int(runs[$1].references) } }

    /// The first time of the runs that open chunks point into, ms; nil if there are none.
    var oldest: Int64? {
        (1..<max(1, end)).reduce(nil) { oldest, run in
            guard runs[run].references > 0 else { return oldest }
            return min(oldest ?? .max, runs[run].base)
        }
    }

    init() { runs = FixedBuffer(repeating: .none, count: 4) }

    deinit {
        for i in 1..<max(1, end) { runs[i].times?.base.deallocate() }
        runs.deallocate()
    }

    /// A run by its number.
    @inline(__always)
    subscript(run: UInt32) -> TimeRun {
        get { element(run).pointee }
        nonmutating _modify { yield &element(run).pointee }
    }

    /// A run by its number, for several accesses; valid until another run is made.
    @inline(__always)
    func element(_ run: UInt32) -> ElementReference<TimeRun> {
        assert(run > 0 && Int(run) < end, "run \(run) of \(end)")
        return runs.element(Int(run))
    }

    /// The numbers that runs may have.
    var numbers: Range<UInt32> { 1..<UInt32(max(1, end)) }

    /// A new run that begins with `time`.
    mutating func make(_ time: Int64, windowEnd: Int64, limit: Int, serial: UInt64) -> UInt32 {
        let run: UInt32
        if let last = free.popLast() {
            run = last
        } else {
            run = UInt32(end)
            addNumber()
        }
        let times = UnsafeMutablePointer<UInt32>.allocate(capacity: 8)
        times[0] = 0
        runs[Int(run)] = TimeRun(
            base: time, times: .init(base: times), windowEnd: windowEnd, serial: serial, references: 0, next: 0,
            spilledAt: .max,
            spilledFile: 0, spilledCount: 0, count: 1, room: 8, limit: UInt8(truncatingIfNeeded: limit), isClosed: false
        )
        starts[time] = run
        return run
    }

    /// Takes back a run under its number.
    mutating func restore(_ number: Int, _ run: TimeRun, _ times: [UInt32]) {
        guard !times.isEmpty else { return }
        while end <= number { addNumber() }
        let room = max(8, times.count)
        let copy = UnsafeMutablePointer<UInt32>.allocate(capacity: room)
        for (i, time) in times.enumerated() { copy[i] = time }
        runs[number].times?.base.deallocate()
        runs[number] = run
        runs[number].times = .init(base: copy)
        runs[number].count = UInt16(times.count)
        runs[number].room = UInt16(room)
        starts[run.base] = UInt32(number)
        latest = UInt32(number)
    }

    /// Ends the taking back: numbers that no run has are free, runs that no series holds go.
    mutating func finishRestoring() {
        free = (1..<max(1, end)).filter { !runs[$0].isInUse }.map { UInt32($0) }
        for number in 1..<max(1, end) where runs[number].isInUse && runs[number].references == 0 {
            runs[number].references = 1
            release(UInt32(number))
        }
    }

    /// Holds a run for a chunk; false if there is no such run.
    mutating func retain(_ run: UInt32, upTo count: Int) -> Bool {
        guard run > 0, Int(run) < end, runs[Int(run)].isInUse, runs[Int(run)].count >= count else { return false }
        runs[Int(run)].references &+= 1
        return true
    }

    private mutating func addNumber() {
        if end == runs.capacity {
            let larger = FixedBuffer(repeating: TimeRun.none, count: runs.capacity &* 2)
            larger.update(at: 0, from: runs.elements(0..<end))
            runs.deallocate()
            runs = larger
        }
        end &+= 1
    }

    /// Appends a time that is later than the others.
    @inline(__always)
    mutating func append(_ time: Int64, to run: UInt32) {
        let entry = element(run)
        if entry.pointee.count == entry.pointee.room { grow(run) }
        assert(entry.pointee.isInUse && entry.pointee.count < entry.pointee.room, "run \(run) has no room")
        entry.pointee.times?.base[Int(entry.pointee.count)] = UInt32(truncatingIfNeeded: time &- entry.pointee.base)
        entry.pointee.count &+= 1
    }

    private func grow(_ run: UInt32) {
        let entry = element(run)
        let room = min(256, Int(entry.pointee.room) &* 2)
        assert(room > entry.pointee.count, "a run of more than \(room) times")
        let larger = UnsafeMutablePointer<UInt32>.allocate(capacity: room)
        if let old = entry.pointee.times?.base {
            larger.update(from: old, count: Int(entry.pointee.count))
            old.deallocate()
        }
        entry.pointee.times = .init(base: larger)
        entry.pointee.room = UInt16(room)
    }

    /// Ends a run: no more times are added.
    mutating func close(_ run: UInt32) { self[run].isClosed = true }

    /// Whether a run lies in the window.
    func holds(windowEnd: Int64) -> Bool {
        (1..<max(1, end)).contains { runs[$0].isInUse && runs[$0].windowEnd == windowEnd }
    }

    /// Drops the hold of one chunk; the last one frees the run.
    mutating func release(_ run: UInt32) {
        let entry = element(run)
        if entry.pointee.references > 0 { entry.pointee.references &-= 1 }
        guard entry.pointee.references == 0 else { return }
        if starts[entry.pointee.base] == run { starts[entry.pointee.base] = nil }
        entry.pointee.times?.base.deallocate()
        entry.pointee.times = nil
        entry.pointee.count = 0
        if latest == run { latest = 0 }
        free.append(run)
        if branches.count > 1024 || free.count == end &- 1 { branches.removeAll() }
    }

    /// A run that holds `time`, and where; nil if none is known.
    func find(_ time: Int64, hint: UInt32) -> (run: UInt32, at: Int)? {
        for candidate in [hint, latest, starts[time] ?? 0] where candidate != 0 && Int(candidate) < end {
            if let at = runs[Int(candidate)].position(of: time), at < HeadChunk.capacity { return (candidate, at) }
        }
        return nil
    }

    /// The run that continues the samples [first, first + count) of `run` with `time`, made if there is none yet.
    mutating func branch(from run: UInt32, first: UInt8, count: UInt8, time: Int64, serial: UInt64) -> UInt32 {
        let old = self[run]
        let key = Branch(serial: old.serial, first: first, count: count, time: time)
        if let known = branches[key], self[known.run].isInUse, self[known.run].serial == known.serial {
            return known.run
        }
        let known = starts[old.time(Int(first))]
        let new = make(old.time(Int(first)), windowEnd: old.windowEnd, limit: HeadChunk.capacity, serial: serial)
        if let known { starts[old.time(Int(first))] = known }
        for i in 1..<max(1, Int(count)) { append(old.time(Int(first) &+ i), to: new) }
        append(time, to: new)
        branches[key] = (new, serial)
        return new
    }

    /// Bytes in use.
    var usedBytes: Int {
        var sum = runs.capacity &* MemoryLayout<TimeRun>.stride &+ (starts.capacity &+ branches.capacity) &* 24
        for i in 1..<max(1, end) where runs[i].isInUse { sum &+= Int(runs[i].room) &* 4 }
        return sum
    }
}
