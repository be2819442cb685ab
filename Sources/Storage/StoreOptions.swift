/// How a store is kept; times are in ms unless they say otherwise.
public struct StoreOptions: Sendable {
    /// The data directory.
    public var directory: String
    /// How long samples are kept, 0 for ever.
    public var retentionTime: Int64
    /// How large the directory may grow in bytes, 0 for any size.
    public var retentionSize: Int64
    /// How often the log is brought to the disk; 0 after every commit.
    public var walSyncInterval: Int64
    /// The span of a fresh block.
    public var blockDuration: Int64
    /// How long a window that is over waits for others, ms, so that history that is pushed becomes one block.
    public var cutDelay: Int64
    /// How far behind the newest sample a sample out of order may be, 0 for none.
    public var outOfOrderWindow: Int64
    /// The longest time for which a wall clock that is ahead of what the store holds must go on without a step before
    /// retention believes it, ms; 0 believes it at once.
    public var retentionWait: Int64
    /// Exemplars kept at most.
    public var maxExemplars: Int
    /// A segment of the log is ended at this size in bytes.
    public var walSegmentSize: Int
    /// Bytes of records from which on a frame of the log is compressed.
    public var shortestPackedFrame: Int
    /// Whether blocks hold values in Gorilla's XOR code only.
    public var usesXOROnly: Bool
    /// Whether the store takes the lock file.
    public var usesLockFile: Bool
    /// Whether the store does its upkeep on a thread of its own; tests call ``TimeSeriesStore/runMaintenance()``.
    public var runsInBackground: Bool

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
        self.blockDuration = max(1000, blockDuration)
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

/// What of the options may change while the store is open; times are in ms.
public struct StoreSettings: Sendable, Equatable {
    /// How long samples are kept, 0 for ever.
    public var retentionTime: Int64
    /// How large the directory may grow in bytes, 0 for any size.
    public var retentionSize: Int64
    /// How far behind the newest sample a sample out of order may be, 0 for none.
    public var outOfOrderWindow: Int64
    /// Exemplars kept at most.
    public var maxExemplars: Int

    public init(_ options: StoreOptions) {
        retentionTime = options.retentionTime
        retentionSize = options.retentionSize
        outOfOrderWindow = options.outOfOrderWindow
        maxExemplars = options.maxExemplars
    }
}

/// Numbers about the store, as `/api/v1/status/tsdb` shows them.
public struct StoreStatistics: Sendable {
    public var series = 0
    public var labelPairs = 0
    public var chunks = 0
    /// Times of the head; nil before the first sample.
    public var minTime: Int64?
    public var maxTime: Int64?
    public var seriesByMetric: [(name: String, value: Int)] = []
    public var valuesByLabel: [(name: String, value: Int)] = []
    public var bytesByLabel: [(name: String, value: Int)] = []
    public var seriesByPair: [(name: String, value: Int)] = []
    /// Memory of the head by part, bytes.
    public var memory: [(name: String, value: Int)] = []
    public var walBytes = 0
    public var spillBytes = 0
    public var blockBytes = 0
    public var blocks = 0
    /// Frames and records of the log that could not be read at the start.
    public var damagedRecords = 0

    public init() {}
}
