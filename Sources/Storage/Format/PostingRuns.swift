import Encoding

/// An ascending set of series ranks as runs; adjacent runs are joined.
///
/// On disk: for each run, a varint of the gap from the end of the previous run, shifted left by one.
///
/// Its low bit is set if the run is longer than one; a varint of the length minus two follows then.
package struct PostingRuns: Sendable, Equatable {
    package private(set) var runs: [Range<UInt32>] = []

    package init() {}

    package init(_ range: Range<UInt32>) { if !range.isEmpty { runs = [range] } }

    package var isEmpty: Bool { runs.isEmpty }

    /// The number of ranks.
    package var count: Int { runs.reduce(0) { $0 + $1.count } }

    /// Appends a run that does not start before the last one; overlapping and adjacent runs are joined.
    mutating func append(_ range: Range<UInt32>) {
        guard !range.isEmpty else { return }
        if let last = runs.last, last.upperBound >= range.lowerBound {
            runs[runs.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
        } else {
            runs.append(range)
        }
    }

    /// Reads the form on disk; ranks must be below `limit`.
    init(reading bytes: UnsafeRawBufferPointer, limit: UInt32) throws(DecodeError) {
        var reader = ByteReader(bytes)
        var end: UInt64 = 0
        while !reader.isAtEnd {
            let head = try reader.varint()
            let length = head & 1 == 0 ? 1 : try reader.varint() &+ 2
            let start = end &+ head >> 1
            guard start < UInt64(limit), length >= 1, length <= UInt64(limit) - start else {
                throw DecodeError(expected: "ranks below \(limit)", offset: reader.offset)
            }
            end = start + length
            append(UInt32(start)..<UInt32(end))
        }
    }

    func contains(_ rank: UInt32) -> Bool {
        var (low, high) = (0, runs.count)
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].upperBound <= rank { low = middle + 1 } else { high = middle }
        }
        return low < runs.count && runs[low].lowerBound <= rank
    }

    func intersection(_ other: PostingRuns) -> PostingRuns {
        var result = PostingRuns()
        var (i, j) = (0, 0)
        while i < runs.count, j < other.runs.count {
            let low = max(runs[i].lowerBound, other.runs[j].lowerBound)
            let high = min(runs[i].upperBound, other.runs[j].upperBound)
            if low < high { result.append(low..<high) }
            if runs[i].upperBound < other.runs[j].upperBound { i += 1 } else { j += 1 }
        }
        return result
    }

    func intersects(_ other: PostingRuns) -> Bool {
        var (i, j) = (0, 0)
        while i < runs.count, j < other.runs.count {
            if max(runs[i].lowerBound, other.runs[j].lowerBound) < min(runs[i].upperBound, other.runs[j].upperBound) {
                return true
            }
            if runs[i].upperBound < other.runs[j].upperBound { i += 1 } else { j += 1 }
        }
        return false
    }

    func subtracting(_ other: PostingRuns) -> PostingRuns {
        var result = PostingRuns()
        var j = 0
        for run in runs {
            var low = run.lowerBound
            while j < other.runs.count, other.runs[j].upperBound <= low { j += 1 }
            var k = j
            while k < other.runs.count, other.runs[k].lowerBound < run.upperBound {
                if other.runs[k].lowerBound > low { result.append(low..<other.runs[k].lowerBound) }
                low = max(low, other.runs[k].upperBound)
                k += 1
            }
            if low < run.upperBound { result.append(low..<run.upperBound) }
        }
        return result
    }

    /// The union of many sets.
    static func union(_ sets: [PostingRuns]) -> PostingRuns {
        if sets.count == 1 { return sets[0] }
        var all: [Range<UInt32>] = []
        all.reserveCapacity(sets.reduce(0) { $0 + $1.runs.count })
        for set in sets { all += set.runs }
        all.sort { $0.lowerBound < $1.lowerBound }
        var result = PostingRuns()
        for run in all { result.append(run) }
        return result
    }
}

extension PostingRuns {
    /// The form on disk.
    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        var end: UInt32 = 0
        for run in runs {
            bytes.appendVarint(UInt64(run.lowerBound - end) << 1 | (run.count > 1 ? 1 : 0))
            if run.count > 1 { bytes.appendVarint(run.count - 2) }
            end = run.upperBound
        }
        return bytes
    }
}
