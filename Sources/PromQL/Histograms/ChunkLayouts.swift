import Encoding
import Model

/// Adds the empty buckets to histograms that they have in Prometheus's chunks.
///
/// martlet's storage keeps the original buckets of each histogram. In Prometheus all histograms of a chunk have one
/// layout, so that earlier ones have the buckets of later ones as empty buckets. To find the chunks, all samples of the
/// two-hour ranges that contain the requested ones are split again, see `HistogramChunker`.
final class ChunkLayouts {
    private let query: QueryExecution
    private let request: SelectRequest
    private var whole: (series: any SeriesSet, index: [Labels: Int])?
    private var samples = SampleColumns()
    private var reservation: MemoryReservation

    /// - Parameter request: The request of the selection.
    init(_ query: QueryExecution, _ request: SelectRequest) {
        self.query = query
        self.request = request
        reservation = MemoryReservation(query.budget)
    }

    deinit { reservation.release() }

    /// Widens the histograms among the samples of a series, if there are any.
    func widen(_ wanted: inout SampleColumns, of labels: Labels) throws {
        guard !wanted.histograms.isEmpty else { return }
        let (series, index) = try wholeRanges()
        guard let number = index[labels] else { return }
        try series.read(number, into: &samples)
        try reservation.charge(samples.heldBytes)
        let layouts = cut()
        var at = 0
        for i in wanted.histograms.indices {
            let time = wanted.timestamps[wanted.histograms[i].index]
            while at < layouts.count, layouts[at].maxTime < time { at += 1 }
            guard at < layouts.count, layouts[at].minTime <= time,
                !Staleness.isMarker(wanted.histograms[i].histogram.sum)
            else { continue }
            wanted.histograms[i].histogram = layouts[at].layout.widen(wanted.histograms[i].histogram)
        }
    }

    private func wholeRanges() throws -> (series: any SeriesSet, index: [Labels: Int]) {
        if let whole { return whole }
        let series = try query.select(
            SelectRequest(
                matchers: request.matchers, minTime: HistogramChunker.rangeStart(request.minTime),
                maxTime: HistogramChunker.rangeEnd(request.maxTime), isSorted: false))
        var index: [Labels: Int] = [:]
        for number in 0..<series.count { index[series.labels(number)] = number }
        whole = (series, index)
        return (series, index)
    }

    private func cut() -> [HistogramChunker.Chunk] {
        var chunker = HistogramChunker()
        var (at, next) = (0, 0)
        while at < samples.count {
            chunker.append(samples, &at, &next)
            chunker.breakOff()
            at += 1
        }
        return chunker.chunks
    }
}
