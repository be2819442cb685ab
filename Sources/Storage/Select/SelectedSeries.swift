import Model
import Synchronization

/// The answer to a select: the series, sorted by labels, as they were at one moment.
final class SelectedSeries: SeriesSet, @unchecked Sendable {
    // SAFETY: filled by the initialiser, then only read.
    private struct Row {
        var labels: Labels
        var head: Int
        var id: UInt32
    }

    private let snapshot: HeadSnapshot
    private var rows: [Row] = []
    private let hidden: [TimeSeriesStore.Deletion]

    init(_ store: TimeSeriesStore, _ request: SelectRequest) throws {
        let head = store.head
        let ids = head.registry.withLock {
            head.index.match(request.matchers) { (0..<head.idEnd).filter { head.states[Int($0)].labels != 0 } }
        }
        snapshot = HeadSnapshot(head, ids, request)
        hidden = store.deletions.withLock { $0 }.filter { $0.from <= request.maxTime && $0.to >= request.minTime }
        rows.reserveCapacity(snapshot.entries.count)
        for at in 0..<snapshot.entries.count {
            rows.append(Row(labels: snapshot.labels(at), head: at, id: snapshot.entries[at].id))
        }
        rows.sort { $0.labels < $1.labels }
        if request.limit > 0, rows.count > request.limit { rows.removeLast(rows.count - request.limit) }
    }

    var count: Int { rows.count }

    func labels(_ index: Int) -> Labels { rows[index].labels }

    func read(_ index: Int, into columns: inout SampleColumns) throws {
        columns.removeAll()
        try snapshot.read(rows[index].head, into: &columns)
        for deletion in hidden where deletion.ids.contains(rows[index].id) { hide(deletion, &columns) }
    }

    private func hide(_ deletion: TimeSeriesStore.Deletion, _ columns: inout SampleColumns) {
        var kept = SampleColumns(capacity: columns.count)
        var h = 0
        for i in 0..<columns.count {
            let time = columns.timestamps[i]
            let isHistogram = h < columns.histograms.count && columns.histograms[h].index == i
            if time < deletion.from || time > deletion.to {
                if isHistogram {
                    kept.append(time, columns.histograms[h].histogram)
                } else {
                    kept.append(time, columns.values[i])
                }
            }
            if isHistogram { h += 1 }
        }
        swap(&kept, &columns)
        columns.timestampKey = 0
    }
}
