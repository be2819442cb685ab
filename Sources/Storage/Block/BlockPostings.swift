import Encoding
import Model

/// The search for the series of a block by their labels.
struct BlockPostings {
    let index: BlockIndex
    let frames: BlockFrames

    private var limit: UInt32 { UInt32(truncatingIfNeeded: index.seriesCount) }

    var all: PostingRuns { PostingRuns(0..<limit) }

    /// One label of a page.
    struct Symbol {
        var name: Int
        /// Only valid during the call.
        var value: UnsafeBufferPointer<UInt8>
        fileprivate var list: UnsafeRawBufferPointer
        fileprivate var place: (frame: UInt32, offset: Int, size: Int)?
    }

    /// Calls `body` for the labels of `name` from `value` on, until it returns false.
    func forEachValue(of name: Int, from value: [UInt8] = [], _ body: (Symbol) throws -> Bool) throws {
        var page = index.symbolPage(name: name, value: value)
        while page < index.symbolPages.count, index.symbolPages[page].name <= name {
            let number = index.symbolPages[page].frame
            let frame = try frames.read(number, .symbols)
            page += 1
            do {
                guard try scan(frame, name, value, body) else { return }
            } catch let error as DecodeError {
                throw frames.damage(number, "\(error)")
            }
        }
    }

    private func scan(_ frame: Frame, _ name: Int, _ from: [UInt8], _ body: (Symbol) throws -> Bool) throws -> Bool {
        var reader = ByteReader(frame.bytes)
        var value: [UInt8] = []
        while !reader.isAtEnd {
            let symbolName = try reader.count()
            let shared = try reader.count()
            let rest = try reader.sizedRun()
            guard shared <= value.count else {
                throw DecodeError(expected: "at most \(value.count) shared bytes", offset: reader.offset)
            }
            value.removeLast(value.count - shared)
            value.append(contentsOf: rest)
            _ = try reader.varint()
            let size = try reader.count()
            var list = UnsafeRawBufferPointer(start: nil, count: 0)
            var place: (frame: UInt32, offset: Int, size: Int)?
            if size & 1 == 0 {
                list = try reader.run(size >> 1)
            } else {
                place = (UInt32(truncatingIfNeeded: try reader.count()), try reader.count(), size >> 1)
            }
            if symbolName < name { continue }
            if symbolName > name { return false }
            if !from.isEmpty, value.lexicographicallyPrecedes(from) { continue }
            let goesOn = try value.withUnsafeBufferPointer {
                try body(Symbol(name: symbolName, value: $0, list: list, place: place))
            }
            if !goesOn { return false }
        }
        return true
    }

    /// The series that have a label.
    func postings(_ symbol: Symbol) throws -> PostingRuns {
        guard let place = symbol.place else { return try PostingRuns(reading: symbol.list, limit: limit) }
        let frame = try frames.read(place.frame, .postings)
        do throws(DecodeError) {
            var reader = ByteReader(frame.bytes, at: place.offset)
            return try PostingRuns(reading: try reader.run(place.size), limit: limit)
        } catch {
            throw frames.damage(place.frame, "\(error)")
        }
    }

    /// The series that all `matchers` accept.
    ///
    /// - Parameter check: A function that is called repeatedly; an error that it throws ends the search.
    func select(_ matchers: [Matcher], check: (@Sendable () throws -> Void)?) throws -> PostingRuns {
        var result = all
        // Equality matchers are first, because they need little time and leave few series.
        for matcher in matchers where matcher.kind == .equal && !matcher.value.isEmpty {
            try check?()
            result = result.intersection(try equal(matcher))
            if result.isEmpty { return result }
        }
        for matcher in matchers where !(matcher.kind == .equal && !matcher.value.isEmpty) {
            try check?()
            result = try filter(result, matcher, check)
            if result.isEmpty { return result }
        }
        return result
    }

    private func equal(_ matcher: Matcher) throws -> PostingRuns {
        guard let name = index.name(Array(matcher.name.utf8)) else { return PostingRuns() }
        let wanted = Array(matcher.value.utf8)
        var result = PostingRuns()
        try forEachValue(of: name, from: wanted) { symbol in
            if symbol.value.elementsEqual(wanted) { result = try postings(symbol) }
            return false
        }
        return result
    }

    private func filter(
        _ set: PostingRuns, _ matcher: Matcher, _ check: (@Sendable () throws -> Void)?
    ) throws -> PostingRuns {
        let acceptsAbsent = matcher.matchesEmpty
        guard let name = index.name(Array(matcher.name.utf8)) else { return acceptsAbsent ? set : PostingRuns() }
        // If the matcher accepts series without the label, the series with other values are excluded; otherwise the
        // series with matching values are included.
        var lists: [PostingRuns] = []
        var tried = 0
        try forEachValue(of: name) { symbol in
            tried &+= 1
            if tried & 255 == 0 { try check?() }
            if matcher.matches(symbol.value) != acceptsAbsent { lists.append(try postings(symbol)) }
            return true
        }
        if lists.isEmpty { return acceptsAbsent ? set : PostingRuns() }
        let union = PostingRuns.union(lists)
        return acceptsAbsent ? set.subtracting(union) : set.intersection(union)
    }
}
