import Model
import Platform

/// The merge of blocks into one, series by series; it needs memory for one series and a few frames.
package enum BlockMerger {
    /// Writes the union of `blocks` as the block at `path`, whose last part is its identifier.
    ///
    /// If several blocks have a sample of the same series and time, the sample of the later block in `blocks` is used.
    ///
    /// Deleted samples are left out; no samples may be deleted meanwhile. The sources stay as they are: the caller
    /// commits the change to the manifest and removes them.
    ///
    /// - Parameter isCancelled: A function that is called regularly; if it returns true, the merge ends with a
    ///   ``CancellationError``.
    /// - Returns: The description of the block; nil if no sample was left.
    package static func merge(
        _ files: any FileSystem, _ blocks: [BlockReader], to path: String, xorOnly: Bool = false,
        memory: MemoryRequest = MemoryRequest(), isCancelled: () -> Bool = { false }
    ) throws -> BlockMeta? {
        var options = BlockWriter.Options()
        options.compression = 6
        options.xorOnly = xorOnly
        options.level = (blocks.map(\.meta.level).max() ?? 0) + 1
        options.sources = BlockMeta.sources(ofMerge: blocks.map(\.meta))
        options.parents = blocks.map(\.meta.id)
        options.baseTime = blocks.map(\.minTime).min() ?? 0
        let writer = try BlockWriter(
            files, parent: FilePath.parent(path), id: FilePath.name(path), options: options)
        writer.memory = memory
        do {
            // Of several metadata of a metric, the newest is used.
            for block in blocks.sorted(by: { ($0.maxTime, $0.meta.id) < ($1.maxTime, $1.meta.id) }) {
                for (metric, newer) in try block.metadata() {
                    try memory.reserve(in: writer.metadata, for: "the metadata of a merge")
                    writer.metadata[metric] = newer
                }
            }
            // A separate cache leaves the cache of queries unchanged.
            let cache = FrameCache(capacity: 8 << 20)
            let sources = try blocks.map { try BlockReader($0, cache: cache) }
            try mergeAll(sources, into: writer, isCancelled)
            return try writer.finish()
        } catch {
            writer.abandon()
            throw error
        }
    }

    private static func mergeAll(
        _ blocks: [BlockReader], into writer: BlockWriter, _ isCancelled: () -> Bool
    ) throws {
        let scans = blocks.map { $0.scan() }
        for scan in scans { try scan.advance() }
        var merged = SampleColumns()
        var next = SampleColumns()
        var spare = SampleColumns()
        var done = 0
        while true {
            var least: Labels?
            for scan in scans {
                guard let labels = scan.labels else { continue }
                if let known = least, Labels.compare(known, labels) <= 0 { continue }
                least = labels
            }
            guard let labels = least else { return }
            done += 1
            if done % 256 == 0, isCancelled() { throw CancellationError() }
            merged.removeAll()
            for scan in scans where scan.labels == labels {
                try scan.read(into: &next)
                merged.merge(next, spare: &spare)
                try scan.advance()
            }
            try writer.add(labels, merged)
        }
    }
}

extension SampleColumns {
    /// Adds the samples of `other`, which replace the samples at the same times.
    ///
    /// - Parameter spare: Memory for the result, which is exchanged with the memory of `self`.
    mutating func merge(_ other: borrowing SampleColumns, spare: inout SampleColumns) {
        guard other.count > 0 else { return }
        if count == 0 || timestamps[count - 1] < other.timestamps[0] {
            let start = count
            reserve(other.count)
            (timestamps + start).update(from: other.timestamps, count: other.count)
            (values + start).update(from: other.values, count: other.count)
            for (index, histogram) in other.histograms { histograms.append((start + index, histogram)) }
            starts.append(other.starts, from: other.timestamps[0])
            count = start + other.count
            return
        }
        spare.removeAll()
        var (i, j, h, k) = (0, 0, 0, 0)
        let hasStarts = !starts.isEmpty || !other.starts.isEmpty
        while i < count || j < other.count {
            let takesOther = j < other.count && (i >= count || other.timestamps[j] <= timestamps[i])
            if hasStarts {
                let time = takesOther ? other.timestamps[j] : timestamps[i]
                spare.starts.append((takesOther ? other.starts : starts).start(at: time), from: time)
            }
            if takesOther {
                if i < count, timestamps[i] == other.timestamps[j] {
                    if h < histograms.count, histograms[h].index == i { h += 1 }
                    i += 1
                }
                if k < other.histograms.count, other.histograms[k].index == j {
                    spare.append(other.timestamps[j], other.histograms[k].histogram)
                    k += 1
                } else {
                    spare.append(other.timestamps[j], other.values[j])
                }
                j += 1
            } else {
                if h < histograms.count, histograms[h].index == i {
                    spare.append(timestamps[i], histograms[h].histogram)
                    h += 1
                } else {
                    spare.append(timestamps[i], values[i])
                }
                i += 1
            }
        }
        swap(&self, &spare)
    }
}
