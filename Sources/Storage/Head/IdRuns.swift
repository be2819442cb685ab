/// A list of ids as runs, in the order in which they were added.
struct IdRuns {
    private(set) var runs: [Range<UInt32>] = []

    /// Adds an id.
    mutating func add(_ id: UInt32) { add(id..<(id &+ 1)) }

    /// Adds a run that is not empty.
    mutating func add(_ run: Range<UInt32>) {
        if let last = runs.last, last.upperBound == run.lowerBound {
            runs[runs.count - 1] = last.lowerBound..<run.upperBound
        } else {
            runs.append(run)
        }
    }

    /// Adds the runs of another list.
    mutating func add(_ others: IdRuns) { runs += others.runs }

    /// The same ids without repetitions, ascending.
    var ascending: IdRuns {
        var result = IdRuns()
        for run in runs.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            let start = max(run.lowerBound, result.runs.last?.upperBound ?? 0)
            if start < run.upperBound { result.add(start..<run.upperBound) }
        }
        return result
    }
}
