import GoCompatibility
import Model
import Platform
import Synchronization
import Telemetry

/// The limit of the size of the directory, for everything in it and at every moment.
///
/// ``BoundedFileSystem`` refuses writes that would exceed it; the functions here remove the oldest data before that
/// happens. They need the `maintenanceLock`.
extension TimeSeriesStore {
    /// The largest part of the directory that one file or one merge may take, bytes.
    var largestPart: Int { quota.map { max(1 << 16, $0.limit / 8) } ?? .max }

    /// Makes the reserve if it is a small part of the limit of the directory; otherwise removes it.
    func tendReserve() {
        if largestPart / 8 >= DiskReserve.size { reserve.take() } else { _ = reserve.giveUp() }
    }

    /// The space that a checkpoint needs; without a checkpoint, the log of a store without blocks is never freed.
    private func checkpointSpace(_ quota: BoundedFileSystem) -> Int {
        let checkpoint = checkpointSize.load(ordering: .relaxed) / 4 * 5
        return min(quota.limit / 4, max(checkpoint, quota.limit / 32) + 16 * BoundedFileSystem.page)
    }

    /// Whether only a checkpoint frees space, and would free some.
    var needsCheckpointForSpace: Bool {
        guard let quota, quota.spaceLeft < checkpointSpace(quota) else { return false }
        return log.writtenBytes > quota.limit / 16
    }

    /// Refuses a push that would use the space of the checkpoint that frees space for it.
    func refuseIfFull(_ durability: Durability) throws(StoreBusy) {
        guard durability != .whenPossible, needsCheckpointForSpace else { return }
        background.hurry()
        throw Self.busy
    }

    private static let busy = StoreBusy(
        description: "samples come faster than the size retention frees space for them; send them again later")

    /// Starts maintenance soon if little space is left: a fast writer fills the directory between two rounds.
    func hurryIfFull() {
        if let quota, quota.spaceLeft < checkpointSpace(quota) + quota.limit / 32 { background.hurry() }
    }

    /// The error for samples that were not written to the log.
    ///
    /// - Parameter bytes: The number of bytes that were to be written.
    func refusal(_ cause: FileError, bytes: Int) -> any Error {
        // A new segment and the frame use whole pages.
        guard let quota, quota.spaceLeft < bytes &+ 4 * BoundedFileSystem.page else {
            return StorageError.refusal(cause)
        }
        background.hurry()
        return Self.busy
    }

    /// Drops the oldest blocks until there is space for the writes before the next round: the log, and a checkpoint.
    func keepWithinSize() throws {
        guard let quota else { return }
        let checkpoint = checkpointSize.load(ordering: .relaxed) / 4 * 5
        try makeSpace(min(quota.limit / 2, checkpoint + quota.limit / 16))
    }

    /// Frees the log of a directory that was larger than its limit at the start.
    ///
    /// The log can only be removed when a checkpoint has its data, and there is no space for both.
    func shrinkLog() throws {
        guard let quota, isOversized.load(ordering: .relaxed) else { return }
        if quota.spaceLeft == 0 { try quota.withoutLimit { try writeCheckpoint() } }
        isOversized.store(false, ordering: .relaxed)
    }

    /// Drops the oldest blocks until `bytes` can be written; returns whether this is possible.
    @discardableResult
    func makeSpace(_ bytes: Int, except names: Set<String> = []) throws -> Bool {
        guard let quota else { return true }
        var dropped = 0
        while quota.spaceLeft < bytes, try dropOldest(except: names) { dropped += 1 }
        if dropped > 0 { logger.info("Dropped blocks beyond the size retention", ["blocks": "\(dropped)"]) }
        return quota.spaceLeft >= bytes
    }

    /// Drops the oldest block; returns false if there is none, or if nothing was freed.
    func dropOldest(except names: Set<String> = []) throws -> Bool {
        guard let quota, let oldest = blockSet.oldest(except: names) else { return false }
        let before = quota.used
        try blockSet.replace([oldest], with: nil)
        counters.sizeRetentions.wrappingAdd(1, ordering: .relaxed)
        return quota.used < before
    }

    /// The bytes of the sealed chunks of each window, by its end.
    func sealedSizes() -> [Int64: Int] {
        head.spill.files.reduce(into: [:]) { $0[$1.windowEnd, default: 0] &+= $1.size }
    }

    /// The bytes of the spill files of each window when it is cut; for a limited directory, including the open chunks.
    func windowSizes() -> [Int64: Int] {
        quota == nil ? sealedSizes() : sealedSizes().merging(head.openBytes()) { $0 &+ $1 }
    }

    /// Writes a checkpoint; if there is no space, drops blocks, and removes silent series, until there is.
    func writeCheckpointWithinSize() throws {
        var isSwept = false
        while true {
            do { return try writeCheckpoint() } catch {
                guard quota != nil, (error as? FileError)?.isFull == true else { throw error }
                if try dropOldest() { continue }
                guard !isSwept else {
                    guard let quota, quota.spaceLeft == 0 || needsCheckpointForSpace else { throw error }
                    // The log fills the directory, and only a checkpoint frees it, so the checkpoint may exceed the
                    // limit.
                    return try quota.withoutLimit { try writeCheckpoint() }
                }
                isSwept = true
                try forgetSilent(for: 60_000)
            }
        }
    }

    /// Makes windows a block; if there is no space, drops the oldest blocks, and if there are none, the window.
    func cutWithinSize(_ ends: [Int64]) throws {
        if quota != nil {
            let sizes = windowSizes()
            try makeSpace(ends.reduce(1 << 16) { $0 + (sizes[$1] ?? 0) })
        }
        while true {
            do { return try cutWindows(ends) } catch {
                guard quota != nil, (error as? FileError)?.isFull == true else { throw error }
                if try dropOldest() { continue }
                if ends.count > 1 {
                    for end in ends { try cutWithinSize([end]) }
                    return
                }
                // A window that is too large for a block that would fit is dropped, too, because otherwise no new
                // samples can be stored.
                guard let end = ends.first,
                    end <= head.newest.load(ordering: .relaxed) || windowSizes()[end] ?? 0 > largestPart
                else { throw error }
                let files = head.close(windowEnd: end)
                let bytes = files.reduce(0) { $0 &+ $1.size }
                let window = (end &- options.blockDuration)..<end
                let outOfOrder = try head.outOfOrderSamples(in: window, options.memory)
                try? blockSet.noteCut(cutFiles(files))
                isCheckpointBehindCut.store(true, ordering: .relaxed)
                head.forget(files, outOfOrder: outOfOrder)
                logger.error(
                    "The size retention has no space for the newest samples; the oldest of them are dropped",
                    ["window_end": RFC3339.text(end), "bytes": "\(bytes)", "limit": "\(settings.retentionSize)"])
                return
            }
        }
    }
}
