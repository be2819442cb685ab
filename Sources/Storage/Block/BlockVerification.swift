import Encoding
import Model

/// The check of all that a block holds.
extension BlockReader {
    /// The most problems that are listed.
    private static let mostProblems = 100

    /// Reads the block as queries do, and returns what is damaged, in the order of the files; at most 100 entries.
    ///
    /// If a frame is damaged, only frames are checked: chunks and posting lists are found through them.
    ///
    /// - Throws: An error of the process, such as too little memory; it is no property of the block.
    package func problems() throws -> [any Error] {
        var found = Problems(limit: Self.mostProblems)
        for frame in 0..<frames.count {
            try found.note { try frames.verify(UInt32(clamping: frame)) }
        }
        if !found.list.isEmpty { return found.list }
        // What only this check needs does not replace what queries need.
        let reader = try BlockReader(self, cache: FrameCache())
        try reader.verifySeries(&found)
        try reader.verifyPostings(&found)
        return found.list
    }

    /// Throws the first of ``problems()``.
    package func verify() throws { if let problem = try problems().first { throw problem } }

    private func verifySeries(_ found: inout Problems) throws {
        let scan = scan()
        var columns = SampleColumns()
        var series = 0
        while true {
            // Without its page, the rest of the series cannot be read.
            guard try found.note({ try scan.advance() }), scan.labels != nil, !found.isFull else { break }
            series += 1
            for chunk in scan.chunks {
                columns.removeAll()
                try found.note { try read(chunk, .min, .max, nil, into: &columns) }
            }
        }
        if found.list.isEmpty, series != index.seriesCount {
            let reason = "it says \(index.seriesCount) series, and there are \(series)"
            found.add(BlockError(file: directory + "/index", section: "stats", offset: 0, reason: reason))
        }
    }

    private func verifyPostings(_ found: inout Problems) throws {
        let postings = postings
        for name in index.names.indices where !found.isFull {
            try found.note {
                try postings.forEachValue(of: name) { symbol in
                    _ = try postings.postings(symbol)
                    return true
                }
            }
        }
    }

    /// A list of distinct problems.
    private struct Problems {
        private(set) var list: [any Error] = []
        private var known: Set<String> = []
        private let limit: Int
        var isFull: Bool { list.count >= limit }

        init(limit: Int) { self.limit = limit }

        mutating func add(_ problem: any Error) {
            if !isFull, known.insert("\(problem)").inserted { list.append(problem) }
        }

        /// Notes the error of `body`, unless it is one of the process; returns whether there was none.
        @discardableResult
        mutating func note(_ body: () throws -> Void) throws -> Bool {
            do {
                try body()
                return true
            } catch {
                if let shortage = StorageError.shortage(error) { throw shortage }
                add(error)
                return false
            }
        }
    }
}
