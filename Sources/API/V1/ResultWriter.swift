import JSON
import Model
import Platform
import PromQL

/// Writes query results in the format of the API.
enum ResultWriter {
    /// Writes `resultType`, `result` and, if requested, `stats` and `explain`.
    static func write(
        _ result: QueryResult, limit: Int, showsStatistics: Bool, workers: Workers, to writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.key("resultType")
            switch result.value {
            case .scalar(let value):
                writer.string("scalar")
                writer.key("result")
                writer.array { writer in
                    // Here, and for strings, Prometheus writes only the necessary digits of the time.
                    writer.number(Double(result.start) / 1000)
                    // Scalars have no exponents.
                    writer.string(FloatText.fixed(value))
                }
            case .string(let text):
                writer.string("string")
                writer.key("result")
                writer.array { writer in
                    writer.number(Double(result.start) / 1000)
                    writer.string(text)
                }
            case .vector(let columns):
                writer.string("vector")
                writer.key("result")
                writer.array { writer in
                    for column in bounded(columns, limit) { vectorElement(column, result.start, &writer) }
                }
            case .matrix(let columns):
                writer.string("matrix")
                writer.key("result")
                writer.array { writer in matrix(bounded(columns, limit), result, workers, &writer) }
            case .ranges(let series):
                writer.string("matrix")
                writer.key("result")
                writer.array { writer in
                    for one in bounded(series, limit) { ranges(one, &writer) }
                }
            }
            if showsStatistics {
                writer.key("stats")
                var statistics = result.statistics
                // At the end the result itself is in memory.
                statistics.peakSamples = max(statistics.peakSamples, samples(result.value))
                StatisticsWriter.write(statistics, start: result.start, step: result.step, to: &writer)
            }
            if let explanation = result.explanation {
                writer.key("explain")
                ExplanationWriter.write(explanation.root, to: &writer)
            }
        }
    }

    /// The number of samples of a result.
    private static func samples(_ value: QueryValue) -> Int {
        switch value {
        case .scalar, .string: 1
        case .vector(let columns), .matrix(let columns):
            columns.reduce(0) { sum, column in
                column.histograms.reduce(sum + column.values.count { Column.isPresent($0) }) {
                    $0 + ($1.map { $0.histogram.sampleCost - 1 } ?? 0)
                }
            }
        case .ranges(let series):
            series.reduce(0) { sum, one in
                one.histograms.reduce(sum + one.values.count) { $0 + $1.histogram.sampleCost - 1 }
            }
        }
    }

    /// The bytes of a point, unless nearly all of its numbers are long.
    static let bytesPerPoint = 32

    /// The approximate bytes of a result, rather too many than too few.
    static func size(_ value: QueryValue, limit: Int) -> Int {
        func series(_ labels: Labels, _ points: Int, _ histograms: Int) -> Int {
            128 + labels.bytes.count * 2 + points * bytesPerPoint + histograms
        }
        func histogram(_ box: HistogramBox?) -> Int {
            guard let histogram = box?.histogram else { return 0 }
            return 128 + 96 * (histogram.positiveBuckets.count + histogram.negativeBuckets.count + 1)
        }
        switch value {
        case .scalar: return 512
        case .string(let text): return 512 + text.utf8.count * 6
        case .vector(let columns), .matrix(let columns):
            return bounded(columns, limit).reduce(512) { sum, column in
                sum + series(column.labels, column.values.count, column.histograms.reduce(0) { $0 + histogram($1) })
            }
        case .ranges(let all):
            return bounded(all, limit).reduce(512) { sum, one in
                sum + series(one.labels, one.values.count, one.histograms.count * 512)
            }
        }
    }

    /// The number of series of a result.
    static func count(_ value: QueryValue) -> Int {
        switch value {
        case .scalar, .string: 0
        case .vector(let columns), .matrix(let columns): columns.count
        case .ranges(let series): series.count
        }
    }

    private static func bounded<T>(_ all: [T], _ limit: Int) -> ArraySlice<T> {
        limit > 0 ? all.prefix(limit) : all[...]
    }

    /// A time in seconds, with milliseconds if there are any.
    static func time(_ milliseconds: Int64, _ writer: inout JSONWriter) {
        writeRaw(&writer) { PointText.writeTime(milliseconds, to: $0) }
    }

    private static func point(_ milliseconds: Int64, _ value: Double, _ writer: inout JSONWriter) {
        writeRaw(&writer) { target in
            let start = PointText.writeStart(milliseconds, to: target)
            return start + PointText.writeValue(value, to: target + start)
        }
    }

    private static func writeRaw(_ writer: inout JSONWriter, _ write: (UnsafeMutablePointer<UInt8>) -> Int) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: PointText.maxLength) { buffer in
            guard let base = buffer.baseAddress else { return }
            writer.raw(UnsafeBufferPointer(start: base, count: write(base)))
        }
    }

    /// A label set as an object.
    static func labels(_ labels: Labels, _ writer: inout JSONWriter) {
        writer.object { writer in
            labels.forEachBytes { name, value in writer.member(name, value) }
        }
    }

    private static func vectorElement(_ column: Column, _ milliseconds: Int64, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("metric")
            labels(column.labels, &writer)
            if let box = column.histograms.first ?? nil, Column.isHistogram(column.values[0]) {
                writer.key("histogram")
                histogramPoint(milliseconds, box.histogram, &writer)
            } else {
                writer.key("value")
                point(milliseconds, column.values[0], &writer)
            }
        }
    }

    /// Writes the series of a matrix, on several threads if there are many points.
    private static func matrix(
        _ columns: ArraySlice<Column>, _ result: QueryResult, _ workers: Workers, _ writer: inout JSONWriter
    ) {
        let texts = StepTexts(start: result.start, step: result.step, count: result.steps)
        let size = max(1, 8192 / max(1, result.steps))
        let parts = (columns.count + size - 1) / size
        guard parts >= 4 else {
            for column in columns { series(column, result, texts, &writer) }
            return
        }
        workers.enter()
        defer { workers.leave() }
        let made = workers.map(parts) { part in
            let own = columns.dropFirst(part * size).prefix(size)
            var writer = JSONWriter(capacity: own.count * (result.steps * 30 + 256))
            writer.array { writer in
                for column in own { series(column, result, texts, &writer) }
            }
            return writer.bytes
        }
        // The parts without their brackets form one list.
        for bytes in made { writer.raw(bytes[1..<(bytes.count - 1)]) }
    }

    private static func series(
        _ column: Column, _ result: QueryResult, _ texts: StepTexts, _ writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.key("metric")
            labels(column.labels, &writer)
            if column.values.contains(where: Column.isFloat) {
                writer.key("values")
                writer.array { writer in texts.write(column.values, &writer) }
            }
            guard !column.histograms.isEmpty, column.values.contains(where: Column.isHistogram) else { return }
            writer.key("histograms")
            writer.array { writer in
                for (index, box) in column.histograms.enumerated() {
                    guard let box, Column.isHistogram(column.values[index]) else { continue }
                    histogramPoint(result.start &+ Int64(index) &* result.step, box.histogram, &writer)
                }
            }
        }
    }

    private static func ranges(_ series: RangeSeries, _ writer: inout JSONWriter) {
        let histograms = Set(series.histograms.map(\.index))
        writer.object { writer in
            writer.key("metric")
            labels(series.labels, &writer)
            if histograms.count < series.values.count {
                writer.key("values")
                writer.array { writer in
                    for i in series.values.indices where !histograms.contains(i) {
                        point(series.timestamps[i], series.values[i], &writer)
                    }
                }
            }
            guard !histograms.isEmpty else { return }
            writer.key("histograms")
            writer.array { writer in
                for entry in series.histograms {
                    histogramPoint(series.timestamps[entry.index], entry.histogram, &writer)
                }
            }
        }
    }

    private static func histogramPoint(_ milliseconds: Int64, _ histogram: FloatHistogram, _ writer: inout JSONWriter) {
        writer.array { writer in
            time(milliseconds, &writer)
            HistogramWriter.write(histogram, &writer)
        }
    }
}
