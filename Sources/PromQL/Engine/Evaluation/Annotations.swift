import Model

/// The annotations of a query; those of one text are one, at the last place that it is about, as in Prometheus.
final class Annotations {
    struct Annotation: Hashable {
        var text: String
        /// Negative if it has no place in the text; it is shown at the beginning then.
        var offset: Int
        /// Set if the annotation is about buckets that were made monotonic: several of one text are one.
        var repair: BucketRepair?

        /// Annotations with the same key are one.
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

    /// The annotations made so far.
    struct Count {
        fileprivate var warnings: Int
        fileprivate var infos: Int
    }

    var count: Count { Count(warnings: warnings.count, infos: infos.count) }

    /// Some annotations, to be made again elsewhere.
    struct Excerpt {
        fileprivate var warnings: ArraySlice<Annotation> = []
        fileprivate var infos: ArraySlice<Annotation> = []
    }

    func excerpt(since count: Count) -> Excerpt {
        Excerpt(warnings: warnings[count.warnings...], infos: infos[count.infos...])
    }

    /// Makes annotations about a part of the query again, at the same part in another place.
    func `repeat`(_ excerpt: Excerpt, from first: TextRange, at place: TextRange) {
        func moved(_ annotation: Annotation) -> TextRange {
            guard annotation.offset >= 0 else { return .nowhere }
            let offset = annotation.offset - first.start + place.start
            return TextRange(offset, offset)
        }
        for annotation in excerpt.warnings { warn(annotation.text, at: moved(annotation)) }
        for annotation in excerpt.infos { info(annotation.text, repair: annotation.repair, at: moved(annotation)) }
    }

    /// The texts with prefix and position.
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
