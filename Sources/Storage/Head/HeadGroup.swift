import Model

/// Series that arrive together, and what is needed to append to them; all but the constants needs `lock`.
final class HeadGroup: @unchecked Sendable {
    // SAFETY: every variable is used under `lock` only.
    let id: UInt32
    /// Known late where it is read from damaged files; changed under the registry while the store is opened.
    var name: String
    let lock = Lock()

    var runs = TimeRunTable()
    /// Open chunks of native histograms by series.
    var histograms: [UInt32: OpenHistograms] = [:]
    /// Samples out of order by series.
    var outOfOrder: [UInt32: [OutOfOrderSample]] = [:]
    /// Start timestamps by series, for those whose samples have some.
    private(set) var starts: [UInt32: StartTimes] = [:] {
        didSet { if !starts.isEmpty { hasHadStarts = true } }
    }
    /// Whether any sample since the last start of the store had a start timestamp.
    private(set) var hasHadStarts = false
    /// The number of the batch under way; see ``SeriesState/mark``.
    var mark: UInt32 = 0
    /// The log segment that holds the newest batch, and the number of batches it holds of this group.
    var segment: UInt64 = 0
    var sequence: UInt64 = 0
    /// The segment of which a record of the group is missing, while the log is read; 0 is none.
    var brokenSegment: UInt64 = 0
    /// The base of the next time in the log.
    var logTime: Int64 = 0
    /// The spill file used last, and its window.
    var spill: SpillFile?
    /// Where more series go than a group may have.
    var sibling: HeadGroup?
    /// Ids of the group, as runs.
    var extents: [Range<UInt32>] { ids.runs }
    private var ids = IdRuns()
    var isClosed = false
    /// Chunks that series of the group have begun.
    var chunksBegun = 0
    /// The newest time that a series of the group had when the wall clock was set back, ms.
    var rewoundUntil = Int64.min
    /// The log knows the group's name.
    var isLogged = false
    /// A checkpoint held the group's place in the log and its times.
    var isRestored = false

    /// Ids in a group at most.
    ///
    /// A group is locked while a checkpoint copies it, and read by one thread at a start: one sender's million series
    /// would be a long pause, and a copy of everything.
    static let maxSeries = 1 << 15

    /// Nothing is known of the group but that a later one has the next id, as damaged files may have it.
    var isUnknown: Bool { lock.withLock { name.utf8.first == 0 && ids.runs.isEmpty } }

    /// No more series may be added.
    var isFull: Bool { count >= Self.maxSeries }
    /// Ids in the extents.
    private(set) var count = 0

    init(id: UInt32, name: String) {
        self.id = id
        self.name = name
    }

    /// Adds a series to the extents; needs the lock.
    func add(_ id: UInt32) {
        lock.assertHeld()
        count += 1
        ids.add(id)
    }

    /// Notes a sample's start timestamp, ms, where it is another than before; needs the lock.
    ///
    /// - Parameter isNewest: Whether it holds for the samples that follow as well.
    func setStart(_ id: UInt32, _ time: Int64, _ start: Int64, isNewest: Bool) {
        lock.assertHeld()
        var known = starts.removeValue(forKey: id) ?? StartTimes()
        if isNewest { known.append(start, from: time) } else { known.set(start, at: time) }
        if !known.isEmpty { starts[id] = known }
    }

    /// Forgets start timestamps that only samples before `time` need; needs the lock.
    func forgetStarts(before time: Int64) {
        lock.assertHeld()
        for (id, known) in starts where (known.steps.first?.time ?? .max) < time {
            var rest = known
            rest.forget(before: time)
            starts[id] = rest.isEmpty ? nil : rest
        }
    }

    /// Forgets the start timestamps of a series that is gone.
    func forgetStarts(of id: UInt32) { if !starts.isEmpty { starts[id] = nil } }

    /// Takes other extents, which hold all that live; needs the lock.
    func replaceExtents(_ compacted: IdRuns) {
        lock.assertHeld()
        ids = compacted
        count = extents.reduce(0) { $0 + $1.count }
    }
}

/// The open chunk of a series of native histograms.
struct OpenHistograms {
    /// Per sample: 0 for a staleness marker, or 1 and the histogram.
    var bytes: [UInt8] = []
    /// The newest histogram, to tell duplicates.
    var last: FloatHistogram?
}
