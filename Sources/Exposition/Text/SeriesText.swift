import GoCompatibility
import Model

/// The parsed labels of one series or exemplar; reused for all series.
///
/// Names and values are unescaped into one byte array. Pairs keep the order of the text. An empty value is kept,
/// because it hides a target's label if `honor_labels` is set.
public struct SeriesText: Sendable {
    /// One label as offsets into ``bytes``.
    public struct Pair: Sendable {
        public var name: Range<Int>
        public var value: Range<Int>
    }

    public private(set) var bytes: [UInt8] = []
    public private(set) var pairs: [Pair] = []
    /// The metric name as offsets into ``bytes``; nil if there is none.
    public private(set) var metricName: Range<Int>?
    /// Whether any name is in quotes, which only newer formats allow.
    public private(set) var hasQuotedName = false

    public init() {}

    /// The text of a range of ``bytes``.
    public func string(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    /// Parses `name{a="b",…}`.
    ///
    /// - Parameters:
    ///   - base: The input.
    ///   - start: The start of the series.
    ///   - end: The end of the series; nothing after it is read.
    ///   - isExemplar: Whether these are the labels of an exemplar, which has no metric name.
    public mutating func parse(
        _ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int, isOpenMetrics: Bool, isExemplar: Bool = false
    ) throws(ExpositionError) {
        bytes.removeAll(keepingCapacity: true)
        pairs.removeAll(keepingCapacity: true)
        metricName = nil
        hasQuotedName = false
        var at = start
        func blanks() {
            if isOpenMetrics { return }
            while at < end, base[at] == 0x20 || base[at] == 0x09 { at &+= 1 }
        }
        func fail(_ expected: String) -> ExpositionError {
            Self.failure(expected, base, end, start: start, at: at, token: at >= end ? "EOF" : Self.token(base[at]))
        }
        if at < end, Self.isMetricStart(base[at]) {
            while at < end, Self.isMetricStart(base[at]) || base[at] &- 0x30 < 10 { at &+= 1 }
            metricName = append(base, start..<at)
        }
        blanks()
        guard at < end else {
            if metricName == nil { throw fail("metric name not set") }
            return
        }
        guard base[at] == 0x7B else { throw fail("expected value after metric") }
        at &+= 1
        var needsComma = false
        while true {
            blanks()
            guard at < end else { throw fail("expected label name") }
            if base[at] == 0x7D { break }
            if needsComma {
                if base[at] == 0x2C {
                    at &+= 1
                    needsComma = false
                    blanks()
                    guard at < end else { throw fail("expected label name") }
                    if base[at] == 0x7D { break }
                } else if isOpenMetrics {
                    throw fail("expected comma or brace close")
                }
            }
            let isQuoted = base[at] == 0x22
            let name: Range<Int>
            if isQuoted {
                guard let closing = try quoted(base, &at, end, isOpenMetrics) else { throw fail("expected label name") }
                guard Self.isUTF8(bytes, closing) else {
                    let shown = GoQuote.quote(String(decoding: bytes[closing], as: UTF8.self))
                    throw ExpositionError.at(at, in: base, "invalid metric name or label names: \(shown)")
                }
                name = closing
                hasQuotedName = true
            } else {
                let from = at
                guard Self.isLabelStart(base[at]) else { throw fail("expected label name") }
                while at < end, Self.isLabelStart(base[at]) || base[at] &- 0x30 < 10 { at &+= 1 }
                name = append(base, from..<at)
            }
            blanks()
            guard at < end, base[at] == 0x3D else {
                if isQuoted, at < end, base[at] == 0x2C || base[at] == 0x7D || !isOpenMetrics, !isExemplar {
                    guard metricName == nil else { throw fail("metric name already set") }
                    guard !name.isEmpty else { throw fail("metric name not set") }
                    metricName = name
                    needsComma = true
                    continue
                }
                throw fail("expected equal")
            }
            at &+= 1
            blanks()
            guard at < end, base[at] == 0x22, let value = try quoted(base, &at, end, isOpenMetrics) else {
                throw fail("expected label value")
            }
            guard Self.isUTF8(bytes, value) else {
                throw ExpositionError.at(
                    at, in: base,
                    "invalid UTF-8 label value: \(GoQuote.quote(String(decoding: bytes[value], as: UTF8.self)))")
            }
            pairs.append(Pair(name: name, value: value))
            needsComma = true
        }
        at &+= 1
        guard at == end else { throw fail("expected value after metric") }
        if metricName == nil, !isExemplar { throw fail("metric name not set") }
    }

    private mutating func append(_ base: UnsafePointer<UInt8>, _ range: Range<Int>) -> Range<Int> {
        let from = bytes.count
        bytes.append(contentsOf: UnsafeBufferPointer(start: base + range.lowerBound, count: range.count))
        return from..<bytes.count
    }

    /// Unescapes a quoted text at `at`; nil if it does not end, in OpenMetrics on its line.
    private mutating func quoted(
        _ base: UnsafePointer<UInt8>, _ at: inout Int, _ end: Int, _ isOpenMetrics: Bool
    ) throws(ExpositionError) -> Range<Int>? {
        let from = bytes.count
        var i = at &+ 1
        var plain = i
        while i < end {
            let byte = base[i]
            if byte == 0x22 {
                _ = append(base, plain..<i)
                at = i &+ 1
                return from..<bytes.count
            }
            if byte == 0x0A, isOpenMetrics { return nil }
            if byte == 0x5C {
                guard i &+ 1 < end, base[i &+ 1] != 0x0A || !isOpenMetrics else { return nil }
                _ = append(base, plain..<i)
                switch base[i &+ 1] {
                case 0x6E: bytes.append(0x0A)
                case 0x5C: bytes.append(0x5C)
                case 0x22: bytes.append(0x22)
                default:
                    bytes.append(0x5C)
                    bytes.append(base[i &+ 1])
                }
                i &+= 2
                plain = i
            } else {
                i &+= 1
            }
        }
        return nil
    }

    static func isUTF8(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
        bytes.withUnsafeBufferPointer { isUTF8(UnsafeBufferPointer(rebasing: $0[range])) }
    }

    static func isUTF8(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        isASCII(bytes) || String(validating: bytes, as: UTF8.self) != nil
    }

    /// Looks at eight bytes at once, because this is done for each help text of each scrape.
    private static func isASCII(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        let raw = UnsafeRawBufferPointer(bytes)
        let words = raw.count & ~7
        var bits: UInt64 = 0
        for at in stride(from: 0, to: words, by: 8) {
            bits |= raw.loadUnaligned(fromByteOffset: at, as: UInt64.self)
        }
        for at in words..<raw.count { bits |= UInt64(raw[at]) }
        return bits & 0x8080_8080_8080_8080 == 0
    }

    private static func isLabelStart(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 || byte == 0x5F }
    private static func isMetricStart(_ byte: UInt8) -> Bool { isLabelStart(byte) || byte == 0x3A }

    private static func token(_ byte: UInt8) -> String {
        switch byte {
        case 0x7B: "BOPEN"
        case 0x7D: "BCLOSE"
        case 0x3D: "EQUAL"
        case 0x2C: "COMMA"
        case 0x22: "QSTRING"
        case 0x0A: "LINEBREAK"
        default: isLabelStart(byte) ? "LNAME" : "INVALID"
        }
    }

    /// An error about the byte at `at`, in the form of Prometheus's text parser.
    static func failure(
        _ expected: String, _ base: UnsafePointer<UInt8>, _ count: Int, start: Int, at: Int, token: String
    ) -> ExpositionError {
        let place = max(start, min(at, count))
        let end = min(place &+ 1, count)
        func text(_ from: Int) -> String {
            // A longer text is not useful, and the input may be one endless line.
            let shown = UnsafeBufferPointer(start: base + from, count: min(max(0, end &- from), 512))
            return GoQuote.quote(String(decoding: shown, as: UTF8.self))
        }
        let message = "\(expected), got \(text(min(place, end))) (\"\(token)\") while parsing: \(text(start))"
        return ExpositionError.at(min(place, count), in: base, message)
    }
}
