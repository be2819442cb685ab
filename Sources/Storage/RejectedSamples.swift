import Model
import Synchronization

/// The samples that were not stored: counts since the start, and the last samples with both values.
final class RejectedSamples: Sendable {
    /// The number of last samples that are kept.
    static let kept = 100
    /// The most samples of one commit that are kept; the others are only counted.
    private static let detailed = 16

    /// The most bytes of the labels of one sample, and of a job's name; longer ones are cut.
    private static let longestLabels = 2048
    private static let longestJob = 256
    /// The most jobs that are counted by name, and the name for all others.
    private static let mostJobs = 1000
    private static let otherJobs = "others"

    private struct State {
        var last: [RejectedSample] = []
        var next = 0
        var counts: [ExactText: [SampleRejection: Int]] = [:]
    }

    private let state = Mutex(State())

    /// Notes the samples that a commit refused; needs the locks of its groups.
    func note(_ batch: borrowing SampleBatch, _ outcome: CommitOutcome, _ head: Head, group: String) {
        var samples: [RejectedSample] = []
        var counts: [SampleRejection: Int] = [:]
        for (index, reason) in outcome.rejected where reason != .unknownSeries {
            // Another target continues the series, so a refused stale marker is not an error.
            if batch.values[index].bitPattern == Staleness.bits { continue }
            counts[reason, default: 0] += 1
            guard samples.count < Self.detailed else { continue }
            let state = head.states[UInt32(truncatingIfNeeded: batch.refs[index].raw &- 1)]
            let isEmpty = state.lastTime == .min
            let labels = head.index.labels(record: state.labels)
            samples.append(
                RejectedSample(
                    labels: Self.cut(labels), job: Self.cut(labels["job"] ?? group, Self.longestJob), reason: reason,
                    time: batch.timestamps.count == batch.refs.count ? batch.timestamps[index] : batch.timestamp,
                    value: batch.values[index], newestTime: isEmpty ? nil : state.lastTime,
                    newestValue: isEmpty ? nil : state.lastValue))
        }
        guard let first = samples.first else { return }
        state.withLock { state in
            let own = ExactText(first.job)
            let isNamed = state.counts[own] != nil || state.counts.count < Self.mostJobs
            let job = isNamed ? own : ExactText(Self.otherJobs)
            for (reason, count) in counts { state.counts[job, default: [:]][reason, default: 0] += count }
            for sample in samples {
                if state.last.count < Self.kept { state.last.append(sample) } else { state.last[state.next] = sample }
                state.next = (state.next + 1) % Self.kept
            }
        }
    }

    private static func cut(_ text: String, _ limit: Int) -> String {
        text.utf8.count <= limit ? text : String(decoding: text.utf8.prefix(limit), as: UTF8.self) + "…"
    }

    /// The labels of a series, or the first of them, with values of a limited length, because 100 samples stay in
    /// memory.
    private static func cut(_ labels: Labels) -> Labels {
        guard labels.bytes.count > longestLabels else { return labels }
        var kept: [(String, String)] = []
        var size = 0
        for label in labels.pairs {
            let (name, value) = (cut(label.name, longestJob), cut(label.value, longestJob))
            size += name.utf8.count + value.utf8.count
            guard size <= longestLabels else { break }
            kept.append((name, value))
        }
        return Labels(kept)
    }

    /// The last refused samples, newest first.
    var last: [RejectedSample] {
        state.withLock { state in
            let at = state.last.count < Self.kept ? 0 : state.next
            return (state.last[at...] + state.last[..<at]).reversed()
        }
    }

    /// The numbers of refused samples, by job and reason.
    var counts: [(job: String, reason: SampleRejection, count: Int)] {
        state.withLock { state in
            state.counts.sorted { $0.key < $1.key }.flatMap { job, reasons in
                reasons.map { (job.text, $0.key, $0.value) }.sorted { $0.1.rawValue < $1.1.rawValue }
            }
        }
    }
}

extension TimeSeriesStore {
    /// The last samples that were not stored, newest first, at most 100.
    public var lastRejected: [RejectedSample] { rejected.last }

    /// The numbers of samples that were not stored since the start, by job and reason.
    public var rejectedCounts: [(job: String, reason: SampleRejection, count: Int)] { rejected.counts }
}
