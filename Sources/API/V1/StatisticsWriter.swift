import JSON
import PromQL

/// Writes the statistics of a query, as `stats` in an answer and in the query log.
enum StatisticsWriter {
    /// - Parameters:
    ///   - start: The first step, ms.
    ///   - step: The interval of the steps, ms.
    static func write(_ s: QueryStatistics, start: Int64, step: Int64, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("timings")
            writer.object { writer in
                let total = s.preparationTime + s.evaluationTime
                let times = [
                    ("evalTotalTime", total), ("resultSortTime", 0), ("queryPreparationTime", s.preparationTime),
                    ("innerEvalTime", s.evaluationTime), ("execQueueTime", s.queueTime),
                    ("execTotalTime", s.queueTime + total),
                ]
                for (name, seconds) in times {
                    writer.key(name)
                    writer.number(seconds)
                }
            }
            writer.key("samples")
            writer.object { writer in
                perStep("totalQueryableSamplesPerStep", s.samplesPerStep, start, step, &writer)
                writer.key("totalQueryableSamples")
                writer.integer(s.totalSamples)
                perStep("samplesReadPerStep", s.samplesReadPerStep, start, step, &writer)
                writer.key("samplesRead")
                writer.integer(s.samplesRead)
                writer.key("peakSamples")
                writer.integer(s.peakSamples)
            }
        }
    }

    /// The counts by step, if there are any.
    private static func perStep(
        _ name: String, _ counts: [Int]?, _ start: Int64, _ step: Int64, _ writer: inout JSONWriter
    ) {
        guard let counts else { return }
        writer.key(name)
        writer.array { writer in
            for (index, count) in counts.enumerated() {
                writer.array { writer in
                    ResultWriter.time(start &+ Int64(index) &* step, &writer)
                    writer.integer(count)
                }
            }
        }
    }
}
