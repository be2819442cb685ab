import GoCompatibility
import Model
import Platform
import Synchronization
import Telemetry

/// Keeping the directory within its size: one number for everything in it, at every moment.
///
/// ``BoundedFileSystem`` refuses what would go over; here the oldest data goes before that happens. The upkeep lock is
/// held.
extension TimeSeriesStore {
    /// The largest part of the directory that one file or one merge may take, bytes.
    var largestPart: Int { quota.map { max(1 << 16, $0.limit / 8) } ?? .max }

    /// Takes the reserve, if it is no large part of what the directory may hold.
    func tendReserve() {
        if largestPart / 8 >= DiskReserve.size { reserve.take() } else { _ = reserve.giveUp() }
    }

    /// The room that a checkpoint needs, without which nothing frees the log of a store without blocks.
    private func checkpointRoom(_ quota: BoundedFileSystem) -> Int {
        let checkpoint = checkpointSize.load(ordering: .relaxed) / 4 * 5
        return min(quota.limit / 4, max(checkpoint, quota.limit / 32) + 16 * BoundedFileSystem.page)
    }

    /// Whether only a checkpoint makes room, and would make some.
    var needsCheckpointForRoom: Bool {
        guard let quota, quota.room < checkpointRoom(quota) else { return false }
        return log.writtenBytes > quota.limit / 16
    }

    /// Refuses a push that would take the room of the checkpoint that makes room for it.
    func refuseIfFull(_ durability: Durability) throws(StoreBusy) {
        guard durability != .whenPossible, needsCheckpointForRoom else { return }
        background.hurry()
        throw Self.busy
    }

    private static let busy = StoreBusy(
        description: "samples come faster than the size retention makes room for them; send them again later")

    /// Lets the upkeep make room soon if little is left: a fast writer fills the directory between two looks.
    func hurryIfFull() {
        if let quota, quota.room < checkpointRoom(quota) + quota.limit / 32 { background.hurry() }
    }

    /// The error for samples that the log has not taken.
    ///
    /// - Parameter bytes: What was to be written.
    func refusal(_ why: String, bytes: Int) -> any Error {
        // A new segment and the frame, each to the end of a page.
        guard let quota, quota.room < bytes &+ 4 * BoundedFileSystem.page else { return StorageError.notWritable(why) }
        background.hurry()
        return Self.busy
    }

    /// Drops the oldest blocks until what is written before the next look fits: the log, and a checkpoint.
    func keepWithinSize() throws {
        guard let quota else { return }
        let checkpoint = checkpointSize.load(ordering: .relaxed) / 4 * 5
        try makeRoom(min(quota.limit / 2, checkpoint + quota.limit / 16))
    }

    /// Frees the log of a directory that began with more than its limit: a checkpoint has to hold what the log holds before
    /// the log can go, and there is no room for both.
    func shrinkLog() throws {
        guard let quota, isOversized.load(ordering: .relaxed) else { return }
        if quota.room == 0 { try quota.withoutLimit { try writeCheckpoint() } }
        isOversized.store(false, ordering: .relaxed)
    }

    /// Drops the oldest blocks until `bytes` can be written; returns whether they can.
    @discardableResult
    func makeRoom(_ bytes: Int, except names: Set<String> = []) throws -> Bool {
        guard let quota else { return true }
        var dropped = 0
        while quota.room < bytes, try dropOldest(except: names) { dropped += 1 }
        if dropped > 0 { logger.info("Dropped blocks beyond the size retention", ["blocks": "\(dropped)"]) }
        return quota.room >= bytes
    }

    /// Drops the oldest block; false if there is none, or if dropping it has freed nothing.
    func dropOldest(except names: Set<String> = []) throws -> Bool {
        guard let quota, let oldest = blockSet.oldest(except: names) else { return false }
        let before = quota.used
        try blockSet.replace([oldest], with: nil)
        counters.sizeRetentions.wrappingAdd(1, ordering: .relaxed)
        return quota.used < before
    }

    /// Bytes of the sealed chunks of a window.
    func spilled(_ windowEnd: Int64) -> Int {
        head.spill.files.reduce(0) { $1.windowEnd == windowEnd ? $0 &+ $1.size : $0 }
    }

    /// Bytes that the spill files of a window take when it is cut, open chunks of stores of a bounded size included.
    func size(_ windowEnd: Int64) -> Int {
        quota == nil ? spilled(windowEnd) : spilled(windowEnd) &+ head.openBytes(windowEnd: windowEnd)
    }

    /// Writes a checkpoint; if there is no room, drops blocks, and forgets series that are silent, until there is.
    func writeCheckpointWithinSize() throws {
        var isSwept = false
        while true {
            do { return try writeCheckpoint() } catch {
                guard quota != nil, (error as? FileError)?.isFull == true else { throw error }
                if try dropOldest() { continue }
                guard !isSwept else {
                    guard let quota, quota.room == 0 || needsCheckpointForRoom else { throw error }
                    // The log fills the directory, and only a checkpoint frees it: it is written all the same.
                    return try quota.withoutLimit { try writeCheckpoint() }
                }
                isSwept = true
                try forgetSilent(for: 60_000)
            }
        }
    }

    /// Makes windows a block, at the cost of the oldest blocks if there is no room, and of the window if there are none.
    func cutWithinSize(_ ends: [Int64]) throws {
        if quota != nil { try makeRoom(ends.reduce(1 << 16) { $0 + size($1) }) }
        while true {
            do { return try cutWindows(ends) } catch {
                guard quota != nil, (error as? FileError)?.isFull == true else { throw error }
                if try dropOldest() { continue }
                if ends.count > 1 {
                    for end in ends { try cutWithinSize([end]) }
                    return
                }
                // What is too large for a block that would fit goes, too, lest nothing new can come.
                guard let end = ends.first,
                    end <= head.newest.load(ordering: .relaxed) || size(end) > largestPart
                else { throw error }
                let files = head.close(windowEnd: end)
                let bytes = files.reduce(0) { $0 &+ $1.size }
                try? blockSet.noteCut(cutFiles(files))
                isCheckpointBehindCut.store(true, ordering: .relaxed)
                head.forget(files, outOfOrder: head.outOfOrderTimes((end &- options.blockDuration)..<end))
                logger.error(
                    "The size retention has no space for the newest samples; the oldest of them are dropped",
                    ["window_end": RFC3339.text(end), "bytes": "\(bytes)", "limit": "\(settings.retentionSize)"])
                return
            }
        }
    }
}
