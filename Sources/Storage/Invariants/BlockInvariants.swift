import Encoding
import Model

extension BlockReader {
    /// Checks all frames, the order of the series, the numbers in the index and the posting lists.
    func checkInvariants() throws {
        let name = meta.id
        try verify()
        let isSorted = zip(index.names, index.names.dropFirst()).allSatisfy { $0.lexicographicallyPrecedes($1) }
        try BrokenInvariant.require(isSorted, "block \(name): names of labels are not in order")
        var (series, chunks, samples) = (0, 0, 0)
        var before: Labels?
        var byLabel: [[UInt8]: [[UInt8]: [UInt32]]] = [:]
        for page in index.seriesPages.indices {
            let (frame, first, count) = try seriesPage(page)
            try BrokenInvariant.require(
                first == series, "block \(name): page \(page) begins with \(first), not \(series)")
            var reader = try SeriesPageReader(frame.bytes, count: count)
            for at in 0..<count {
                let entry = try reader.read(at)
                let labels = reader.copyLabels()
                try BrokenInvariant.require(
                    before.map { $0 < labels } ?? true, "block \(name): series \(series) is not in order")
                before = labels
                for label in labels.pairs {
                    byLabel[Array(label.name.utf8), default: [:]][Array(label.value.utf8), default: []]
                        .append(UInt32(series))
                }
                var newest = Int64.min
                var isRight = true
                try SeriesPageReader.chunks(entry, baseTime: index.baseTime) { chunk in
                    chunks += 1
                    samples += Int(chunk.count)
                    isRight =
                        isRight && chunk.count > 0 && chunk.minTime > newest && chunk.minTime <= chunk.maxTime
                        && chunk.minTime >= index.minTime && chunk.maxTime <= index.maxTime
                    newest = chunk.maxTime
                }
                try BrokenInvariant.require(isRight, "block \(name): chunks of series \(series) are not in order")
                series += 1
            }
        }
        try BrokenInvariant.require(
            (series, chunks, samples) == (index.seriesCount, index.chunkCount, index.sampleCount),
            "block \(name) has \(series) series, \(chunks) chunks, \(samples) samples, and its index says "
                + "\(index.seriesCount), \(index.chunkCount), \(index.sampleCount)")
        try checkPostings(byLabel)
    }

    private func checkPostings(_ byLabel: [[UInt8]: [[UInt8]: [UInt32]]]) throws {
        let postings = BlockPostings(index: index, frames: frames)
        try BrokenInvariant.require(
            Set(index.names) == Set(byLabel.keys), "block \(meta.id): the names of labels are not those of its series")
        for (number, name) in index.names.enumerated() {
            var wanted = byLabel[name] ?? [:]
            try postings.forEachValue(of: number) { symbol in
                let listed = try postings.postings(symbol).runs.flatMap { Array($0) }
                try BrokenInvariant.require(
                    wanted.removeValue(forKey: Array(symbol.value)) == listed,
                    "block \(meta.id): the list of a value of \(String(decoding: name, as: UTF8.self)) is wrong")
                return true
            }
            try BrokenInvariant.require(
                wanted.isEmpty, "block \(meta.id): values of \(String(decoding: name, as: UTF8.self)) are missing")
        }
    }
}
