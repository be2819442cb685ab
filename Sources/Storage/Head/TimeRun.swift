/// Consecutive times that series of a group share; open chunks refer to a run instead of storing times.
///
/// The first series of a scrape appends the time, and the other series find it in the run. A run ends after 240 times
/// or at the end of a block's window. A series that was absent, or has its own times, gets a run that starts as a copy.
struct TimeRun: BitwiseCopyable {
    /// The first time in ms.
    var base: Int64
    /// The times as ms after `base`: `count` of them, with memory for `capacity`; nil if the number of the run is free.
    fileprivate(set) var times: Times?
    /// The end of the block's window, ms; all times of the run are before it.
    var windowEnd: Int64
    /// The number by which readers identify the run; unique in the store.
    var serial: UInt64
    /// The number of open chunks that refer to the run.
    var references: UInt32
    /// The run that followed; 0 if there is none.
    var next: UInt32
    /// The position of the times in the spill file; `UInt32.max` if they are not in it yet.
    var spilledAt: UInt32
    /// The number of the spill file.
    var spilledFile: UInt16
    /// The number of times in the spill file.
    var spilledCount: UInt16
    var count: UInt16
    var capacity: UInt16
    /// The most times of the run.
    var limit: UInt8
    /// Whether no more times may be added.
    var isClosed: Bool

    /// A run that is not in use.
    static var none: TimeRun {
        TimeRun(
            base: 0, times: nil, windowEnd: 0, serial: 0, references: 0, next: 0, spilledAt: 0, spilledFile: 0,
            spilledCount: 0, count: 0, capacity: 0, limit: 0, isClosed: false)
    }

    /// The memory of the times, which the table of runs allocates and frees.
    struct Times: BitwiseCopyable {
        fileprivate let base: UnsafeMutablePointer<UInt32>
    }

    /// Whether the run has times, which means that its number is in use.
    var isInUse: Bool { times != nil }

    /// The time at a position, as ms after `base`.
    @inline(__always)
    func offset(_ at: Int) -> UInt32 {
        assert(at >= 0 && at < count, "time \(at) of \(count)")
        return times.map { $0.base[at] } ?? 0
    }

    /// The time at a position, ms.
    @inline(__always)
    func time(_ at: Int) -> Int64 { base &+ Int64(offset(at)) }

    /// The position of a time; nil if the run does not have it.
    func position(of time: Int64) -> Int? {
        guard let times = times?.base, count > 0, time >= base, time &- base <= Int64(UInt32.max) else { return nil }
        assert(count <= capacity, "\(count) times, and capacity for \(capacity)")
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
    /// The number of the highest run + 1; 0 means no run.
    private(set) var end = 1
    private(set) var free: [UInt32] = []
    /// The runs by their first time.
    private(set) var starts: [Int64: UInt32] = [:]
    /// The branches: series that leave a run at the same position for the same time share the branch.
    private var branches: [Branch: (run: UInt32, serial: UInt64)] = [:]
    /// The run that was used last.
    var latest: UInt32 = 0

    private struct Branch: Hashable {
        var serial: UInt64
        var first: UInt8
        var count: UInt8
        var time: Int64
    }

    /// The number of open chunks that refer to runs.
    var openChunks: Int { (1..<max(1, end)).reduce(0) { $0 + Int(runs[$1].references) } }

    /// The first time of the runs that open chunks refer to, ms; nil if there are none.
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

    /// Makes a run that starts with `time`, and returns its number.
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
            spilledFile: 0, spilledCount: 0, count: 1, capacity: 8, limit: UInt8(truncatingIfNeeded: limit),
            isClosed: false
        )
        starts[time] = run
        return run
    }

    /// Restores a run under its number.
    mutating func restore(_ number: Int, _ run: TimeRun, _ times: [UInt32]) {
        guard !times.isEmpty else { return }
        while end <= number { addNumber() }
        let capacity = max(8, times.count)
        let copy = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity)
        for (i, time) in times.enumerated() { copy[i] = time }
        runs[number].times?.base.deallocate()
        runs[number] = run
        runs[number].times = .init(base: copy)
        runs[number].count = UInt16(times.count)
        runs[number].capacity = UInt16(capacity)
        starts[run.base] = UInt32(number)
        latest = UInt32(number)
    }

    /// Ends the restoring: numbers without a run become free, and runs that no chunk refers to are released.
    mutating func finishRestoring() {
        free = (1..<max(1, end)).filter { !runs[$0].isInUse }.map { UInt32($0) }
        for number in 1..<max(1, end) where runs[number].isInUse && runs[number].references == 0 {
            runs[number].references = 1
            release(UInt32(number))
        }
    }

    /// Adds the reference of a chunk to a run; returns false if there is no such run, or if it has less than `count`
    /// times.
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
        if entry.pointee.count == entry.pointee.capacity { grow(run) }
        assert(entry.pointee.isInUse && entry.pointee.count < entry.pointee.capacity, "run \(run) has no capacity")
        entry.pointee.times?.base[Int(entry.pointee.count)] = UInt32(truncatingIfNeeded: time &- entry.pointee.base)
        entry.pointee.count &+= 1
    }

    private func grow(_ run: UInt32) {
        let entry = element(run)
        let capacity = min(256, Int(entry.pointee.capacity) &* 2)
        assert(capacity > entry.pointee.count, "a run of more than \(capacity) times")
        let larger = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity)
        if let old = entry.pointee.times?.base {
            larger.update(from: old, count: Int(entry.pointee.count))
            old.deallocate()
        }
        entry.pointee.times = .init(base: larger)
        entry.pointee.capacity = UInt16(capacity)
    }

    /// Closes a run: no more times are added.
    mutating func close(_ run: UInt32) { self[run].isClosed = true }

    /// Whether a run of this window is in use.
    func holds(windowEnd: Int64) -> Bool {
        (1..<max(1, end)).contains { runs[$0].isInUse && runs[$0].windowEnd == windowEnd }
    }

    /// Removes the reference of one chunk; the last reference frees the run.
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

    /// The run that contains `time`, and its position; nil if none is found.
    func find(_ time: Int64, hint: UInt32) -> (run: UInt32, at: Int)? {
        for candidate in [hint, latest, starts[time] ?? 0] where candidate != 0 && Int(candidate) < end {
            if let at = runs[Int(candidate)].position(of: time), at < HeadChunk.capacity { return (candidate, at) }
        }
        return nil
    }

    /// The run that continues the samples [first, first + count) of `run` with `time`; it is made if there is none yet.
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

    /// The bytes in use.
    var usedBytes: Int {
        var sum = runs.capacity &* MemoryLayout<TimeRun>.stride &+ (starts.capacity &+ branches.capacity) &* 24
        for i in 1..<max(1, end) where runs[i].isInUse { sum &+= Int(runs[i].capacity) &* 4 }
        return sum
    }
}
