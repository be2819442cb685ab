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
