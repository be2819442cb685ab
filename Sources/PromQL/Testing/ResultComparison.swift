import GoCompatibility
import Model

/// Compares results with the expectations of a test script, numbers within a millionth.
struct ResultComparison {
    struct Difference: Error, CustomStringConvertible {
        var description: String
    }

    /// One sample of a result.
    struct Point {
        var time: Int64
        var value: SeriesNotation.Value
    }

    // MARK: Numbers

    static let tolerance = 1e-6

    static func isClose(_ a: Double, _ b: Double) -> Bool {
        if Staleness.isMarker(a) || Staleness.isMarker(b) { return Staleness.isMarker(a) == Staleness.isMarker(b) }
        if a.isNaN, b.isNaN { return true }
        if a == b { return true }
        let sum = a.magnitude + b.magnitude
        let difference = (a - b).magnitude
        if a == 0 || b == 0 || sum < .leastNormalMagnitude { return difference < tolerance * .leastNormalMagnitude }
        return difference / min(sum, .greatestFiniteMagnitude) < tolerance
    }

    /// - Parameter knowsHint: Whether the hint must be unknown; otherwise any hint matches.
    static func isClose(_ expected: FloatHistogram, _ found: FloatHistogram, knowsHint: Bool = false) -> Bool {
        let (a, b) = (expected.compacted(), found.compacted())
        guard a.schema == b.schema, isClose(a.count, b.count), isClose(a.sum, b.sum),
            a.zeroThreshold == b.zeroThreshold, isClose(a.zeroCount, b.zeroCount), a.customBounds == b.customBounds,
            a.positiveSpans == b.positiveSpans, a.negativeSpans == b.negativeSpans,
            a.positiveBuckets.elementsEqual(b.positiveBuckets, by: { isClose($0, $1) }),
            a.negativeBuckets.elementsEqual(b.negativeBuckets, by: { isClose($0, $1) })
        else { return false }
        return (a.resetHint == .unknown && !knowsHint) || a.resetHint == b.resetHint
    }

    static func isClose(
        _ expected: SeriesNotation.Value, _ found: SeriesNotation.Value, knowsHint: Bool = false
    ) -> Bool {
        switch (expected, found) {
        case (.float(let a), .float(let b)): isClose(a, b)
        case (.histogram(let a), .histogram(let b)): isClose(a, b, knowsHint: knowsHint)
        default: false
        }
    }

    static func text(_ value: SeriesNotation.Value) -> String {
        switch value {
        case .float(let value): FloatText.general(value)
        case .histogram(let histogram): histogram.testNotation
        }
    }

    // MARK: Results

    static func compare(_ expectation: TestScript.Evaluation, _ result: QueryResult) throws {
        if let string = expectation.string {
            guard case .string(let found) = result.value, found == string else {
                throw Difference(description: "expected string \(GoQuote.quote(string)), got \(result.value)")
            }
            return
        }
        switch result.value {
        case .string(let found): throw Difference(description: "unexpected string \(GoQuote.quote(found))")
        case .scalar(let found): try compareScalar(expectation, found)
        case .vector(let columns):
            try compareVector(expectation, points(columns, result), isOrdered: expectation.isOrdered)
        case .matrix(let columns):
            try compareMatrix(expectation, points(columns, result), expectation.times)
        case .ranges(let ranges):
            guard let times = expectation.rangeVector else {
                throw Difference(description: "unexpected range vector of \(ranges.count) series")
            }
            try compareMatrix(expectation, ranges.map { ($0.labels, points($0)) }, times)
        }
    }

    /// Compares the column of the step `index` of a range query with an instant expectation.
    static func compareStep(_ expectation: TestScript.Evaluation, _ result: QueryResult, _ index: Int) throws {
        guard case .matrix(let columns) = result.value else {
            throw Difference(description: "a range query did not give a matrix")
        }
        let time = result.start + Int64(index) * result.step
        let vector = points(columns, result).compactMap { labels, points -> (Labels, [Point])? in
            let here = points.filter { $0.time == time }
            return here.isEmpty ? nil : (labels, here)
        }
        if expectation.scalar != nil {
            guard let only = vector.first?.1.first, vector.count == 1, case .float(let found) = only.value else {
                throw Difference(description: "expected one float, got \(vector.count) series")
            }
            try compareScalar(expectation, found)
        } else {
            try compareVector(expectation, vector, isOrdered: false)
        }
    }

