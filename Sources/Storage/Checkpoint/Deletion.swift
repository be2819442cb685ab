/// A time range of some series of the head that is hidden until the blocks are written without it.
struct Deletion: Sendable, Equatable {
    var ids: Set<UInt32>
    var from: Int64
    var to: Int64

    /// Ids of a record: what one damaged record of the two that are written takes along stays small.
    private static let idsPerRecord = 8192

    /// The deletion as records of the log.
    var records: [[UInt8]] {
        let sorted = ids.sorted()
        return stride(from: 0, to: sorted.count, by: Self.idsPerRecord).map { start in
            LogRecord.deletion(sorted[start..<min(start + Self.idsPerRecord, sorted.count)], from, to)
        }
    }
}

extension [Deletion] {
    /// Adds a deletion of which parts may be known: each is written twice, and in pieces.
    mutating func join(_ ids: [UInt32], _ from: Int64, _ to: Int64) {
        if let at = firstIndex(where: { $0.from == from && $0.to == to }) {
            self[at].ids.formUnion(ids)
        } else {
            append(Deletion(ids: Set(ids), from: from, to: to))
        }
    }
}
