/// Decides what the upkeep does, and in which order: which windows become blocks, and when a checkpoint is written.
///
/// A value without clocks, files and threads. Once a second, whoever carries the actions out asks ``begin(_:isOversized:)``,
/// ``save(_:)``, ``cut(_:)`` and ``finish(_:)``, each with what is known after the actions before, and tells what was
/// done with ``noteCut(_:at:)`` and ``noteCheckpoint(_:)``. If an action fails, the rest of the round is left out.
struct MaintenancePlanner: Sendable {
    enum Action: Equatable, Sendable {
        /// Drops the oldest blocks until what is written next fits into the directory.
        case keepWithinSize
        /// Frees the log of a directory that began with more than its limit.
        case shrinkLog
        case checkpoint
        /// Makes the samples of these neighbouring windows, by their ends, one block.
        case cut([Int64])
        /// Forgets series without samples in the head that were silent for so many ms.
        case forgetSilent(Int64)
        /// Drops the blocks beyond the retention time.
        case dropExpired
        /// Merges blocks, so many times at most.
        case compact(atMost: Int)
        /// Gives memory that is not used any more back to the system.
        case giveBackMemory
    }

    /// What the store was told to keep to; it may change between two rounds.
    struct Limits: Equatable, Sendable {
        /// The span of a window, ms.
        var blockDuration: Int64
        /// How long windows that are over wait for others, ms.
        var cutDelay: Int64
        /// The longest span of a block, ms.
        var longestBlock: Int64
        /// Whether the directory has a limit of its size.
        var isBounded: Bool
        /// Bytes that one block or the log may take of the directory.
        var largestPart: Int
        /// Bytes of the log that are never worth a checkpoint, if less than usual.
        var shortLog: Int

        /// Sealed bytes of windows that wait for no others.
        var enough: Int { min(64 << 20, largestPart) }
    }

    /// What is known of the log and the checkpoint before windows are cut.
    struct LogFacts: Equatable, Sendable {
        /// Whether samples are in memory only, or refused ones are to be reported.
        var hasUnlogged = false
        /// Whether the log cannot be written at the moment.
        var isFailing = false
        /// Whether the disk may lack a part of the log.
        var isLost = false
        /// Whether somebody has removed the checkpoint.
        var isCheckpointGone = false
    }

    /// A window of which the head holds samples.
    struct Window: Equatable, Sendable {
        /// ms; the window ends before it.
        var end: Int64
        /// Bytes of its sealed chunks.
        var sealed: Int
        /// Bytes that its chunks take on the disk when it is cut.
        var size: Int
    }

    struct HeadFacts: Equatable, Sendable {
        /// Now on the monotonic clock, ns.
        var now: Int64
        /// The newest time of the head that is not in the future, ms; nil if the head is empty.
        var newest: Int64?
        /// Ascending.
        var windows: [Window]
    }

    /// What is known when the windows are cut.
    struct EndFacts: Equatable, Sendable {
        /// Whether this round has cut a window.
        var hasCut = false
        /// Bytes of the log behind the last checkpoint.
        var logBytes = 0
        /// Bytes of the last checkpoint.
        var checkpointBytes = 0
        /// Whether the log fills the directory, so that only a checkpoint makes room.
        var needsRoom = false
    }

    /// How long a window that was cut waits for what may still come, ns.
    static let restAfterCut: Int64 = 60_000_000_000

    private var limits: Limits
    /// When windows were cut, by their end, in ns of the monotonic clock.
    private(set) var cutTimes: [Int64: Int64] = [:]
    /// Since when windows that are over wait to be cut, in ns of the monotonic clock.
    private(set) var waitingSince: Int64?
    private var pace = CheckpointPace()

    init(_ limits: Limits) { self.limits = limits }

