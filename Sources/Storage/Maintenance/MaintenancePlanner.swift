/// A plan of what maintenance does, and in which order: which windows become blocks, and when a checkpoint is written.
///
/// It is a value without clocks, files and threads. Once a second, the code that carries out the actions calls
/// ``begin(_:isOversized:)``, ``save(_:)``, ``cut(_:)`` and ``finish(_:)``, each with the facts after the previous
/// actions, and notes the results with ``noteCut(_:at:)`` and ``noteCheckpoint(_:)``. An action that fails does not
/// prevent the others: a merge frees descriptors, and a checkpoint frees the log, although windows cannot be cut.
struct MaintenancePlanner: Sendable {
    enum Action: Equatable, Sendable {
        /// Drops the oldest blocks until the next writes fit into the directory.
        case keepWithinSize
        /// Frees the log of a directory that was larger than its limit at the start.
        case shrinkLog
        case checkpoint
        /// Makes one block of the samples of these adjacent windows, given by their ends (head compaction).
        case cut([Int64])
        /// Removes series without samples in the head that were silent for so many ms.
        case forgetSilent(Int64)
        /// Drops the blocks beyond the retention time.
        case dropExpired
        /// Merges blocks, at most so many times.
        case compact(atMost: Int)
        /// Returns unused memory to the system.
        case giveBackMemory
    }

    /// The settings of the store, which may change between two rounds.
    struct Limits: Equatable, Sendable {
        /// The span of a window, ms.
        var blockDuration: Int64
        /// The longest time that complete windows wait for others, ms.
        var cutDelay: Int64
        /// The longest span of a block, ms.
        var longestBlock: Int64
        /// Whether the size of the directory is limited.
        var isBounded: Bool
        /// The most bytes of the directory that one block or the log may use.
        var largestPart: Int
        /// The bytes of the log that never justify a checkpoint, if less than usual.
        var shortLog: Int
        /// The most files that the process may have open; each block uses one.
        var openFiles = Int.max

        /// The numbers of blocks that are allowed.
        var places: BlockPlaces { BlockPlaces(openFiles: openFiles) }

        /// The sealed bytes with which windows do not wait for others.
        var enough: Int { min(64 << 20, largestPart) }

        /// The number of windows with which they do not wait for others.
        var manyWindows: Int { HeadWindows.most(openFiles: openFiles) / 4 }
    }

    /// The facts about the log and the checkpoint before windows are cut.
    struct LogFacts: Equatable, Sendable {
        /// Whether samples are in memory only, or refused ones are to be reported.
        var hasUnlogged = false
        /// Whether the log cannot be written at the moment.
        var isFailing = false
        /// Whether the disk may lack a part of the log.
        var isLost = false
        /// Whether the checkpoint was removed by something else.
        var isCheckpointGone = false
    }

    /// A window with samples in the head.
    struct Window: Equatable, Sendable {
        /// The end of the window, ms, exclusive.
        var end: Int64
        /// The bytes of its sealed chunks.
        var sealed: Int
        /// The bytes of its chunks on disk when it is cut.
        var size: Int
    }

    struct HeadFacts: Equatable, Sendable {
        /// The current time of the monotonic clock, ns.
        var now: Int64
        /// The newest time of the head that is not in the future, ms; nil if the head is empty.
        var newest: Int64?
        /// The windows, ascending by their ends.
        var windows: [Window]
        /// The number of blocks.
        var blocks = 0
        /// Whether a push waits until windows are cut.
        var isAwaited = false
    }

    /// The facts after windows were cut.
    struct EndFacts: Equatable, Sendable {
        /// Whether this round has made a block of a window.
        var hasCut = false
        /// The bytes of the log after the last checkpoint.
        var logBytes = 0
        /// The bytes of the last checkpoint.
        var checkpointBytes = 0
        /// Whether the log fills the directory, so that only a checkpoint frees space.
        var needsSpace = false
        /// The number of blocks.
        var blocks = 0
    }

    /// The time that a window waits for further samples after it was cut, ns.
    static let restAfterCut: Int64 = 60_000_000_000

    private var limits: Limits
    /// The times when windows were cut, by their end, in ns of the monotonic clock.
    private(set) var cutTimes: [Int64: Int64] = [:]
    /// The time since when complete windows have waited to be cut, in ns of the monotonic clock; nil if there are none.
    private(set) var waitingSince: Int64?
    private var pace = CheckpointPace()
    /// Whether old windows wait because blocks use too many of the files that may be open.
    private(set) var lacksOpenFiles = false

    init(_ limits: Limits) { self.limits = limits }

    /// Starts a round: the actions before anything is written.
    ///
    /// - Parameter isOversized: Whether the directory had no space when its limit was set.
    mutating func begin(_ limits: Limits, isOversized: Bool) -> [Action] {
        self.limits = limits
        guard limits.isBounded else { return [] }
        return isOversized ? [.keepWithinSize, .shrinkLog] : [.keepWithinSize]
    }

    /// The actions that save samples which are only in memory.
    func save(_ facts: LogFacts) -> [Action] {
        let isDue = facts.hasUnlogged && !facts.isFailing || facts.isLost || facts.isCheckpointGone
        return isDue ? [.checkpoint] : []
    }

