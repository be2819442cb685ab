import JSON
import Model

/// Writes a native histogram in the format of the API.
enum HistogramWriter {
    static func write(_ histogram: FloatHistogram, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("count")
            writer.string(FloatText.api(histogram.count))
            writer.key("sum")
            writer.string(FloatText.api(histogram.sum))
            let buckets = histogram.ascendingBuckets().filter { $0.count != 0 }
            guard !buckets.isEmpty else { return }
            writer.key("buckets")
            writer.array { writer in
                for bucket in buckets {
                    writer.array { writer in
                        // 0 = (l,u], 1 = [l,u), 2 = (l,u), 3 = [l,u]
                        writer.integer(
                            bucket.lowerInclusive ? (bucket.upperInclusive ? 3 : 1) : (bucket.upperInclusive ? 0 : 2))
                        writer.string(FloatText.api(bucket.lower))
                        writer.string(FloatText.api(bucket.upper))
                        writer.string(FloatText.api(bucket.count))
                    }
                }
            }
        }
    }
}
