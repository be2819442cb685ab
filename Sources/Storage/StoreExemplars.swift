import Model

extension TimeSeriesStore {
    /// Stores exemplars of series that have samples; needs the locks of the groups that own the series.
    func storeExemplars(_ batch: borrowing SampleBatch, _ outcome: inout CommitOutcome) {
        var records: [UInt8] = []
        for (index, (ref, exemplar)) in batch.exemplars.enumerated()
        where ref.raw > 0 && ref.raw <= UInt64(head.idEnd) {
            let id = UInt32(truncatingIfNeeded: ref.raw - 1)
            if head.states[id].lastTime == .min {
                outcome.rejectedExemplars.append((index, .unknownSeries))
                continue
            }
            switch exemplarRing.add(id, exemplar) {
            case .stored: records += LogRecord.exemplar(id, exemplar)
            case .refused(let reason): outcome.rejectedExemplars.append((index, reason))
            case .known, .disabled: continue
            }
        }
        // While the log fails, nothing is logged: the next checkpoint has the exemplars of the ring.
        if !records.isEmpty, log.failure == nil { log.enqueue(records) }
    }
}
