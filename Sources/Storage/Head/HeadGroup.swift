import Model

/// Series that arrive together, with all that is needed to append to them; all variables need `lock`.
final class HeadGroup: @unchecked Sendable {
    // SAFETY: every variable is used only under `lock`.
    let id: UInt32
    /// The name of the group; it changes under the registry's lock, too: for a vacant group, and while the store is
    /// opened if a damaged file names the group late.
    var name: String
    let lock = Lock()

    var runs = TimeRunTable()
    /// The open chunks of native histograms by series.
    var histograms: [UInt32: OpenHistograms] = [:]
    /// The out-of-order samples by series.
    var outOfOrder: [UInt32: OutOfOrderSamples] = [:]
    /// The start timestamps by series, for series whose samples have some.
    private(set) var starts: [UInt32: StartTimes] = [:] {
        didSet { if !starts.isEmpty { hasHadStarts = true } }
    }
    /// Whether any sample since the last start of the store had a start timestamp.
    private(set) var hasHadStarts = false
    /// The number of the current batch; see ``SeriesState/mark``.
    var mark: UInt32 = 0
    /// The log segment with the newest batch of the group, and the number of the group's batches in that segment.
    var segment: UInt64 = 0
    var sequence: UInt64 = 0
    /// The segment in which a record of the group is missing or damaged, while the log is read; 0 if there is none.
    var brokenSegment: UInt64 = 0
    /// The base of the next time in the log.
    var logTime: Int64 = 0
    /// The spill file that was used last, with its window.
    var spill: SpillFile?
    /// The window of the group's last sample.
    var admitted = AdmittedWindow()
    /// The group of further series, if this group is full.
    var sibling: HeadGroup?
    /// The ids of the group, as runs.
    var extents: [Range<UInt32>] { ids.runs }
    private var ids = IdRuns()
    /// Whether nobody adds series to the group now.
    var isClosed = false
    /// Whether the group is in the list of vacant groups.
    var isOffered = false
    /// The number of chunks that series of the group have started.
    var chunksBegun = 0
    /// The newest time that a rewound series of the group had when the wall clock was set back, ms; `Int64.min` if none
    /// is rewound.
    var rewoundUntil = Int64.min
    /// Whether the log has the group's name.
    var isLogged = false
    /// Whether a checkpoint had the group's position in the log and its times.
    var isRestored = false

    /// The most ids in a group.
    ///
    /// A group is locked while a checkpoint copies it, and one thread reads it at a start. A group with a million
    /// series of one sender would cause a long pause, and a copy of everything.
    static let maxSeries = 1 << 15

    /// Whether the group is only a placeholder: damaged files may lack a group and have a later one.
    var isUnknown: Bool { lock.withLock { name.utf8.first == 0 && ids.runs.isEmpty } }

    /// Whether the group is closed and has no series, so that it can get another name.
    var isVacant: Bool {
        lock.assertHeld()
        return isClosed && ids.runs.isEmpty && outOfOrder.isEmpty && histograms.isEmpty && starts.isEmpty
    }

    /// Gives the vacant group another name; its place in the log stays.
    ///
    /// Needs the lock, and the registry's lock.
    func reuse(_ name: String) {
        lock.assertHeld()
        self.name = name
        (isClosed, isLogged, sibling) = (false, false, nil)
    }

    /// Whether the group takes no more series.
    var isFull: Bool { count >= Self.maxSeries }
    /// The number of ids in the extents.
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

    /// Stores the start timestamp of a sample, ms, which differs from the previous one; needs the lock.
    ///
    /// - Parameter isNewest: Whether the start timestamp also applies to the samples that follow.
    func setStart(_ id: UInt32, _ time: Int64, _ start: Int64, isNewest: Bool) {
        lock.assertHeld()
        if isNewest {
            starts[id, default: StartTimes()].append(start, from: time)
        } else {
            starts[id, default: StartTimes()].set(start, at: time)
        }
        if starts[id]?.isEmpty == true { starts[id] = nil }
    }

    /// Removes the start timestamps that only samples before `time` need; needs the lock.
    func forgetStarts(before time: Int64) {
        lock.assertHeld()
        for (id, known) in starts where (known.firstTime ?? .max) < time {
            var rest = known
            rest.forget(before: time)
            starts[id] = rest.isEmpty ? nil : rest
        }
    }

    /// Removes the start timestamps of a removed series.
    func forgetStarts(of id: UInt32) { if !starts.isEmpty { starts[id] = nil } }

    /// Replaces the extents by others, which contain all live series; needs the lock.
    func replaceExtents(_ compacted: IdRuns) {
        lock.assertHeld()
        ids = compacted
        count = extents.reduce(0) { $0 + $1.count }
    }
}

/// The open chunk of a series of native histograms.
struct OpenHistograms {
    /// For each sample: 0 for a stale marker, or 1 and the histogram.
    var bytes: [UInt8] = []
    /// The newest histogram, for finding duplicates.
    var last: FloatHistogram?
}
