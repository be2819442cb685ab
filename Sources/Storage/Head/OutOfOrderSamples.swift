import Model

/// An out-of-order sample, which is stored beside the chunks until its window becomes a block.
struct OutOfOrderSample {
    var time: Int64
    var value: Double
    var histogram: FloatHistogram?
}

extension Head {
    /// Adds an out-of-order sample beside the chunks; of two samples at the same time, the first stays.
    ///
    /// Needs the group's lock.
    func addOutOfOrder(_ id: UInt32, _ time: Int64, _ value: Double, _ histogram: FloatHistogram?, _ group: HeadGroup) {
        group.lock.assertHeld()
        var samples = group.outOfOrder.removeValue(forKey: id) ?? []
        let at = samples.firstIndex { $0.time >= time } ?? samples.count
        if at == samples.count || samples[at].time != time {
            samples.insert(OutOfOrderSample(time: time, value: value, histogram: histogram), at: at)
        }
        group.outOfOrder[id] = samples
    }
}
