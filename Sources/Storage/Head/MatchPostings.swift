import Model

extension LabelIndex {
    /// Ids of the series that all matchers accept, ascending, dead ones included; `all` gives every id that lives.
    func match(_ matchers: [Matcher], all: () -> [UInt32]) -> [UInt32] {
        var kept: [UInt32]?
        var refused: [[UInt32]] = []
        // Equality first: its lists are short and cheap.
        let ordered =
            matchers.filter { $0.kind == .equal && !$0.value.isEmpty }
            + matchers.filter { !($0.kind == .equal && !$0.value.isEmpty) }
        for matcher in ordered {
            if matcher.matchesEmpty {
                // Series without the label are accepted too: take away those whose value is refused.
                refused.append(postings(matcher.name) { !matcher.matches($0) })
                continue
            }
            let list: [UInt32]
            if matcher.kind == .equal {
                list = postings(matcher.name, equals: matcher.value)
            } else if matcher.kind == .regex, case .literals(let literals)? = matcher.pattern?.shape {
                var joined: [UInt32] = []
                for literal in literals { joined += postings(matcher.name, equals: literal.text) }
                list = joined.sorted()
            } else {
                list = postings(matcher.name) { matcher.matches($0) }
            }
            kept = kept.map { Self.intersection($0, list) } ?? list
            if kept?.isEmpty == true { return [] }
        }
        var result = kept ?? all()
        for list in refused where !list.isEmpty { result = Self.difference(result, list) }
        return result
    }

    static func intersection(_ a: [UInt32], _ b: [UInt32]) -> [UInt32] {
        if a.count > b.count { return intersection(b, a) }
        var result: [UInt32] = []
        result.reserveCapacity(a.count)
        if a.count &* 16 < b.count {
            for id in a where contains(b, id) { result.append(id) }
            return result
        }
        var j = 0
        for id in a {
            while j < b.count, b[j] < id { j &+= 1 }
            if j == b.count { break }
            if b[j] == id { result.append(id) }
        }
        return result
    }

    static func difference(_ a: [UInt32], _ b: [UInt32]) -> [UInt32] {
        var result: [UInt32] = []
        result.reserveCapacity(a.count)
        var j = 0
        for id in a {
            while j < b.count, b[j] < id { j &+= 1 }
            if j < b.count, b[j] == id { continue }
            result.append(id)
        }
        return result
    }

    private static func contains(_ list: [UInt32], _ id: UInt32) -> Bool {
        var (low, high) = (0, list.count)
        while low < high {
            let middle = (low &+ high) >> 1
            if list[middle] < id { low = middle &+ 1 } else { high = middle }
        }
        return low < list.count && list[low] == id
    }
}
