import Model

/// Remarks about a query's data; equal ones are kept once.
final class Annotations {
    struct Remark: Hashable {
        var text: String
        var offset: Int
    }

    private var warnings: [Remark] = []
    private var infos: [Remark] = []
    private var seen: Set<Remark> = []

    func warn(_ text: String, at range: TextRange) {
        let remark = Remark(text: text, offset: range.start)
        if seen.insert(remark).inserted { warnings.append(remark) }
    }

    func info(_ text: String, at range: TextRange) {
        let remark = Remark(text: text, offset: range.start)
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
            let offset = remark.offset - first.start + place.start
            return TextRange(offset, offset)
        }
        for remark in excerpt.warnings { warn(remark.text, at: moved(remark)) }
        for remark in excerpt.infos { info(remark.text, at: moved(remark)) }
    }

    /// The texts with prefix and position.
    func texts(query: String) -> (warnings: [String], infos: [String]) {
        if warnings.isEmpty, infos.isEmpty { return ([], []) }
        let bytes = Array(query.utf8)
        func full(_ prefix: String, _ remark: Remark) -> String {
            let (line, column) = TextRange.position(of: remark.offset, in: bytes)
            return "PromQL \(prefix): \(remark.text) (\(line):\(column))"
        }
        return (warnings.map { full("warning", $0) }, infos.map { full("info", $0) })
    }
}
