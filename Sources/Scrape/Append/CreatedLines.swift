import Exposition
import Model

/// The `_created` lines of an OpenMetrics scrape body: the start timestamps of counters, summaries and histograms.
///
/// They are read before the samples, because a line may be after the samples that it applies to. Lines are identified
/// by the hash of their series. The line of a sample is found by its labels once, and kept from scrape to scrape.
struct CreatedLines {
    /// Start timestamps by the hash of the line, ms.
    private var starts: [UInt64: Int64] = [:]
    /// The lines by the key of their samples; filled at the first sample whose line is not known.
    private var lines: [ExactText: UInt64] = [:]
    /// The sum of the lines' hashes, to detect changes.
    private var sum: UInt64 = 0
    /// The line of each sample, by the hash of its series; 0 if it has none.
    private var lineOf: [UInt64: UInt64] = [:]
    /// The most samples that are kept beside those of a body.
    private static let spare = 10_000

    /// Reads the lines of a scrape body.
    mutating func read(_ page: UnsafeBufferPointer<UInt8>, seed: UInt64, _ text: inout SeriesText)
        throws(ExpositionError)
    {
        let before = sum
        sum = 0
        starts.removeAll(keepingCapacity: true)
        lines.removeAll(keepingCapacity: true)
        var reader = ExpositionReader(page, isOpenMetrics: true, seed: seed)
        var family = PageFamily(hasStarts: true)
        var samples = 0
        while true {
            let entry = try reader.next(expectedLength: 0, hash: 0)
            if entry == .end { break }
            family.see(entry, reader)
            guard entry == .series else { continue }
            samples += 1
            guard family.isStarted, reader.bytes(reader.seriesStart..<reader.seriesEnd).mentionsCreated else {
                continue
            }
            try reader.readLabels(&text)
            guard let key = family.startKey(text, ofCreated: true) else { continue }
            starts[reader.seriesHash] = Int64(exactly: (reader.number.value * 1000).rounded()) ?? 0
            lines[key] = reader.seriesHash
            sum &+= reader.seriesHash
        }
        // A new line may apply to samples that had none.
        if sum != before || lineOf.count > samples + Self.spare { lineOf.removeAll(keepingCapacity: true) }
    }

    /// Whether a line is a `_created` line and not a sample.
    func holds(_ hash: UInt64) -> Bool { starts[hash] != nil }

    /// The start timestamp of the reader's current sample, ms; 0 if there is none.
    mutating func start(
        _ reader: ExpositionReader, _ family: PageFamily, _ text: inout SeriesText
    ) throws(ExpositionError) -> Int64 {
        guard family.isStarted, !starts.isEmpty else { return 0 }
        if let line = lineOf[reader.seriesHash] { return starts[line] ?? 0 }
        try reader.readLabels(&text)
        let line = family.startKey(text, ofCreated: false).flatMap { lines[$0] } ?? 0
        lineOf[reader.seriesHash] = line
        return starts[line] ?? 0
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Whether the text of a series may be that of a `_created` line.
    fileprivate var mentionsCreated: Bool {
        let end = firstIndex { $0 == 0x7B } ?? count
        // A name in quotes is within the braces.
        return end == 0 || self[..<end].suffix(8).elementsEqual("_created".utf8)
    }
}
