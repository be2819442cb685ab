import Model

extension Head {
    /// The number of values that are tried between two calls of a request's check.
    private static let valuesPerCheck = 256

    /// The ids of the series that all matchers accept, ascending, including removed series.
    ///
    /// The registry is locked for one list at a time, and not while values are matched, so that thousands of regular
    /// expressions do not delay new series. A series that is added meanwhile may be among the ids or not. A series with
    /// a refused label never is, because the lists of refused series are made last.
    func ids(matching matchers: [Matcher], check: (@Sendable () throws -> Void)? = nil) throws -> [UInt32] {
        let index = registry.withLock { self.index }
        func isEquality(_ matcher: Matcher) -> Bool { matcher.kind == .equal && !matcher.value.isEmpty }
        let wanted = matchers.filter { !$0.matchesEmpty }
        var kept: [UInt32]?
        // Equality matchers are first, because their lists are short and need little time.
        for matcher in wanted.filter(isEquality) + wanted.filter({ !isEquality($0) }) {
            try check?()
            let list = try ids(matcher, index, check) { matcher.matches($0) }
            kept = kept.map { LabelIndex.intersection($0, list) } ?? list
            if kept?.isEmpty == true { return [] }
        }
        var result = kept ?? registry.withLock { liveIds(below: idEnd) }
        for matcher in matchers where matcher.matchesEmpty {
            if result.isEmpty { break }
            try check?()
            // Series without the label are accepted, too, so the series with a refused value are removed.
            let list = try ids(matcher, index, check) { !matcher.matches($0) }
            if !list.isEmpty { result = LabelIndex.difference(result, list) }
        }
        return result
    }

    /// The ids of the series that have the matcher's label with a value for which `accepts` is true.
    private func ids(
        _ matcher: Matcher, _ index: LabelIndex, _ check: (@Sendable () throws -> Void)?,
        _ accepts: (UnsafeBufferPointer<UInt8>) -> Bool
    ) throws -> [UInt32] {
        if matcher.kind == .equal, !matcher.value.isEmpty {
            return registry.withLock { index.postings(matcher.name, equals: matcher.value) }
        }
        if !matcher.matchesEmpty, matcher.kind == .regex, case .literals(let literals)? = matcher.pattern?.shape {
            return registry.withLock {
                literals.flatMap { index.postings(matcher.name, equals: $0.text) }
            }.sorted()
        }
        let pairs = registry.withLock { index.pairsInUse(of: matcher.name) }
        var accepted: [UInt32] = []
        for (number, pair) in pairs.enumerated() {
            if number % Self.valuesPerCheck == Self.valuesPerCheck - 1 { try check?() }
            if accepts(index.value(of: pair)) { accepted.append(pair) }
        }
        return registry.withLock { index.ids(of: accepted) }
    }
}

/// Operations on sets of ids, which are ascending lists.
extension LabelIndex {
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
