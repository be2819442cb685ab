import Model

/// The notation of series in test scripts and rule unit tests, `name{a="b"} 0 1+2x3 _ stale {{count:1}}`.
package enum SeriesNotation {
    /// One value of a series.
    package enum Value: Sendable {
        case float(Double)
        case histogram(FloatHistogram)
    }

    /// The reason why a text is not a series.
    package struct SyntaxError: Error, Sendable, CustomStringConvertible {
        package var description: String
        /// The position in bytes of the text.
        var offset = 0
    }

    /// The most values of one series.
    private static let maxValues = 10_000_000

    /// Reads a series with its values; nil for a value that is left out.
    package static func parseSeries(_ line: String) throws -> (Labels, [Value?]) {
        let bytes = Array(line.utf8)
        let end = endOfMetric(bytes)
        let metric = String(decoding: bytes[..<end], as: UTF8.self)
        let labels = try parseMetric(metric)
        do throws(SyntaxError) {
            return (labels, try parseValues(String(decoding: bytes[end...], as: UTF8.self)))
        } catch {
            throw SyntaxError(description: error.description, offset: error.offset + end)
        }
    }

    /// Reads a series with its values as ``parseSeries(_:)`` does; errors name `line` and a column.
    package static func parseSeries(_ text: String, line: Int) throws -> (Labels, [Value?]) {
        do {
            return try parseSeries(text)
        } catch var error as ParseError {
            if error.line > 0 { error.line += line - 1 }
            throw error
        } catch let error as SyntaxError {
            var place = ParseError(error.description, at: error.offset, in: Array(text.utf8))
            place.line += line - 1
            throw place
        }
    }

    /// Reads `name{a="b"}`, `{a="b"}` or `{}`.
    package static func parseMetric(_ text: String) throws -> Labels {
        let bare = text.filter { $0 != " " && $0 != "\t" }
        return bare == "{}" ? .empty : try PromQLParser.parseSeries(text)
    }

    /// The start of the values: after the braces, or after the name if there are none.
    private static func endOfMetric(_ bytes: [UInt8]) -> Int {
        var at = 0
        while at < bytes.count, isSpace(bytes[at]) { at += 1 }
        while at < bytes.count, !isSpace(bytes[at]), bytes[at] != UInt8(ascii: "{") { at += 1 }
        var brace = at
        while brace < bytes.count, isSpace(bytes[brace]) { brace += 1 }
        // Two braces begin a histogram, the first value.
        guard brace < bytes.count, bytes[brace] == UInt8(ascii: "{"),
            brace + 1 >= bytes.count || bytes[brace + 1] != UInt8(ascii: "{")
        else { return at }
        at = brace
        var quote: UInt8?
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            if let open = quote {
                if byte == UInt8(ascii: "\\"), open != UInt8(ascii: "`") {
                    at += 1
                } else if byte == open {
                    quote = nil
                }
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "`") {
                quote = byte
            } else if byte == UInt8(ascii: "}") {
                break
            }
        }
        return min(at, bytes.count)
    }

    /// Reads a line of start timestamps, `name{a="b"}@st -1mx3 _ 0-30sx2`: the distance of each from the time of its
    /// sample, ms; nil if it is a line of samples.
    package static func parseStarts(_ line: String) throws -> (Labels, [Int64?])? {
        let bytes = Array(line.utf8)
        let mark = Array("@st".utf8)
        var end = endOfMetric(bytes)
        var behind = end
        if bytes[..<end].suffix(mark.count).elementsEqual(mark) {
            end -= mark.count
        } else if bytes[end...].prefix(mark.count).elementsEqual(mark) {
            behind += mark.count
        } else {
            return nil
        }
        var starts: [Int64?] = []
        for item in String(decoding: bytes[behind...], as: UTF8.self).split(whereSeparator: \.isWhitespace) {
            try parseStart(item, into: &starts)
            guard starts.count <= maxValues else { throw SyntaxError(description: "more than \(maxValues) values") }
        }
        return (try parseMetric(String(decoding: bytes[..<end], as: UTF8.self)), starts)
    }

    private static func parseStart(_ item: Substring, into starts: inout [Int64?]) throws {
        let parts = item.split(separator: "x", maxSplits: 1, omittingEmptySubsequences: false)
        let text = parts[0]
        var count: Int?
        if parts.count > 1 {
            guard let number = Int(parts[1]), (0..<maxValues).contains(number) else {
                throw SyntaxError(description: "expected a number of repetitions in \(item)")
            }
            count = number
        }
        if text == "_" {
            starts += [Int64?](repeating: nil, count: count ?? 1)
            return
        }
        let split = text.dropFirst().firstIndex { $0 == "+" || $0 == "-" }
        var offset = try milliseconds(text[..<(split ?? text.endIndex)])
        let step = try split.map { try milliseconds(text[$0...]) } ?? 0
        guard split == nil || count != nil else {
            throw SyntaxError(description: "expected \"x\" and a number of repetitions in \(item)")
        }
        for _ in 0...(count ?? 0) {
            starts.append(offset)
            offset = offset &+ step
        }
    }

    /// A duration with or without a sign, ms.
    private static func milliseconds(_ text: Substring) throws -> Int64 {
        let digits = text.first == "-" || text.first == "+" ? text.dropFirst() : text
        let value = digits == "0" ? 0 : try DurationText.parse(String(digits))
        return text.first == "-" ? -value : value
    }

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A }

    /// Reads values separated by blanks; nil for a value that is left out.
    package static func parseValues(_ text: String) throws(SyntaxError) -> [Value?] {
        var scanner = NotationScanner(text)
        var values: [Value?] = []
        scanner.skipSpace()
        while !scanner.isAtEnd {
            try parseItem(&scanner, into: &values)
            guard scanner.isAtEnd || scanner.isAtSpace else {
                throw scanner.failure("expected a blank between values")
            }
            scanner.skipSpace()
        }
        return values
    }

    private static func parseItem(
        _ scanner: inout NotationScanner, into values: inout [Value?]
    ) throws(SyntaxError) {
        if scanner.take("_") {
            let count = scanner.take("x") ? try scanner.count(most: max(0, maxValues - values.count)) : 1
            values.append(contentsOf: [Value?](repeating: nil, count: count))
        } else if scanner.take("stale") {
            // Prometheus reads `stalex2` as one word.
            if scanner.peek("x") { throw scanner.failure("expected a blank after \"stale\"") }
            values.append(.float(Staleness.marker))
        } else if scanner.peek("{{") {
            let first = try HistogramNotation.parse(&scanner)
            var increment: (FloatHistogram, isAdded: Bool)?
            if scanner.peek("+{{") || scanner.peek("-{{") {
                let isAdded = scanner.take("+")
                if !isAdded { _ = scanner.take("-") }
                increment = (try HistogramNotation.parse(&scanner), isAdded)
            }
            var current = first
            values.append(.histogram(current))
            guard scanner.take("x") else {
                if increment != nil { throw scanner.failure("expected \"x\" and a number of repetitions") }
                return
            }
            for _ in 0..<(try scanner.count(most: max(0, maxValues - values.count))) {
                if let (step, isAdded) = increment {
                    if current.schema > step.schema, !current.usesCustomBuckets {
                        throw scanner.failure(
                            "error combining histograms: cannot merge from schema \(step.schema) to \(current.schema)")
                    }
                    current = try combined(current, step, isAdded: isAdded, scanner)
                }
                values.append(.histogram(current))
            }
        } else {
            var value = try scanner.number()
            values.append(.float(value))
            var increment = 0.0
            let hasIncrement = scanner.peek("+") || scanner.peek("-")
            if hasIncrement { increment = try scanner.number() }
            guard scanner.take("x") else {
                if hasIncrement { throw scanner.failure("expected \"x\" and a number of repetitions") }
                return
            }
            for _ in 0..<(try scanner.count(most: max(0, maxValues - values.count))) {
                value += increment
                values.append(.float(value))
            }
        }
    }

    private static func combined(
        _ current: FloatHistogram, _ step: FloatHistogram, isAdded: Bool, _ scanner: NotationScanner
    ) throws(SyntaxError) -> FloatHistogram {
        do {
            return isAdded ? try current.adding(step).0 : try current.subtracting(step).0
        } catch { throw scanner.failure("error combining histograms: \(error)") }
    }
}
