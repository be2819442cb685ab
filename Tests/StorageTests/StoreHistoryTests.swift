import Foundation
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// Random lives of a store beside a dictionary: floats, histograms, markers, samples out of order, deletions, maintenanceLock,
/// snapshots, kills and restarts.
@Suite struct StoreHistoryTests {
    private static let window: Int64 = 1_200_000

    /// What identifies a value: the bits of a float, or the bytes of a histogram.
    private enum Value: Hashable {
        case float(UInt64)
        case histogram([UInt8])

        init(_ histogram: FloatHistogram) {
            var bytes: [UInt8] = []
            // What is known of resets depends on the neighbours, which chunks may cut apart.
            var plain = histogram
            plain.resetHint = .unknown
            HistogramBytes.append(plain, to: &bytes)
            self = .histogram(bytes)
        }
    }

    private struct Series {
        let labels: Labels
        let isHistogram: Bool
        /// How often samples say that the counter began at another time: never, seldom, always.
        let newStarts: Double
        var start: Int64 = 0
        var samples: [Int64: Value] = [:]
        var starts: [Int64: Int64] = [:]
        var newest = Int64.min
    }

    private struct History {
        var random: SeededRandom
        let files = FaultyFileSystem()
        var series: [Series] = []
        var now: Int64 = 1_700_000_000_000
        var store: TimeSeriesStore
        var newest: Int64 = .min
        let failsSyncs: Bool

        init(seed: Int) throws {
            random = SeededRandom(seed: UInt64(seed))
            store = try Self.open(files)
            failsSyncs = seed % 2 == 1
            for s in 0..<Int.random(in: 2...7, using: &random) {
                series.append(
                    Series(
                        labels: TimeSeriesStoreTests.labels(["__name__": "m\(s % 2)", "s": "\(s)"]),
                        isHistogram: Int.random(in: 0..<4, using: &random) == 0,
                        newStarts: [0, 0, 0.05, 1][Int.random(in: 0..<4, using: &random)]))
            }
        }

        static func open(_ files: FaultyFileSystem) throws -> TimeSeriesStore {
            try .open(files, now: 1_800_000_000_000) {
                ($0.blockDuration, $0.outOfOrderWindow) = (600_000, window)
                ($0.walSegmentSize, $0.shortestPackedFrame) = (4096, 64)
            }
        }

        mutating func histogram() -> FloatHistogram {
            let count = Int.random(in: 0...4, using: &random)
            let buckets = (0..<count).map { _ in Double(Int.random(in: 0...9, using: &random)) / 2 }
            return FloatHistogram(
                schema: Int32.random(in: -2...3, using: &random), zeroThreshold: 0.01, zeroCount: 1,
                count: buckets.reduce(1, +), sum: Double.random(in: -5...5, using: &random),
                positiveSpans: count > 0
                    ? [.init(offset: Int32.random(in: -3...3, using: &random), length: UInt32(count))] : [],
                positiveBuckets: buckets)
        }

        /// Appends one sample, in order or not.
        mutating func append(_ s: Int, _ time: Int64, _ batch: inout SampleBatch, _ ref: SeriesRef) {
            let isMarker = Int.random(in: 0..<25, using: &random) == 0
            if series[s].isHistogram, !isMarker {
                let value = histogram()
                batch.append(ref, value, at: time)
                series[s].samples[time] = Value(value)
            } else {
                let value = isMarker ? Staleness.marker : TimeSeriesStoreTests.value(s, &random, nil)
                batch.append(ref, value, at: time)
                series[s].samples[time] = .float(value.bitPattern)
            }
            series[s].starts[time] = nil
            // A marker says nothing of when anything began, and nothing is said of it.
            guard series[s].samples[time] != .float(Staleness.marker.bitPattern) else { return }
            if Double.random(in: 0..<1, using: &random) < series[s].newStarts {
                series[s].start =
                    Int.random(in: 0..<4, using: &random) == 0
                    ? 0 : time - Int64.random(in: -5...99_999, using: &random)
            }
            batch.setStart(series[s].start)
            series[s].starts[time] = series[s].start
        }

        /// Lets syncs fail at random from now on; in every second history.
        mutating func failSyncs() {
            if failsSyncs { files.failSyncs(oneIn: 5, seed: random.next()) }
        }

        /// Does what a failing sync may refuse, until it is done.
        func insist<R>(_ body: () throws -> R) throws -> R {
            for _ in 0..<20 {
                if let result = try? body() { return result }
                store.runMaintenance()
            }
            files.heal()
            store.runMaintenance()
            return try body()
        }

        /// Ends the store, or loses the process in trying, and opens it again.
        mutating func restart(closes: Bool) throws {
            if closes, failsSyncs {
                do { try store.close() } catch { store.abandon() }
            } else if closes {
                try store.close()
            } else {
                store.abandon()
            }
            files.heal()
            store = try Self.open(files)
            failSyncs()
        }

        mutating func appendMany() throws {
            let group = store.openGroup("g\(Int.random(in: 0..<2, using: &random))")
            let refs = try series.map { try store.resolve($0.labels, in: group) }
            for _ in 0..<Int.random(in: 1...40, using: &random) {
                now += Int64.random(in: 1...20_000, using: &random)
                var batch = SampleBatch()
                for s in series.indices where Int.random(in: 0..<6, using: &random) > 0 {
                    append(s, now, &batch, refs[s])
                    series[s].newest = now
                }
                newest = max(newest, now)
                let outcome = try insist { try store.commit(batch, in: group, durability: .written) }
                #expect(outcome.rejected.isEmpty)
            }
            guard Bool.random(using: &random) else { return }
            var batch = SampleBatch()
            for s in series.indices where series[s].newest > .min {
                let time = newest - Int64.random(in: 1..<(window - 1000), using: &random)
                guard series[s].samples[time] == nil, time < series[s].newest else { continue }
                append(s, time, &batch, refs[s])
            }
            if batch.count > 0 {
                let outcome = try insist { try store.commit(batch, in: group, durability: .written) }
                #expect(outcome.rejected.isEmpty)
            }
            // What is too old or there already changes nothing.
            var refused = SampleBatch()
            for s in series.indices where series[s].newest > .min && !series[s].isHistogram {
                refused.append(refs[s], 99.75, at: series[s].newest - 10 * window)
            }
            if refused.count > 0 {
                #expect(try insist { try store.commit(refused, in: group, durability: .written) }.appended == 0)
            }
        }

