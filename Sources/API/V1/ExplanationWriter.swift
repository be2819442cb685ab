import JSON
import Model
import PromQL

/// Writes the explanation of a query, node by node, as `explain` in an answer.
enum ExplanationWriter {
    static func write(_ node: QueryExplanation.Node, to writer: inout JSONWriter) {
        writer.object { writer in
            func text(_ name: String, _ value: String) {
                writer.key(name)
                writer.string(value)
            }
            text("node", node.kind)
            text("text", node.text)
            text("position", "\(node.line):\(node.column)")
            writer.key("notes")
            writer.array { writer in for note in node.notes { writer.string(note) } }
            if let figures = node.figures {
                writer.key("analysis")
                write(figures, to: &writer)
            }
            writer.key("children")
            writer.array { writer in for child in node.children { write(child, to: &writer) } }
        }
    }

    private static func write(_ figures: QueryExplanation.Figures, to writer: inout JSONWriter) {
        writer.object { writer in
            for (name, seconds) in [
                ("ownTime", figures.ownTime), ("totalTime", figures.totalTime), ("helperTime", figures.workerTime),
            ] {
                writer.key(name)
                writer.number(seconds)
            }
            for (name, count) in [
                ("evaluations", figures.evaluations), ("series", figures.series), ("points", figures.points),
                ("samples", figures.samples), ("chunks", figures.read.chunks), ("bytesRead", figures.read.bytes),
                ("cacheHits", figures.read.cacheHits), ("cacheMisses", figures.read.cacheMisses),
                ("peakMemory", figures.peakMemory),
            ] {
                writer.key(name)
                writer.integer(count)
            }
        }
    }
}
