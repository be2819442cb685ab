import Exposition
import Model

/// The `_created` lines of an OpenMetrics page, which say when counters, summaries and histograms began to count.
///
/// They are read before the page is: a line may stand behind the samples that it is about. Lines are told by the hash
/// of their series; which line a sample belongs to is found by its labels once, and remembered from scrape to scrape.
struct CreatedLines {
    /// Start timestamps by the hash of the line, ms.
    private var starts: [UInt64: Int64] = [:]
    /// Lines by what they say of; filled when a sample is met whose line is not known.
    private var lines: [ExactText: UInt64] = [:]
    /// The sum of the lines' hashes, to see whether they are others than before.
    private var sum: UInt64 = 0
    /// The line of each sample, by the hash of its series; 0 if it has none.
    private var lineOf: [UInt64: UInt64] = [:]
    /// Most samples that are remembered besides those of a page.
    private static let spare = 10_000

    /// Reads the lines of a page.
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
        // A line that is new may be about samples that had none.
        if sum != before || lineOf.count > samples + Self.spare { lineOf.removeAll(keepingCapacity: true) }
    }

    /// Whether a line is one of them, and no sample.
    func holds(_ hash: UInt64) -> Bool { starts[hash] != nil }

    /// The start timestamp of the sample that the reader is at, ms; 0 if there is none.
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
        // A name in quotes stands in the braces.
        return end == 0 || self[..<end].suffix(8).elementsEqual("_created".utf8)
    }
}
