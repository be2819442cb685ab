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
        func isEquality(_ matcher: Matcher) -> Bool { matcher.kind == .equal && !matcher.value.isEmpty }
        let equalities = matchers.filter(isEquality)
        // Equality matchers are first, because their lists are short and need little time.
        var (index, kept): (LabelIndex, [UInt32]?) = registry.withLock {
            (
                self.index,
                equalities.isEmpty ? nil : self.index.postings(all: equalities) { states.at($0).pointee.labels }
            )
        }
        if kept?.isEmpty == true { return [] }
        for matcher in matchers where !isEquality(matcher) && !matcher.matchesEmpty {
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

extension LabelIndex {
    /// The ids of the series with `name="value"`, ascending, including removed series.
    func postings(_ name: String, equals value: String) -> [UInt32] {
        let pair = pair(name, equals: value)
        return pair == 0 ? [] : ids(of: [pair])
    }

    /// The ids of the series that have the labels of all of these equality matchers, ascending, including some removed
    /// series.
    ///
    /// A list that is much longer than what is left of the shorter ones is not read: the labels of the few series are.
    ///
    /// - Parameter record: The record of a series; 0 if it was removed.
    func postings(all matchers: [Matcher], record: (UInt32) -> UInt32) -> [UInt32] {
        var pairs: [(pair: UInt32, count: Int)] = []
        for matcher in matchers {
            let pair = pair(matcher.name, equals: matcher.value)
            if pair == 0 { return [] }
            pairs.append((pair, seriesCount(of: pair)))
        }
        pairs.sort { $0.count < $1.count }
        guard let shortest = pairs.first else { return [] }
        var kept = ids(of: [shortest.pair])
        for (pair, count) in pairs.dropFirst() where !kept.isEmpty {
            if kept.count &* 4 < count {
                kept.removeAll { !has(pair, record($0)) }
            } else {
                kept = Self.intersection(kept, ids(of: [pair]))
            }
        }
        return kept
    }

    private func has(_ wanted: UInt32, _ record: UInt32) -> Bool {
        guard record > 0, Int(record) < recordEnd else { return false }
        var reader = pairs(of: record)
        while let pair = reader.next() { if pair == wanted { return true } }
        return false
    }

    // MARK: Sets of ids, which are ascending lists

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
