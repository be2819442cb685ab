import Platform

/// The options of a store; times are in ms unless stated otherwise.
public struct StoreOptions: Sendable {
    /// The data directory.
    public var directory: String
    /// The time that samples are kept, 0 for no limit.
    public var retentionTime: Int64
    /// The most bytes of the directory, 0 for no limit.
    public var retentionSize: Int64
    /// The interval at which the log is synced to disk; 0 syncs it after every commit.
    public var walSyncInterval: Int64
    /// The span of a new block.
    public var blockDuration: Int64
    /// The longest span of a window, ms: 31 days.
    ///
    /// The start of a chunk in its window has 32 bits.
    public static let longestBlockDuration: Int64 = 31 * 86_400_000
    /// The time that a complete window waits for others, so that history that is pushed becomes one block.
    public var cutDelay: Int64
    /// The longest time by which an out-of-order sample may be older than the newest sample, 0 for none.
    public var outOfOrderWindow: Int64
    /// The longest time that a wall clock that is ahead of the store's samples must run without a step before retention
    /// trusts it; 0 trusts it immediately.
    public var retentionWait: Int64
    /// The most exemplars that are kept.
    public var maxExemplars: Int
    /// The bytes at which a segment of the log is finished.
    public var walSegmentSize: Int
    /// The bytes of records from which on a frame of the log is compressed.
    public var shortestPackedFrame: Int
    /// Whether blocks only use Gorilla's XOR code for values.
    public var usesXOROnly: Bool
    /// Whether the store takes the lock file.
    public var usesLockFile: Bool
    /// Whether the store runs maintenance on its own thread; tests call ``TimeSeriesStore/runMaintenance()``.
    public var runsInBackground: Bool
    /// The most files that the process may have open, of which blocks and spill files use a part.
    var openFiles = OpenFiles.most
    /// Makes the id of a new store; tests make known ones.
    var makeIdentity: @Sendable () -> UInt64 = StoreIdentity.random
    /// The numbers of elements for which the head reserves address space; tests use small ones.
    var space = HeadSpace.own
    /// The memory for blocks and checkpoints; tests limit it.
    var memory = MemoryRequest()

    public init(
        directory: String, retentionTime: Int64 = 15 * 86_400_000, retentionSize: Int64 = 0,
        walSyncInterval: Int64 = 1000, blockDuration: Int64 = 7_200_000, cutDelay: Int64 = 0,
        outOfOrderWindow: Int64 = 0, retentionWait: Int64 = 12 * 3_600_000, maxExemplars: Int = 100_000,
        walSegmentSize: Int = 64 << 20, shortestPackedFrame: Int = 4096,
        usesXOROnly: Bool = false, usesLockFile: Bool = true, runsInBackground: Bool = true
    ) {
        self.directory = directory
        self.retentionTime = retentionTime
        self.retentionSize = retentionSize
        self.walSyncInterval = walSyncInterval
        self.blockDuration = min(max(1000, blockDuration), Self.longestBlockDuration)
        self.cutDelay = cutDelay
        self.outOfOrderWindow = outOfOrderWindow
        self.retentionWait = retentionWait
        self.maxExemplars = maxExemplars
        self.walSegmentSize = walSegmentSize
        self.shortestPackedFrame = shortestPackedFrame
        self.usesXOROnly = usesXOROnly
        self.usesLockFile = usesLockFile
        self.runsInBackground = runsInBackground
    }
}

/// The settings that may change while the store is open; times are in ms.
public struct StoreSettings: Sendable, Equatable {
    /// The time that samples are kept, 0 for no limit.
    public var retentionTime: Int64
    /// The most bytes of the directory, 0 for no limit.
    public var retentionSize: Int64
    /// The longest time by which an out-of-order sample may be older than the newest sample, 0 for none.
    public var outOfOrderWindow: Int64
    /// The most exemplars that are kept.
    public var maxExemplars: Int

    public init(_ options: StoreOptions) {
        retentionTime = options.retentionTime
        retentionSize = options.retentionSize
        outOfOrderWindow = options.outOfOrderWindow
        maxExemplars = options.maxExemplars
    }
}

/// The statistics of the store for `/api/v1/status/tsdb`.
public struct StoreStatistics: Sendable {
    public var series = 0
    public var labelPairs = 0
    public var chunks = 0
    /// The first and the last time of the head, ms; nil before the first sample.
    public var minTime: Int64?
    public var maxTime: Int64?
    public var seriesByMetric: [(name: String, value: Int)] = []
    public var valuesByLabel: [(name: String, value: Int)] = []
    public var bytesByLabel: [(name: String, value: Int)] = []
    public var seriesByPair: [(name: String, value: Int)] = []
    /// The bytes of the head's memory, by part.
    public var memory: [(name: String, value: Int)] = []
    public var walBytes = 0
    public var spillBytes = 0
    public var blockBytes = 0
    public var blocks = 0
    /// The number of damaged places and missing files at the start.
    public var damagedRecords = 0

    public init() {}
}
