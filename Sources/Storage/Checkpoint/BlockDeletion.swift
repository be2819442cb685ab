/// A deletion in the blocks that can be reversed.
struct BlockDeletion {
    /// The earlier pending deletions; nil if none was added.
    var pending: PendingDeletions?
    /// The open blocks in which something was deleted, with their earlier deletions.
    var earlier: [(block: BlockReader, deletions: DeletedRanges)] = []
}
