/// A time range of some series of the head that is hidden until the blocks are written without it.
struct Deletion: Sendable, Equatable {
    var ids: Set<UInt32>
    var from: Int64
    var to: Int64

    /// Ids of a record: what one damaged record of the two that are written takes along stays small.
    private static let idsPerRecord = 8192

    /// Deletions that one call may make.
    private static let most = 64

    /// Hides what series have from `from` to `to`, but nothing behind their own newest samples: what comes later is not
    /// meant.
    ///
    /// Series with the same newest time are one deletion. If there are too many of these times, neighbours are joined.
    static func of(_ newest: [(id: UInt32, time: Int64)], from: Int64, to: Int64) -> [Deletion] {
        var byEnd: [Int64: Set<UInt32>] = [:]
        for (id, time) in newest where min(time, to) >= from { byEnd[min(time, to), default: []].insert(id) }
        let ends = byEnd.keys.sorted()
        let step = (ends.count + most - 1) / most
        return stride(from: 0, to: ends.count, by: max(1, step)).map { start in
            let part = ends[start..<min(start + step, ends.count)]
            let ids = part.reduce(into: Set<UInt32>()) { $0.formUnion(byEnd[$1] ?? []) }
            return Deletion(ids: ids, from: from, to: part.last ?? to)
        }
    }

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
