import Glibc
import GoCompatibility
import Model

/// The formats of scrape bodies.
public enum ExpositionFormat: Sendable, Hashable {
    /// Prometheus text 0.0.4 and 1.0.0.
    case text
    /// OpenMetrics text 0.0.1 and 1.0.0, read as leniently as in Prometheus.
    case openMetrics
    /// Length-delimited `io.prometheus.client.MetricFamily` messages.
    case protobuf
}

/// The entry that the reader found.
public enum ExpositionEntry: Sendable {
    case series, type, help, unit
    /// The end of the text.
    case end
}

/// Reads an exposition text entry by entry without allocating.
///
/// It finds the end of a series' text and the rest of the line, but does not parse the labels: ``SeriesText`` does
/// that, and is only needed for new series. A caller that expects a certain series passes its length and hash: if they
/// match, the text is not even scanned.
///
/// The text must not be moved or changed while the reader is used.
public struct ExpositionReader {
    @usableFromInline let base: UnsafePointer<UInt8>
    @usableFromInline let count: Int
    public let isOpenMetrics: Bool
    @usableFromInline let seed: UInt64
    @usableFromInline var at = 0
    private var sawEnd = false

    /// The text of the series, `name{…}`, as offsets into the input.
    public private(set) var seriesStart = 0
    /// The end of the text of the series.
    public private(set) var seriesEnd = 0
    /// The ``SeriesHash`` of the text of the series.
    public private(set) var seriesHash: UInt64 = 0
    /// The value of the series.
    public private(set) var number = DecimalNumber(value: 0)
    /// The time of the sample in ms, if ``hasTimestamp``.
    public private(set) var timestamp: Int64 = 0
    public private(set) var hasTimestamp = false
    /// `{…} value [timestamp]` of an exemplar as offsets into the input; empty if there is none.
    public private(set) var exemplar = 0..<0

    /// The line of metadata as offsets into the input, without the line's end.
    public private(set) var metadataLine = 0..<0
    /// The family of the metadata, as offsets into the input, with quotes if there are any.
    public private(set) var metadataName = 0..<0
    /// The content of the metadata, as offsets into the input.
    public private(set) var metadataText = 0..<0

    /// - Parameters:
    ///   - page: An exposition text; may be empty.
    ///   - isOpenMetrics: Whether the grammar is that of OpenMetrics.
    ///   - seed: The seed of the hashes.
    public init(
        _ page: UnsafeBufferPointer<UInt8>, isOpenMetrics: Bool, seed: UInt64 = SeriesHash.processSeed
    ) {
        // SAFETY: with a count of 0 the base is never read.
        base = page.baseAddress ?? UnsafePointer(bitPattern: 1).unsafelyUnwrapped
        count = page.count
        self.isOpenMetrics = isOpenMetrics
        self.seed = seed
    }

