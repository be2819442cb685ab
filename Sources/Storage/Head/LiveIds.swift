/// Which ids are in use, counted by rows of 64, which are pages of states.
///
/// Ids are not used again, so that after months of pods that come and go few of very many are alive: whatever looks at
/// all series steps over the rows of the dead. Used under the lock of the head's registry.
final class LiveIds {
    /// Ids in a row.
    static let row = 64
    /// Ids in 64 rows.
    private static let rows = row * 64

    private let counts: Column<UInt8>
    /// Rows in use among 64 next to each other.
    private let rowCounts: Column<UInt8>
    /// Ids that are alive.
    private(set) var count = 0
    /// Rows in which an id is alive.
    private(set) var usedRows = 0

    init(capacity: Int) throws(StorageError) {
        counts = try Column(capacity: capacity / Self.row + 1)
        rowCounts = try Column(capacity: capacity / Self.rows + 1)
    }

    func add(_ id: UInt32) {
        count &+= 1
        let own = counts.elements.element(Int(id) / Self.row)
        if own.pointee == 0 {
            usedRows &+= 1
            rowCounts[Int(id) / Self.rows] &+= 1
        }
        own.pointee &+= 1
    }

    func remove(_ id: UInt32) {
        let own = counts.elements.element(Int(id) / Self.row)
        guard own.pointee > 0 else { return }
        count &-= 1
        own.pointee &-= 1
        if own.pointee == 0 {
            usedRows &-= 1
            rowCounts[Int(id) / Self.rows] &-= 1
        }
    }

    /// Whether no id of the row of this one is alive.
    func isRowEmpty(_ id: UInt32) -> Bool { counts[Int(id) / Self.row] == 0 }

    /// The part of each row that lies in `ids` and may hold living ones, ascending, until `body` says that it is enough.
    ///
    /// - Returns: Where it ended.
    @discardableResult
    func forEachRow(_ ids: Range<UInt32>, _ body: (Range<UInt32>) -> Bool) -> UInt32 {
        var at = ids.lowerBound
        while at < ids.upperBound {
            if rowCounts[Int(at) / Self.rows] == 0 {
                at = min(ids.upperBound, (at / UInt32(Self.rows) &+ 1) &* UInt32(Self.rows))
                continue
            }
            let end = min(ids.upperBound, (at / UInt32(Self.row) &+ 1) &* UInt32(Self.row))
            if !isRowEmpty(at), !body(at..<end) { return end }
            at = end
        }
        return ids.upperBound
    }

    /// The parts of `extents` whose rows hold living ids.
    func compacted(_ extents: [Range<UInt32>]) -> IdRuns {
        var result = IdRuns()
        for extent in extents {
            forEachRow(extent) { part in
                result.add(part)
                return true
            }
        }
        return result
    }
}