        mutating func delete() throws {
            guard newest > .min else { return }
            let from = newest - Int64.random(in: 0...3_000_000, using: &random)
            let to = min(newest, from + Int64.random(in: 0...1_500_000, using: &random))
            let all = Bool.random(using: &random)
            let s = Int.random(in: 0..<series.count, using: &random)
            _ = try insist {
                try store.deleteSeries(
                    [all ? Matcher(name: "__name__", equals: "m1") : Matcher(name: "s", equals: "\(s)")],
                    minTime: from, maxTime: to)
            }
            for i in series.indices where all ? i % 2 == 1 : i == s {
                series[i].samples = series[i].samples.filter { !(from...to).contains($0.key) }
            }
        }

        /// What differs from the model between two times, or nil.
        func difference(_ from: Int64, _ to: Int64) throws -> String? {
            let set = try store.select(SelectRequest(matchers: [], minTime: from, maxTime: to))
            var columns = SampleColumns()
            var wanted: [Labels: [(key: Int64, value: Value)]] = [:]
            for series in series {
                let samples = series.samples.filter { $0.key >= from && $0.key <= to }
                if !samples.isEmpty { wanted[series.labels] = samples.sorted { $0.key < $1.key } }
            }
            for i in 0..<set.count {
                try set.read(i, into: &columns)
                if columns.count == 0 { continue }
                var got = (0..<columns.count).map {
                    (key: columns.timestamps[$0], value: Value.float(columns.values[$0].bitPattern))
                }
                for entry in columns.histograms {
                    // A marker among histograms is a marker in either form.
                    got[entry.index].value =
                        Staleness.isMarker(entry.histogram.sum)
                        ? .float(Staleness.marker.bitPattern) : Value(entry.histogram)
                }
                let labels = set.labels(i)
                guard let expected = wanted.removeValue(forKey: labels) else { return "\(labels): not expected" }
                guard expected.map(\.key) == got.map(\.key) else {
                    return "\(labels): times \(got.map(\.key)) where \(expected.map(\.key)) were expected"
                }
                let starts = series.first { $0.labels == labels }?.starts ?? [:]
                for (time, start) in starts where expected.contains(where: { $0.key == time }) {
                    guard columns.starts.start(at: time) != start else { continue }
                    return "\(labels) at \(time): began at \(columns.starts.start(at: time)), not at \(start)"
                }
                for (a, b) in zip(expected, got) where a.value != b.value {
                    return "\(labels) at \(a.key): \(b.value) where \(a.value) was expected"
                }
            }
            return wanted.isEmpty ? nil : "missing: \(wanted.keys)"
        }

        /// What the newest sample of each series is at a time, as an instant query asks.
        func newestDiffers(_ from: Int64, _ to: Int64) throws -> String? {
            let set = try store.select(SelectRequest(matchers: [], minTime: from, maxTime: to, newestOnly: true))
            var columns = SampleColumns()
            var seen: [Labels: Int64] = [:]
            for i in 0..<set.count {
                try set.read(i, into: &columns)
                if columns.count > 0 { seen[set.labels(i)] = columns.timestamps[columns.count - 1] }
            }
            for series in series {
                let wanted = series.samples.keys.filter { $0 >= from && $0 <= to }.max()
                if seen[series.labels] != wanted {
                    return "\(series.labels): newest at \(seen[series.labels] ?? -1), expected \(wanted ?? -1)"
                }
            }
            return nil
        }
    }

    /// How many histories each part takes; `MARTLET_HISTORIES` asks for more.
    private static let histories = Int(ProcessInfo.processInfo.environment["MARTLET_HISTORIES"] ?? "") ?? 130

    @Test(arguments: 0..<8) func `Random histories equal a dictionary`(_ part: Int) throws {
        for seed in (part * Self.histories)..<((part + 1) * Self.histories) {
            var history = try History(seed: seed)
            var blocks: Set<String> = []
            history.failSyncs()
            for step in 0..<Int.random(in: 3...12, using: &history.random) {
                switch Int.random(in: 0..<10, using: &history.random) {
                case 0...4: try history.appendMany()
                case 5: history.store.runMaintenance()
                case 6: try history.delete()
                case 7:
                    do { _ = try history.store.snapshot() } catch { if !history.failsSyncs { throw error } }
                case 8: try history.restart(closes: true)
                default: try history.restart(closes: false)
                }
                let (now, random) = (history.now, Int64.random(in: 0...4_000_000, using: &history.random))
                let all = try history.difference(.min, .max)
                let some = try history.difference(now - random, now - random / 2)
                let newest = try history.newestDiffers(now - random, step % 2 == 0 ? now : now - random / 3)
                let broken = history.store.brokenInvariant(except: &blocks)
                guard all == nil, some == nil, newest == nil, broken == nil else {
                    Issue.record("seed \(seed), step \(step): \(all ?? some ?? newest ?? broken ?? "")")
                    break
                }
            }
            history.files.heal()
            try history.store.close()
        }
    }
}
