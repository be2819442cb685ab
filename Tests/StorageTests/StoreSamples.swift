import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// A series as a store answers it, with its samples in the order of their times.
struct StoredSeries {
    let labels: Labels
    /// ms.
    let times: [Int64]
    /// The values of the times; NaN for a histogram.
    let values: [Double]
}

extension [StoredSeries] {
    /// The times of all series, one series after the other.
    var times: [Int64] { flatMap(\.times) }

    /// The values of all series by time.
    var valuesByTime: [Int64: Double] {
        reduce(into: [:]) { $0.merge(zip($1.times, $1.values)) { $1 } }
    }

    /// The times by the names of the series.
    var timesByName: [String: [Int64]] {
        reduce(into: [:]) { $0[$1.labels["__name__"] ?? "", default: []] += $1.times }
    }
}

extension TimeSeriesStore {
    /// A store in `data` that keeps all samples, and that runs maintenance only when its test calls for it.
    static func open(
        _ files: any FileSystem, _ clock: any Clock, _ change: (inout StoreOptions) -> Void = { _ in }
    ) throws -> TimeSeriesStore {
        var options = StoreOptions(directory: "data", retentionTime: 0, runsInBackground: false)
        change(&options)
        return try open(options: options, fileSystem: files, clock: clock)
    }

    /// The same with a clock that stands.
    static func open(
        _ files: any FileSystem, now: Int64, _ change: (inout StoreOptions) -> Void = { _ in }
    ) throws -> TimeSeriesStore {
        try open(files, ManualClock(now: now), change)
    }

    /// Stores a sample at each time in the series of a name, and expects that samples are refused for `refusals` only.
    ///
    /// - Parameters:
    ///   - group: The group of the series; nil for the group `g`.
    ///   - refusals: Reasons for which samples may be refused; nil for all.
    /// - Returns: The times of the samples that were not refused.
    @discardableResult
    func push(
        _ name: String, at times: [Int64], in group: SeriesGroup? = nil, durability: Durability = .written,
        refusals: Set<SampleRejection>? = [], value: (Int64) -> Double = { Double($0 % 1009) }
    ) throws -> [Int64] {
        let group = group ?? openGroup("g")
        var batch = SampleBatch()
        let ref = try resolve(Labels([("__name__", name)]), in: group)
        for time in times { batch.append(ref, value(time), at: time) }
        let rejected = try commit(batch, in: group, durability: durability).rejected
        let reasons = Set(rejected.map(\.reason))
        #expect(reasons.isSubset(of: refusals ?? reasons), "\(name)")
        let refused = Set(rejected.map(\.index))
        return times.indices.filter { !refused.contains($0) }.map { times[$0] }
    }

    /// Stores a sample of one time in each of the series `m{s="0"}`, `m{s="1"}` and so on of the group `g`.
    func push(series: Int, at time: Int64, durability: Durability = .written, value: (Int) -> Double) throws {
        let group = openGroup("g")
        var batch = SampleBatch(timestamp: time)
        for s in 0..<series {
            batch.append(try resolve(Labels([("__name__", "m"), ("s", "\(s)")]), in: group), value(s))
        }
        _ = try commit(batch, in: group, durability: durability)
    }

    /// The samples that a request selects, which are in order in each series.
    func stored(_ request: SelectRequest) throws -> [StoredSeries] {
        let set = try select(request)
        var columns = SampleColumns()
        return try (0..<set.count).map { index in
            try set.read(index, into: &columns)
            let times = Array(UnsafeBufferPointer(start: columns.timestamps, count: columns.count))
            let values = Array(UnsafeBufferPointer(start: columns.values, count: columns.count))
            #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 }, "\(set.labels(index))")
            return StoredSeries(labels: set.labels(index), times: times, values: values)
        }
    }

    /// The samples between two times of the series that match, or of all series.
    func stored(_ matchers: Matcher..., from: Int64 = .min, to: Int64 = .max) throws -> [StoredSeries] {
        try stored(SelectRequest(matchers: matchers, minTime: from, maxTime: to))
    }

    /// All samples of the series of a name.
    func stored(named name: String) throws -> [StoredSeries] { try stored(Matcher(name: "__name__", equals: name)) }
}