    /// The bytes of `range`.
    public func bytes(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: base + range.lowerBound, count: range.count)
    }

    /// The text of the current series.
    public var seriesText: UnsafeBufferPointer<UInt8> { bytes(seriesStart..<seriesEnd) }

    /// Moves to the next entry.
    ///
    /// - Parameters:
    ///   - length: The bytes of the expected series, 0 if none is expected.
    ///   - hash: Its ``SeriesHash``.
    public mutating func next(
        expectedLength length: Int = 0, hash: UInt64 = 0
    ) throws(ExpositionError) -> ExpositionEntry {
        isOpenMetrics
            ? try nextOpenMetrics(expectedLength: length, hash: hash) : try nextText(expectedLength: length, hash: hash)
    }

    // MARK: Shared

    @inline(__always)
    private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    @inline(__always)
    private func isNameStart(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- 0x61 < 26 || byte == 0x5F || byte == 0x3A
    }

    @inline(__always)
    private func isNamePart(_ byte: UInt8) -> Bool { isNameStart(byte) || byte &- 0x30 < 10 }

    private mutating func skipBlanks() {
        while at < count, isBlank(base[at]) { at &+= 1 }
    }

    /// Whether the expected series is at `at`, followed by a blank; then it becomes the current series.
    @inline(__always)
    private mutating func takeExpected(_ length: Int, _ hash: UInt64) -> Bool {
        guard length > 0, count &- at > length, isBlank(base[at &+ length]) else { return false }
        guard SeriesHash.hash(base + at, length, seed: seed) == hash else { return false }
        seriesStart = at
        at &+= length
        seriesEnd = at
        seriesHash = hash
        return true
    }

    /// Finds the end of a series' text from `at` on, by its structure only.
    private mutating func scanSeries() throws(ExpositionError) {
        let start = at
        guard isNameStart(base[at]) || base[at] == 0x7B else {
            throw failure("expected a valid start token", start: start, token: "INVALID")
        }
        while at < count, isNamePart(base[at]) { at &+= 1 }
        seriesEnd = at
        var open = at
        if !isOpenMetrics, open > start {
            while open < count, isBlank(base[open]) { open &+= 1 }
        }
        if open < count, base[open] == 0x7B {
            at = open &+ 1
            try scanBraces(start: start)
            seriesEnd = at
        }
        seriesStart = start
        seriesHash = SeriesHash.hash(base + start, seriesEnd &- start, seed: seed)
    }

    /// Moves after the closing brace.
    private mutating func scanBraces(start: Int) throws(ExpositionError) {
        while at < count {
            let byte = base[at]
            at &+= 1
            if byte == 0x7D { return }
            if byte == 0x0A {
                at &-= 1
                break
            }
            if byte == 0x22 { skipQuoted() }
        }
        let end = min(at, count)
        at = end
        // The parser of labels has the best error message.
        var labels = SeriesText()
        try labels.parse(base, start, end, isOpenMetrics: isOpenMetrics)
        throw failure("expected label name", start: start, token: end >= count ? "EOF" : "INVALID")
    }

    /// Moves after the closing quote, or to the end of the input if there is none.
    @inline(__always)
    private mutating func skipQuoted() {
        while at < count {
            let byte = base[at]
            at &+= 1
            if byte == 0x22 { return }
            if byte == 0x5C { at &+= 1 }
        }
    }

    /// An error about the token at `at`, in the form of Prometheus's text parser.
    private func failure(_ expected: String, start: Int, token: String) -> ExpositionError {
        SeriesText.failure(expected, base, count, start: start, at: at, token: token)
    }

    /// Reads a number that ends at a blank or the line's end.
    @inline(__always)
    private mutating func takeNumber(start: Int) throws(ExpositionError) -> DecimalNumber {
        let from = at
        while at < count, base[at] > 0x20 || !(base[at] == 0x20 || base[at] == 0x0A || base[at] == 0x09) { at &+= 1 }
        guard let number = DecimalNumber.parse(base + from, at &- from) else {
            let text = String(decoding: bytes(from..<at), as: UTF8.self)
            if at == from {
                throw failure("expected value after metric", start: start, token: at >= count ? "EOF" : "INVALID")
            }
            var problem = GoFloat.Problem.syntax
            do throws(GoFloat.Problem) { _ = try GoFloat.read(text) } catch { problem = error }
            throw ExpositionError.at(
                from, in: base,
                "\(problem.text(of: text)) while parsing: "
                    + GoQuote.quote(String(decoding: bytes(start..<min(at &+ 1, count)), as: UTF8.self)))
        }
        return number
    }

    // MARK: Prometheus text

    private mutating func nextText(expectedLength: Int, hash: UInt64) throws(ExpositionError) -> ExpositionEntry {
        while true {
            skipBlanks()
            guard at < count else { return .end }
            let byte = base[at]
            if byte == 0x0A {
                at &+= 1
            } else if byte == 0x23 {
                if let entry = try textComment() { return entry }
            } else {
                try textSample(expectedLength, hash)
                return .series
            }
        }
    }

    private mutating func textSample(_ expectedLength: Int, _ hash: UInt64) throws(ExpositionError) {
        let start = at
        if takeExpected(expectedLength, hash) {
            skipBlanks()
            if at < count, base[at] == 0x7B {
                at = start
                try scanSeries()
                skipBlanks()
            }
        } else {
            try scanSeries()
            skipBlanks()
        }
        number = try takeNumber(start: start)
        exemplar = 0..<0
        hasTimestamp = false
        if at < count, base[at] == 0x0A {
            at &+= 1
            return
        }
        skipBlanks()
        guard at < count else { return }
        if base[at] &- 0x30 < 10 {
            let from = at
            var ms: Int64 = 0
            while at < count, base[at] &- 0x30 < 10 {
                let (product, high) = ms.multipliedReportingOverflow(by: 10)
                let (sum, carry) = product.addingReportingOverflow(Int64(base[at] &- 0x30))
                guard !high, !carry else {
                    throw ExpositionError.at(from, in: base, "timestamp out of range")
                }
                ms = sum
                at &+= 1
            }
            timestamp = ms
            hasTimestamp = true
            skipBlanks()
            guard at < count else { return }
            guard base[at] == 0x0A else {
                throw failure("expected next entry after timestamp", start: start, token: "INVALID")
            }
            at &+= 1
        } else if base[at] == 0x0A {
            at &+= 1
        } else {
            throw failure("expected timestamp or new record", start: start, token: "INVALID")
        }
    }

    /// Reads a line that begins with `#`; nil if it is not metadata.
    private mutating func textComment() throws(ExpositionError) -> ExpositionEntry? {
        let lineStart = at
        at &+= 1
        let end = lineEnd(from: at)
        defer { at = min(end &+ 1, count) }
        let hadBlank = at < end && isBlank(base[at])
        skipBlanks()
        guard hadBlank, end &- at > 4, base[at &+ 4] == 0x20 || base[at &+ 4] == 0x09 else { return nil }
        let isHelp = word("HELP", at)
        guard isHelp || word("TYPE", at) else { return nil }
        at &+= 4
        skipBlanks()
        let name = try metadataNameRange(lineEnd: end, start: lineStart)
        // Prometheus ends the name at the first byte that is not allowed in names, drops that byte, and reads the rest
        // as the text.
        if at < end { at &+= 1 }
        var last = end
        if !isHelp {
            skipBlanks()
            while last > at, isBlank(base[last &- 1]) { last &-= 1 }
        }
        metadataLine = lineStart..<end
        metadataName = name
        metadataText = min(at, last)..<last
        if isHelp {
            try checkHelp()
            return .help
        }
        guard textType(allowed: false) != nil else {
            throw ExpositionError.at(
                metadataText.lowerBound, in: base,
                "invalid metric type \(GoQuote.quote(String(decoding: bytes(metadataText), as: UTF8.self)))")
        }
        return .type
    }

    /// The position of the next line feed, or the end.
    private func lineEnd(from start: Int) -> Int {
        guard start < count, let found = memchr(base + start, 0x0A, count &- start) else { return count }
        return UnsafeRawPointer(base).distance(to: UnsafeRawPointer(found))
    }

    private func word(_ word: StaticString, _ offset: Int) -> Bool {
        guard count &- offset >= word.utf8CodeUnitCount else { return false }
        for i in 0..<word.utf8CodeUnitCount where base[offset &+ i] != word.utf8Start[i] { return false }
        return true
    }

    /// Reads the name of a family, with or without quotes.
    private mutating func metadataNameRange(lineEnd: Int, start: Int) throws(ExpositionError) -> Range<Int> {
        let from = at
        if at < lineEnd, base[at] == 0x22 {
            at &+= 1
            while at < lineEnd, base[at] != 0x22 { at &+= base[at] == 0x5C ? 2 : 1 }
            guard at < lineEnd else {
                throw failure("expected metric name after metadata", start: start, token: "INVALID")
            }
            at &+= 1
        } else {
            guard at < lineEnd, isNameStart(base[at]) else {
                throw failure("expected metric name after metadata", start: start, token: "INVALID")
            }
            while at < lineEnd, isNamePart(base[at]) { at &+= 1 }
        }
        return from..<at
    }

    /// The offset after the last entry.
    public var position: Int { at }

    /// The type in the current TYPE entry; nil if it is unknown.
    public var metadataType: MetricType? { textType(allowed: isOpenMetrics) }

    private func textType(allowed openMetrics: Bool) -> MetricType? {
        let text = metadataText
        func isText(_ name: StaticString) -> Bool {
            text.count == name.utf8CodeUnitCount && word(name, text.lowerBound)
        }
        if isText("counter") { return .counter }
        if isText("gauge") { return .gauge }
        if isText("histogram") { return .histogram }
        if isText("summary") { return .summary }
        if !openMetrics { return isText("untyped") ? .unknown : nil }
        if isText("unknown") { return .unknown }
        if isText("gaugehistogram") { return .gaugeHistogram }
        if isText("info") { return .info }
        return isText("stateset") ? .stateSet : nil
    }

    // MARK: OpenMetrics

    private mutating func nextOpenMetrics(
        expectedLength: Int, hash: UInt64
    ) throws(ExpositionError) -> ExpositionEntry {
        guard at < count else {
            guard sawEnd else { throw ExpositionError.at(at, in: base, "data does not end with # EOF") }
            return .end
        }
        if base[at] == 0x23 { return try openMetricsComment() }
        guard base[at] != 0x0A else {
            throw failure("expected a valid start token", start: at, token: "LINEBREAK")
        }
        try openMetricsSample(expectedLength, hash)
        return .series
    }

    private mutating func openMetricsComment() throws(ExpositionError) -> ExpositionEntry {
        let start = at
        guard word("# ", at) else { throw failure("expected a valid start token", start: start, token: "INVALID") }
        if word("# EOF", at) {
            at &+= 5
            if at < count, base[at] == 0x0A { at &+= 1 }
            guard at == count else { throw ExpositionError.at(at, in: base, "unexpected data after # EOF") }
            sawEnd = true
            return .end
        }
        let kind: ExpositionEntry
        if word("HELP ", at &+ 2) {
            kind = .help
        } else if word("TYPE ", at &+ 2) {
            kind = .type
        } else if word("UNIT ", at &+ 2) {
            kind = .unit
        } else {
            throw failure("expected a valid start token", start: start, token: "INVALID")
        }
        at &+= 7
        let end = lineEnd(from: at)
        metadataName = try metadataNameRange(lineEnd: end, start: start)
        guard at < end, base[at] == 0x20, end < count else {
            throw failure("expected text in \(kind)", start: start, token: at >= count ? "EOF" : "INVALID")
        }
        metadataText = (at &+ 1)..<end
        metadataLine = start..<end
        at = end &+ 1
        if kind == .type, textType(allowed: true) == nil {
            throw ExpositionError.at(
                metadataText.lowerBound, in: base,
                "invalid metric type \(GoQuote.quote(String(decoding: bytes(metadataText), as: UTF8.self)))")
        }
        if kind == .unit { try checkUnit() }
        if kind == .help { try checkHelp() }
        return kind
    }

    private func checkUnit() throws(ExpositionError) {
        if metadataText.isEmpty { return }
        var name = metadataName
        if base[name.lowerBound] == 0x22 { name = (name.lowerBound &+ 1)..<(name.upperBound &- 1) }
        let gap = name.count &- metadataText.count
        let fits =
            gap >= 1 && base[name.lowerBound &+ gap &- 1] == 0x5F
            && Labels.equal(bytes((name.lowerBound &+ gap)..<name.upperBound), bytes(metadataText))
        guard fits else {
            throw ExpositionError.at(
                metadataText.lowerBound, in: base,
                "unit \(GoQuote.quote(String(decoding: bytes(metadataText), as: UTF8.self))) not a suffix of metric "
                    + GoQuote.quote(String(decoding: bytes(name), as: UTF8.self)))
        }
    }

    private mutating func openMetricsSample(_ expectedLength: Int, _ hash: UInt64) throws(ExpositionError) {
        let start = at
        if !takeExpected(expectedLength, hash) { try scanSeries() }
        guard at < count, base[at] == 0x20 else {
            throw failure("expected value after metric", start: start, token: at >= count ? "EOF" : "INVALID")
        }
        at &+= 1
        number = try takeNumber(start: start)
        hasTimestamp = false
        exemplar = 0..<0
        guard at < count else { throw failure("expected next entry after timestamp", start: start, token: "EOF") }
        if base[at] == 0x0A {
            at &+= 1
            return
        }
        guard base[at] == 0x20 else { throw failure("expected timestamp or # symbol", start: start, token: "INVALID") }
        at &+= 1
        if at < count, base[at] != 0x23 {
            timestamp = try takeSeconds(start: start)
            hasTimestamp = true
            guard at < count else { throw failure("expected next entry after timestamp", start: start, token: "EOF") }
            if base[at] == 0x0A {
                at &+= 1
                return
            }
            guard base[at] == 0x20 else {
                throw failure("expected timestamp or # symbol", start: start, token: "INVALID")
            }
            at &+= 1
        }
        try openMetricsExemplar(start: start)
    }

    private mutating func openMetricsExemplar(start: Int) throws(ExpositionError) {
        guard word("# {", at) else { throw failure("expected timestamp or # symbol", start: start, token: "INVALID") }
        at &+= 2
        let from = at
        at &+= 1
        try scanBraces(start: start)
        guard at < count, base[at] == 0x20 else {
            throw failure("expected value after exemplar labels", start: start, token: "INVALID")
        }
        at &+= 1
        _ = try takeNumber(start: start)
        guard at < count else { throw failure("expected timestamp or new record", start: start, token: "EOF") }
        if base[at] == 0x20 {
            at &+= 1
            _ = try takeSeconds(start: start)
        }
        guard at < count, base[at] == 0x0A else {
            throw failure("expected timestamp or new record", start: start, token: at >= count ? "EOF" : "INVALID")
        }
        exemplar = from..<at
        at &+= 1
    }

    /// Reads seconds as a number, and returns milliseconds truncated towards zero.
    private mutating func takeSeconds(start: Int) throws(ExpositionError) -> Int64 {
        let from = at
        let seconds = try takeNumber(start: start).value
        guard seconds.isFinite else {
            throw ExpositionError.at(
                from, in: base, "invalid timestamp \(FloatText.general(seconds))")
        }
        // As Go's conversion on amd64: a value that does not fit becomes the smallest integer.
        let ms = seconds * 1000
        return ms > -0x1p63 && ms < 0x1p63 ? Int64(ms) : .min
    }
}
