import Model

/// The annotations of a query; annotations with equal texts are merged at the last of their positions, as in
/// Prometheus.
final class Annotations {
    struct Annotation: Hashable {
        var text: String
        /// The position in the query's text; negative if there is none, which is shown as the beginning of the text.
        var offset: Int
        /// The repair, if the annotation is about buckets that were made monotonic; the repairs of equal texts are
        /// merged, too.
        var repair: BucketRepair?

        /// The key for merging: annotations with equal keys become one.
        fileprivate var key: Key { Key(text: ExactText(text), metric: repair.map { ExactText($0.metric) }) }
    }

    fileprivate struct Key: Hashable {
        var text: ExactText
        var metric: ExactText?
    }

    private var warnings: [Annotation] = []
    private var infos: [Annotation] = []
    private var seen: Set<Annotation> = []

    func warn(_ text: String, at range: TextRange) {
        let annotation = Annotation(text: text, offset: range.start)
        if seen.insert(annotation).inserted { warnings.append(annotation) }
    }

    func info(_ text: String, repair: BucketRepair? = nil, at range: TextRange) {
        let annotation = Annotation(text: text, offset: range.start, repair: repair)
        if seen.insert(annotation).inserted { infos.append(annotation) }
    }

    /// The number of annotations of each kind at one point of the evaluation.
    struct Count {
        fileprivate var warnings: Int
        fileprivate var infos: Int
    }

    var count: Count { Count(warnings: warnings.count, infos: infos.count) }

    /// Annotations that are repeated at another position.
    struct Excerpt {
        fileprivate var warnings: ArraySlice<Annotation> = []
        fileprivate var infos: ArraySlice<Annotation> = []
    }

    /// The annotations that were made after `count` was taken.
    func excerpt(since count: Count) -> Excerpt {
        Excerpt(warnings: warnings[count.warnings...], infos: infos[count.infos...])
    }

    /// Repeats annotations about a part of the query for an equal part at another range.
    func `repeat`(_ excerpt: Excerpt, from first: TextRange, at place: TextRange) {
        func moved(_ annotation: Annotation) -> TextRange {
            guard annotation.offset >= 0 else { return .nowhere }
            let offset = annotation.offset - first.start + place.start
            return TextRange(offset, offset)
        }
        for annotation in excerpt.warnings { warn(annotation.text, at: moved(annotation)) }
        for annotation in excerpt.infos { info(annotation.text, repair: annotation.repair, at: moved(annotation)) }
    }

    /// The texts of the annotations with prefix and position.
    func texts(query: String) -> (warnings: [String], infos: [String]) {
        if warnings.isEmpty, infos.isEmpty { return ([], []) }
        let bytes = Array(query.utf8)
        func full(_ prefix: String, _ annotations: [Annotation]) -> [String] {
            var repairs: [Key: BucketRepair] = [:]
            for annotation in annotations {
                guard let repair = annotation.repair else { continue }
                if repairs[annotation.key]?.add(repair) == nil { repairs[annotation.key] = repair }
            }
            var shown: Set<Key> = []
            return annotations.reversed().filter { shown.insert($0.key).inserted }.reversed().map { annotation in
                let (line, column) = TextRange.position(of: max(0, annotation.offset), in: bytes)
                let text = repairs[annotation.key]?.text(after: annotation.text) ?? annotation.text
                return "PromQL \(prefix): \(text) (\(line):\(column))"
            }
        }
        return (full("warning", warnings), full("info", infos))
    }
}