    /// Begins a round: what is done before anything is written.
    ///
    /// - Parameter isOversized: Whether the directory had no room when its limit was set.
    mutating func begin(_ limits: Limits, isOversized: Bool) -> [Action] {
        self.limits = limits
        guard limits.isBounded else { return [] }
        return isOversized ? [.keepWithinSize, .shrinkLog] : [.keepWithinSize]
    }

    /// Saves what only memory holds.
    func save(_ facts: LogFacts) -> [Action] {
        let isDue = facts.hasUnlogged && !facts.isFailing || facts.isLost || facts.isCheckpointGone
        return isDue ? [.checkpoint] : []
    }

    /// Makes windows blocks, those of one block together.
    ///
    /// History that is pushed late passes through the windows in seconds. Each would become a block, all to be merged
    /// again: so windows that are over wait for each other, and one that was cut waits for what may still come.
    mutating func cut(_ facts: HeadFacts) -> [Action] {
        let cuts = dueWindows(facts)
        guard !cuts.isEmpty else { return [] }
        // Within a size, a checkpoint of those that are gone takes the room of samples.
        let age = limits.isBounded ? limits.blockDuration / 24 : limits.blockDuration / 2
        return cuts.map { .cut($0) } + [.forgetSilent(age)]
    }

    /// Ends a round: the checkpoint, and what is done about the blocks.
    mutating func finish(_ facts: EndFacts) -> [Action] {
        let isDue = pace.isDue(
            log: facts.logBytes, checkpoint: facts.checkpointBytes, short: limits.shortLog, largest: limits.largestPart)
        var actions: [Action] = facts.hasCut || isDue || facts.needsRoom ? [.checkpoint] : []
        actions.append(.dropExpired)
        if limits.isBounded { actions.append(.keepWithinSize) }
        actions.append(.compact(atMost: 4))
        // What is sealed and cut has left much memory free, and making blocks takes some on several threads, whose
        // allocators would keep it.
        if facts.hasCut { actions.append(.giveBackMemory) }
        return actions
    }

    /// Notes windows that are a block now.
    mutating func noteCut(_ ends: [Int64], at now: Int64) { for end in ends { cutTimes[end] = now } }

    /// Notes a checkpoint of so many bytes.
    mutating func noteCheckpoint(_ bytes: Int) { pace.wrote(bytes) }

    private mutating func dueWindows(_ facts: HeadFacts) -> [[Int64]] {
        guard let newest = facts.newest else { return [] }
        let limits = limits
        cutTimes = cutTimes.filter { facts.now &- $0.value < Self.restAfterCut }
        let over = facts.windows.filter {
            newest &- limits.blockDuration / 2 >= $0.end && (cutTimes[$0.end] == nil || $0.sealed >= limits.enough)
        }
        waitingSince = over.isEmpty ? nil : waitingSince ?? facts.now
        let waited = waitingSince.map { facts.now &- $0 } ?? 0
        let isRipe =
            !over.isEmpty
            && (waited >= limits.cutDelay * 1_000_000 || over.reduce(0) { $0 &+ $1.sealed } >= limits.enough)
        let large = facts.windows.filter { $0.size > limits.largestPart && !(isRipe && over.contains($0)) }
        guard isRipe else { return large.map { [$0.end] } }
        waitingSince = nil
        return Self.groups(over, limits) + large.map { [$0.end] }
    }

    /// The ends of windows in the blocks that they are to be in: neighbours within the longest span of a block, and of
    /// a bounded size.
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
    /// Those of a store.
    ///
    /// - Parameters:
    ///   - retention: How long samples are kept, ms, 0 for ever.
    ///   - largestPart: Bytes that one block may take of the directory; nil if that has no limit.
    init(_ options: StoreOptions, retention: Int64, largestPart: Int?) {
        self.init(
            blockDuration: options.blockDuration, cutDelay: options.cutDelay,
            longestBlock: CompactionPlanner(retention: retention).ranges.last ?? options.blockDuration,
            isBounded: largestPart != nil, largestPart: largestPart ?? .max, shortLog: options.walSegmentSize)
    }
}