    private static func compareScalar(_ expectation: TestScript.Evaluation, _ found: Double) throws {
        guard let expected = expectation.scalar else {
            throw Difference(description: "unexpected scalar \(FloatText.general(found))")
        }
        guard isClose(expected, found) else {
            throw Difference(
                description: "expected scalar \(FloatText.general(expected)), got \(FloatText.general(found))")
        }
    }

    private static func points(_ columns: [Column], _ result: QueryResult) -> [(Labels, [Point])] {
        columns.map { column in
            var points: [Point] = []
            for (index, value) in column.values.enumerated() where Column.isPresent(value) {
                let time = result.start + Int64(index) * result.step
                if Column.isHistogram(value), index < column.histograms.count, let box = column.histograms[index] {
                    points.append(Point(time: time, value: .histogram(box.histogram)))
                } else {
                    points.append(Point(time: time, value: .float(value)))
                }
            }
            return (column.labels, points)
        }
    }

    private static func points(_ series: RangeSeries) -> [Point] {
        var points = zip(series.timestamps, series.values).map { Point(time: $0, value: .float($1)) }
        for (index, histogram) in series.histograms where index < points.count {
            points[index].value = .histogram(histogram)
        }
        return points
    }

    private static func compareVector(
        _ expectation: TestScript.Evaluation, _ found: [(Labels, [Point])], isOrdered: Bool
    ) throws {
        if expectation.scalar != nil { throw Difference(description: "expected a scalar, got a vector") }
        var seen: Set<Labels> = []
        for (position, (labels, points)) in found.enumerated() {
            guard let point = points.first else { continue }
            guard let index = expectation.series.firstIndex(where: { $0.labels == labels }) else {
                throw Difference(description: "unexpected \(labels.metricDescription) with \(text(point.value))")
            }
            guard seen.insert(labels).inserted else {
                throw Difference(description: "\(labels.metricDescription) occurs twice")
            }
            if isOrdered, index != position {
                throw Difference(
                    description: "expected \(labels.metricDescription) at \(index), but it is at \(position)")
            }
            guard let first = expectation.series[index].values.first, let expected = first else {
                throw Difference(description: "\(labels.metricDescription) is expected without a value")
            }
            let knowsHint = expectation.seriesWithUnknownHints.contains(index)
            guard isClose(expected, point.value, knowsHint: knowsHint) else {
                throw Difference(
                    description:
                        "expected \(text(expected)) for \(labels.metricDescription), got \(text(point.value))")
            }
        }
        for (labels, _) in expectation.series where !seen.contains(labels) {
            throw Difference(description: "expected \(labels.metricDescription), which is missing")
        }
    }

    private static func compareMatrix(
        _ expectation: TestScript.Evaluation, _ found: [(Labels, [Point])], _ times: TestScript.Times
    ) throws {
        if expectation.scalar != nil { throw Difference(description: "expected a scalar, got a matrix") }
        if let (last, next) = zip(found, found.dropFirst()).first(where: { !($0.0 < $1.0) }) {
            throw Difference(
                description:
                    "\(next.0.metricDescription) stands behind \(last.0.metricDescription), so the result is not sorted"
            )
        }
        var seen: Set<Labels> = []
        for (labels, points) in found {
            guard let index = expectation.series.firstIndex(where: { $0.labels == labels }) else {
                let all = points.map { text($0.value) }.joined(separator: " ")
                throw Difference(description: "unexpected \(labels.metricDescription) with \(all)")
            }
            seen.insert(labels)
            let knowsHint = expectation.seriesWithUnknownHints.contains(index)
            var expected: [Point] = []
            for (place, value) in expectation.series[index].values.enumerated() {
                let time = times.start + Int64(place) * times.step
                guard time <= times.end else {
                    throw Difference(description: "\(labels.metricDescription) is expected with too many values")
                }
                if let value { expected.append(Point(time: time, value: value)) }
            }
            let isSame = expected.elementsEqual(points) {
                $0.time == $1.time && isClose($0.value, $1.value, knowsHint: knowsHint)
            }
            guard isSame else {
                func show(_ points: [Point]) -> String {
                    points.map { "\(text($0.value))@\($0.time)" }.joined(separator: " ")
                }
                throw Difference(
                    description:
                        "expected \(show(expected)) for \(labels.metricDescription), got \(show(points))")
            }
        }
        for (labels, _) in expectation.series where !seen.contains(labels) {
            throw Difference(description: "expected \(labels.metricDescription), which is missing")
        }
    }
}
