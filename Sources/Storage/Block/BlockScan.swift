import Encoding
import Model

/// An iterator over all series of a block in the order of labels, with one page in memory at a time.
final class BlockScan {
    private let block: BlockReader
    private let deleted: DeletedRanges
    private var page = 0
    private var held: (frame: Frame, first: Int, count: Int)?
    private var reader: SeriesPageReader?
    private var next = 0
    /// The chunks of the current series.
    private(set) var chunks: [ChunkRef] = []
    private var rank: UInt32 = 0
    /// The labels of the current series; nil at the end.
    private(set) var labels: Labels?

    init(_ block: BlockReader, deleted: DeletedRanges) {
        self.block = block
        self.deleted = deleted
    }

    /// Moves to the next series.
    func advance() throws {
        while held == nil || next >= held?.count ?? 0 {
            guard page < block.index.seriesPages.count else {
                labels = nil
                return
            }
            let loaded = try block.seriesPage(page)
            held = loaded
            next = 0
            page += 1
            do throws(DecodeError) {
                reader = try SeriesPageReader(loaded.frame.bytes, count: loaded.count)
            } catch { throw damage(error) }
        }
        do throws(DecodeError) {
            guard let entry = try reader?.read(next), let first = held?.first else { return }
            chunks.removeAll(keepingCapacity: true)
            try SeriesPageReader.chunks(entry, baseTime: block.index.baseTime) { chunks.append($0) }
            rank = UInt32(truncatingIfNeeded: first + next)
        } catch { throw damage(error) }
        next += 1
        labels = reader?.copyLabels()
    }

    private func damage(_ error: DecodeError) -> BlockError {
        block.frames.damage(block.index.seriesPages[page - 1].frame, "\(error)")
    }

    /// Replaces `columns` by the samples of the current series that are not deleted.
    func read(into columns: inout SampleColumns) throws {
        columns.removeAll()
        for chunk in chunks { try block.read(chunk, .min, .max, nil, into: &columns) }
        if !deleted.isEmpty {
            let ranges = deleted.ranges(rank)
            if !ranges.isEmpty { _ = columns.remove(ranges, from: 0) }
        }
    }
}