    /// The actions that make blocks of windows; the windows of one block are together.
    ///
    /// History that is pushed late covers many windows in seconds. Each would become a block, and all blocks would be
    /// merged again. Therefore complete windows wait for each other, and a window that was cut waits for further
    /// samples.
    mutating func cut(_ facts: HeadFacts) -> [Action] {
        let waited = waitingSince
        let due = dueWindows(facts)
        let cuts = Array(due.suffix(mostCuts(of: due, facts)))
        lacksOpenFiles = cuts.count < due.count && facts.blocks >= limits.places.mostWithOld
        // What is left is due in the next round, after blocks were merged.
        if cuts.count < due.count { waitingSince = waited ?? facts.now }
        guard !cuts.isEmpty else { return [] }
        // In a limited directory, garbage series in the checkpoint would use the space of samples.
        let age = limits.isBounded ? limits.blockDuration / 24 : limits.blockDuration / 2
        return cuts.map { .cut($0) } + [.forgetSilent(age)]
    }

    /// The number of blocks that may be made now: together, they use ``BlockPlaces/free`` places.
    ///
    /// Blocks that cannot be merged use up to ``BlockPlaces/mostWithOld``. With more, only the present samples, which
    /// are last, become blocks, as long as the next start accepts them.
    private func mostCuts(of due: [[Int64]], _ facts: HeadFacts) -> Int {
        let places = limits.places
        let most = places.free &- facts.blocks
        guard most <= 0 else { return most }
        let isPresent = (due.last?.last).map { $0 > (facts.newest ?? .max) &- 3 &* limits.blockDuration } ?? false
        return facts.blocks < (isPresent ? places.most : places.mostWithOld) ? 1 : 0
    }

    /// Ends a round: the checkpoint, and the actions on blocks.
    mutating func finish(_ facts: EndFacts) -> [Action] {
        let isDue = pace.isDue(
            log: facts.logBytes, checkpoint: facts.checkpointBytes, short: limits.shortLog, largest: limits.largestPart)
        var actions: [Action] = facts.hasCut || isDue || facts.needsSpace ? [.checkpoint] : []
        actions.append(.dropExpired)
        if limits.isBounded { actions.append(.keepWithinSize) }
        actions.append(.compact(atMost: facts.blocks > limits.places.many ? 32 : 4))
        // Sealing and cutting leave much memory free, and making blocks uses memory on several threads, whose
        // allocators would keep it.
        if facts.hasCut { actions.append(.giveBackMemory) }
        return actions
    }

    /// Notes windows that were made a block.
    mutating func noteCut(_ ends: [Int64], at now: Int64) { for end in ends { cutTimes[end] = now } }

    /// Notes a checkpoint of so many bytes.
    mutating func noteCheckpoint(_ bytes: Int) { pace.wrote(bytes) }

    private mutating func dueWindows(_ facts: HeadFacts) -> [[Int64]] {
        guard let newest = facts.newest else { return [] }
        let limits = limits
        cutTimes = cutTimes.filter { facts.now &- $0.value < Self.restAfterCut }
        // Many windows would keep out others if they rested.
        let isFull = facts.windows.count >= limits.manyWindows || facts.isAwaited
        let over = facts.windows.filter {
            newest &- limits.blockDuration / 2 >= $0.end
                && (cutTimes[$0.end] == nil || $0.sealed >= limits.enough || isFull)
        }
        waitingSince = over.isEmpty ? nil : waitingSince ?? facts.now
        let waited = waitingSince.map { facts.now &- $0 } ?? 0
        let isRipe =
            !over.isEmpty
            && (waited >= limits.cutDelay * 1_000_000 || over.reduce(0) { $0 &+ $1.sealed } >= limits.enough
                || isFull)
        let large = facts.windows.filter { $0.size > limits.largestPart && !(isRipe && over.contains($0)) }
        guard isRipe else { return large.map { [$0.end] } }
        waitingSince = nil
        return Self.groups(over, limits) + large.map { [$0.end] }
    }

    /// The ends of windows, grouped by the blocks that they become.
    ///
    /// The windows of a block are adjacent, within the longest span of a block, and of a limited size.
    static func groups(_ windows: [Window], _ limits: Limits) -> [[Int64]] {
        var result: [[Int64]] = []
        var size = 0
        for window in windows {
            let end = window.end
            let isNeighbour = result.last?.last.map { before in
                end &- limits.blockDuration == before
                    && (end &- 1) / limits.longestBlock == (before &- 1) / limits.longestBlock
                    && size &+ window.sealed <= limits.largestPart
            }
            if isNeighbour == true {
                result[result.count - 1].append(end)
                size &+= window.sealed
            } else {
                result.append([end])
                size = window.sealed
            }
        }
        return result
    }
}

extension MaintenancePlanner.Limits {
    /// The limits of a store.
    ///
    /// - Parameters:
    ///   - retention: The time that samples are kept, ms; 0 for no limit.
    ///   - largestPart: The most bytes of the directory that one block may use; nil if the directory has no limit.
    init(_ options: StoreOptions, retention: Int64, largestPart: Int?) {
        self.init(
            blockDuration: options.blockDuration, cutDelay: options.cutDelay,
            longestBlock: CompactionPlanner(retention: retention).ranges.last ?? options.blockDuration,
            isBounded: largestPart != nil, largestPart: largestPart ?? .max, shortLog: options.walSegmentSize,
            openFiles: options.openFiles)
    }
}
