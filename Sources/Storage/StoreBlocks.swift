import Model
import Platform
import Synchronization

/// The operations of tools on the blocks of a store.
extension TimeSeriesStore {
    /// The open blocks in the order of time.
    package var blocks: [BlockReader] { blockSet.readers }

    /// The names of blocks that could not be opened.
    package var damagedBlocks: [String] { blockSet.damaged }

    /// Adds a block that `fill` writes; if it overlaps other blocks, they are merged later.
    ///
    /// - Parameters:
    ///   - baseTime: The first time that a sample of the block may have, ms.
    ///   - fill: A function that adds series in the order of their labels.
    /// - Returns: The description of the block; nil if no sample was added.
    package func addBlock(baseTime: Int64, _ fill: (BlockWriter) throws -> Void) throws -> BlockMeta? {
        maintenanceLock.lock()
        defer { maintenanceLock.unlock() }
        try mergeForOpenFiles()
        let writer = try blockSet.writer(now: clock.now(), baseTime: baseTime)
        do {
            try fill(writer)
            // Without a sample there is no block, and nothing to commit.
            guard let meta = try writer.finish() else { return nil }
            try blockSet.replace([], with: meta)
            return meta
        } catch {
            writer.abandon()
            blockSet.discard(writer.meta.id)
            throw error
        }
    }

    /// Writes the manifest as the next start would write it, so that a command that adds nothing changes no byte.
    package func rewriteManifest() throws {
        maintenanceLock.lock()
        defer { maintenanceLock.unlock() }
        try blockSet.rewriteManifest()
    }

    /// Reads all samples of the head, so that what is damaged is in ``leftOut``.
    package func readHead() throws {
        guard let first = head.windows().first else { return }
        let set = try select(SelectRequest(matchers: [], minTime: first &- options.blockDuration, maxTime: .max))
        var columns = SampleColumns()
        for index in 0..<set.count { try set.read(index, into: &columns) }
    }

    /// The range of the times of all samples, ms; nil if there are none.
    package var timeRange: ClosedRange<Int64>? {
        var (from, to) = (Int64.max, Int64.min)
        for block in blockSet.readers { (from, to) = (min(from, block.minTime), max(to, block.maxTime)) }
        if let first = head.windows().first {
            let newest = head.newest.load(ordering: .relaxed)
            (from, to) = (min(from, first &- options.blockDuration), max(to, newest))
        }
        return from <= to ? from...to : nil
    }
}
