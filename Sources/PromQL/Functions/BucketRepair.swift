import Glibc
import GoCompatibility
import Model

/// The details of the annotation that buckets were made monotonic.
struct BucketRepair: Hashable {
    private var fix: ClassicBuckets.Fix
    private var samples: Int
    /// The times of the first and the last step with a repair, ms.
    private var first: Int64
    private var last: Int64
    /// The name of the metric, or empty.
    let metric: String

    init(fix: ClassicBuckets.Fix, samples: Int, first: Int64, last: Int64, metric: String) {
        self.fix = fix
        self.samples = samples
        self.first = first
        self.last = last
        self.metric = metric
    }

    /// Adds the repairs of another part of the query.
    mutating func add(_ other: BucketRepair) {
        fix.widen(by: other.fix)
        samples &+= other.samples
        first = min(first, other.first)
        last = max(last, other.last)
    }

    /// The annotation, which begins with `start`.
    func text(after start: String) -> String {
        func time(_ milliseconds: Int64) -> String {
            RFC3339.text(milliseconds - (milliseconds % 1000 + 1000) % 1000)
        }
        var buffer = [CChar](repeating: 0, count: 64)
        withVaList([fix.difference]) { _ = vsnprintf(&buffer, buffer.count, "%.2g", $0) }
        let difference = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let about = metric.isEmpty ? "" : " for metric name \(GoQuote.quote(metric))"
        return start + ", from buckets \(FloatText.general(fix.lowest)) to \(FloatText.general(fix.highest))"
            + ", with a max diff of \(difference), over \(samples) samples from \(time(first)) to \(time(last))\(about)"
    }

    /// The number of samples in the annotation of 3.12 about repaired buckets.
    ///
    /// Its annotation is kept through all steps of a query, and is merged with itself at the end of each step. So the
    /// number doubles with each step and wraps as a 64-bit integer.
    static func samples(byStep counts: [Int]) -> Int {
        var merges: Int?
        for count in counts {
            let isKnown = merges != nil
            for _ in 0..<count { merges = merges.map { $0 &+ 1 } ?? 0 }
            if isKnown { merges = merges.map { $0 &* 2 &+ 1 } }
        }
        return merges.map { $0 &+ 1 } ?? 0
    }
}

extension Annotations {
    /// Adds the annotation about repaired buckets, with the number of histograms at each step.
    func infoOfRepair(
        _ fix: ClassicBuckets.Fix, _ byStep: [Int], _ grid: StepGrid, name: String, at range: TextRange
    ) {
        guard let first = byStep.firstIndex(where: { $0 > 0 }), let last = byStep.lastIndex(where: { $0 > 0 }) else {
            return
        }
        info(
            "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)",
            repair: BucketRepair(
                fix: fix, samples: BucketRepair.samples(byStep: byStep), first: grid.time(first), last: grid.time(last),
                metric: name),
            at: range)
    }
}
