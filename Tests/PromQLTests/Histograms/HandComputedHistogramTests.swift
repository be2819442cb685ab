import Model
import TestSupport
import Testing

@testable import PromQL

/// The values of the script about native histograms are computed by hand: the slow evaluator, which other tests
/// compare the engine with, must give them too.
@Suite("Native histograms against values computed by hand")
struct HandComputedHistogramTests {
    /// The series of the commands so far.
    private static func add(_ load: TestScript.Load, to series: inout [ArraySource.Series]) {
        for (labels, values) in load.series {
            var one = ArraySource.Series(labels: labels, samples: [])
            for (index, value) in values.enumerated() {
                switch value {
                case .float(let number)?: one.samples.append((Int64(index) * load.gap, number))
                case .histogram(let histogram)?: one.histograms.append((Int64(index) * load.gap, histogram))
                case nil: break
                }
            }
            series.append(one)
        }
    }

    /// How a value differs from the expected one; nil if it does not.
    private static func difference(_ value: SlowValue, _ expected: SeriesNotation.Value) -> String? {
        switch (value, expected) {
        case (.float(let a), .float(let b)):
            return SlowHistogram.isClose(a, b, 1e-3) ? nil : "\(a), expected \(b)"
        case (.histogram(let a), .histogram(let histogram)):
            let b = SlowHistogram(histogram)
            guard SlowHistogram.isClose(a.count, b.count), SlowHistogram.isClose(a.sum, b.sum) else {
                return "count \(a.count) and sum \(a.sum), expected \(b.count) and \(b.sum)"
            }
            let (x, y) = (a.buckets.filter { $0.count != 0 }, b.buckets.filter { $0.count != 0 })
            let isEqual = x.elementsEqual(y) { p, q in
                [(p.lower, q.lower), (p.upper, q.upper), (p.count, q.count)]
                    .allSatisfy { SlowHistogram.isClose($0, $1) }
            }
            return isEqual ? nil : "buckets \(x), expected \(y)"
        default: return "\(value), expected \(expected)"
        }
    }

    @Test("the slow evaluator gives the values of the script")
    func compare() throws {
        let text = try OwnScriptTests.text("native_histograms.test")
        let lookback = PromQLTestRunner.options.lookbackDelta
        var (series, compared): ([ArraySource.Series], [String: Int]) = ([], [:])
        var total = 0
        for (line, command) in try TestScript(text).commands {
            switch command {
            case .clear: series = []
            case .load(let load): Self.add(load, to: &series)
            case .evaluate(let evaluation):
                let time = evaluation.times.start
                let parsed = try PromQLParser.parse(evaluation.query, options: .all)
                let preparation = Preparation(
                    grid: StepGrid(start: time, step: 1, count: 1), end: time, isInstant: true,
                    text: Array(evaluation.query.utf8))
                let slow = SlowEvaluator(source: ArraySource(series), lookback: lookback)
                guard evaluation.scalar == nil, evaluation.failure == nil,
                    let vector = try? slow.vector(try preparation.prepare(parsed), time)
                else { continue }
                total += 1
                for part in Set(OwnScriptTests.parts(parsed)) { compared[part, default: 0] += 1 }
                #expect(vector.count == evaluation.series.count, "line \(line): \(vector)")
                for (labels, values) in evaluation.series {
                    let value = try #require(vector.first { $0.labels == labels }?.value, "line \(line)")
                    let expected = try #require(values.first ?? nil)
                    let difference = Self.difference(value, expected)
                    #expect(difference == nil, "line \(line): \(difference ?? "")")
                }
            }
        }
        let wanted = [
            "histogram_count", "histogram_sum", "histogram_avg", "histogram_stddev", "histogram_stdvar",
            "histogram_quantile", "histogram_quantiles", "histogram_fraction", "rate", "increase", "delta", "irate",
            "idelta", "resets", "changes", "sum_over_time", "avg_over_time", "count_over_time", "first_over_time",
            "last_over_time", "present_over_time", "sum", "avg", "count", "group", "+", "-", "*", "/", "==", "!=", "</",
            ">/",
        ]
        #expect(wanted.filter { compared[$0] == nil } == [], "not compared with the slow evaluator")
        #expect(total >= 80)
    }
}
