/// The set of ids in use, counted by rows of 64 ids, whose states fill a page.
///
/// Ids are not reused, so that after months of short-lived pods only few of very many ids are live. Loops over all
/// series skip the rows without live ids. Used under the lock of the head's registry.
final class LiveIds {
    /// The number of ids in a row.
    static let row = 64
    /// The number of ids in 64 rows.
    private static let rows = row * 64

    private let counts: Column<UInt8>
    /// The number of used rows for each 64 adjacent rows.
    private let rowCounts: Column<UInt8>
    /// The number of ids that fit.
    let capacity: Int
    /// The number of live ids.
    private(set) var count = 0
    /// The number of rows with a live id.
    private(set) var usedRows = 0

    init(capacity: Int) throws(StorageError) {
        counts = try Column(capacity: capacity / Self.row + 1)
        rowCounts = try Column(capacity: capacity / Self.rows + 1)
        self.capacity = min(capacity, counts.capacity * Self.row, rowCounts.capacity * Self.rows)
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

    /// Whether the row of this id has no live id.
    func isRowEmpty(_ id: UInt32) -> Bool { counts[Int(id) / Self.row] == 0 }

    /// Calls `body` with the part of each row that is in `ids` and may have live ids, ascending, until it returns
    /// false.
    ///
    /// - Returns: The id at which it stopped.
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

    /// The parts of `extents` whose rows have live ids.
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

extension Head {
    /// The live series below an id, ascending; needs the registry's lock.
    func liveIds(below end: UInt32) -> [UInt32] {
        registry.assertHeld()
        var ids: [UInt32] = []
        ids.reserveCapacity(liveSeries)
        _ = addLiveIds(0..<end, atMost: .max, to: &ids)
        return ids
    }

    /// Appends the live series in `range`, ascending, until there are about `most`; needs the registry's lock.
    ///
    /// - Returns: The id at which it stopped.
    func addLiveIds(_ range: Range<UInt32>, atMost most: Int, to ids: inout [UInt32]) -> UInt32 {
        registry.assertHeld()
        return live.forEachRow(range) { row in
            for id in row where states[id].labels != 0 { ids.append(id) }
            return ids.count < most
        }
    }
}
