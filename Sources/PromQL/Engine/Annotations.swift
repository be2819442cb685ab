import Model

/// Remarks about a query's data; the same text is said once, as Prometheus does, about the last place that it is about.
final class Annotations {
    struct Remark: Hashable {
        var text: String
        /// Negative if it has no place in the text; it is shown at the beginning then.
        var offset: Int
        /// Set if the remark is about buckets that were mended: several of one text are one.
        var mending: BucketMending?

        /// Remarks with the same key are one.
        fileprivate var key: Key { Key(text: ExactText(text), metric: mending.map { ExactText($0.metric) }) }
    }

    fileprivate struct Key: Hashable {
        var text: ExactText
        var metric: ExactText?
    }

    private var warnings: [Remark] = []
    private var infos: [Remark] = []
    private var seen: Set<Remark> = []

    func warn(_ text: String, at range: TextRange) {
        let remark = Remark(text: text, offset: range.start)
        if seen.insert(remark).inserted { warnings.append(remark) }
    }

    func info(_ text: String, mending: BucketMending? = nil, at range: TextRange) {
        let remark = Remark(text: text, offset: range.start, mending: mending)
        if seen.insert(remark).inserted { infos.append(remark) }
    }

    /// The remarks made so far.
    struct Count {
        fileprivate var warnings: Int
        fileprivate var infos: Int
    }

    var count: Count { Count(warnings: warnings.count, infos: infos.count) }

    /// Some remarks, to be made again elsewhere.
    struct Excerpt {
        fileprivate var warnings: ArraySlice<Remark> = []
        fileprivate var infos: ArraySlice<Remark> = []
    }

    func excerpt(since count: Count) -> Excerpt {
        Excerpt(warnings: warnings[count.warnings...], infos: infos[count.infos...])
    }

    /// Makes remarks about a part of the query again, at the same part in another place.
    func `repeat`(_ excerpt: Excerpt, from first: TextRange, at place: TextRange) {
        func moved(_ remark: Remark) -> TextRange {
            guard remark.offset >= 0 else { return .nowhere }
            let offset = remark.offset - first.start + place.start
            return TextRange(offset, offset)
        }
        for remark in excerpt.warnings { warn(remark.text, at: moved(remark)) }
        for remark in excerpt.infos { info(remark.text, mending: remark.mending, at: moved(remark)) }
    }

    /// The texts with prefix and position.
    func texts(query: String) -> (warnings: [String], infos: [String]) {
        if warnings.isEmpty, infos.isEmpty { return ([], []) }
        let bytes = Array(query.utf8)
        func full(_ prefix: String, _ remarks: [Remark]) -> [String] {
            var mendings: [Key: BucketMending] = [:]
            for remark in remarks {
                guard let mending = remark.mending else { continue }
                if mendings[remark.key]?.add(mending) == nil { mendings[remark.key] = mending }
            }
            var said: Set<Key> = []
            return remarks.reversed().filter { said.insert($0.key).inserted }.reversed().map { remark in
                let (line, column) = TextRange.position(of: max(0, remark.offset), in: bytes)
                let text = mendings[remark.key]?.text(behind: remark.text) ?? remark.text
                return "PromQL \(prefix): \(text) (\(line):\(column))"
            }
        }
        return (full("warning", warnings), full("info", infos))
    }
}
