import Glibc
import Model
import Platform

@testable import Storage

extension TimeSeriesStore {
    /// Writes a checkpoint as the maintenanceLock does.
    func checkpoint() throws { try maintenanceLock.withLock { try writeCheckpoint() } }

    /// Exchanges the index of labels as the maintenanceLock does.
    func compactLabels(evenFew: Bool = false) throws {
        try maintenanceLock.withLock { try head.compactLabels(evenFew: evenFew) }
    }

    /// What is broken in memory or in a file that no damage explains, or nil.
    func brokenInvariant(except blocks: inout Set<String>) -> String? {
        do { try checkInvariants(except: &blocks) } catch { return "\(error)" }
        return nil
    }

    /// What is broken in the head, whatever files are damaged, or nil.
    var brokenHead: String? {
        do {
            try head.checkInvariants()
            try head.checkLabels()
        } catch { return "\(error)" }
        return nil
    }

    /// What is broken, in all blocks, too.
    var brokenInvariant: String? {
        var blocks: Set<String> = []
        return brokenInvariant(except: &blocks)
    }
}

/// What a store should hold: bits by time by series.
struct StoreModel {
    var series: [Labels: [Int64: UInt64]] = [:]

    /// Compares everything a select gives between two times; returns what differs, or nil.
    ///
    /// - Parameter isDoubtful: Samples that may be there or not.
    func difference(
        _ store: TimeSeriesStore, from: Int64 = .min, to: Int64 = .max,
        isDoubtful: (Labels, Int64) -> Bool = { _, _ in false }
    ) throws -> String? {
        let set = try store.select(SelectRequest(matchers: [], minTime: from, maxTime: to))
        var columns = SampleColumns()
        var seen = 0
        for i in 0..<set.count {
            try set.read(i, into: &columns)
            let labels = set.labels(i)
            let wanted = (series[labels] ?? [:])
                .filter { $0.key >= from && $0.key <= to && !isDoubtful(labels, $0.key) }.sorted { $0.key < $1.key }
            let got = (0..<columns.count).map { (columns.timestamps[$0], columns.values[$0].bitPattern) }
                .filter { !isDoubtful(labels, $0.0) }
            if wanted.isEmpty, got.isEmpty { continue }
            seen += 1
            guard wanted.count == got.count else {
                return "\(labels): \(got.count) samples, expected \(wanted.count)"
            }
            for (a, b) in zip(wanted, got) where a.key != b.0 || a.value != b.1 {
                return "\(labels): \(b) where \(a) was expected"
            }
        }
        let expected = series.filter { labels, samples in
            samples.keys.contains { $0 >= from && $0 <= to && !isDoubtful(labels, $0) }
        }.count
        return seen == expected ? nil : "\(seen) series with samples, expected \(expected)"
    }
}
