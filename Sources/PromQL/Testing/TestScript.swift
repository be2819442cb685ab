import GoCompatibility
import Model

/// The commands of a test script for query engines, in the language of Prometheus's own tests.
package struct TestScript: Sendable {
    package enum Command: Sendable {
        case clear
        case load(Load)
        case evaluate(Evaluation)
    }

    /// `load 5m` and its series.
    package struct Load: Sendable {
        /// The ms between values.
        package var gap: Int64
        package var series: [(Labels, [SeriesNotation.Value?])] = []
        /// The start timestamps of a series in ``series``: the distance of each from its sample's time, ms.
        package var starts: [Int: [Int64?]] = [:]
        /// Whether the command is `load_with_nhcb`: classic histograms are also converted to native ones with custom
        /// bounds.
        package var convertsClassic = false
    }

    /// The expected text of an annotation or error.
    package enum Pattern: Sendable {
        case any
        case exactly(String)
        case regex(SearchRegex)

        package func matches(_ text: String) -> Bool {
            switch self {
            case .any: true
            case .exactly(let wanted): wanted == text
            case .regex(let regex): regex.matches(text)
            }
        }
    }

    /// The expected annotations of one kind.
    package struct AnnotationExpectation: Sendable {
        package var patterns: [Pattern] = []
        package var isForbidden = false
    }

    /// The first and last time and the distance, ms.
    package struct Times: Sendable {
        package var start: Int64
        package var end: Int64
        package var step: Int64
    }

    /// `eval …` and its expectations.
    package struct Evaluation: Sendable {
        package var line: Int
        package var query: String
        package var isInstant: Bool
        package var times: Times
        package var isOrdered = false
        package var failure: Pattern?
        package var warnings = AnnotationExpectation()
        package var infos = AnnotationExpectation()
        package var string: String?
        /// The times of an expected range vector; nil if none is expected.
        package var rangeVector: Times?
        package var scalar: Double?
        package var series: [(labels: Labels, values: [SeriesNotation.Value?])] = []
        /// The indices of ``series`` whose hint on counter resets must be unknown; in others any hint matches.
        package var seriesWithUnknownHints: Set<Int> = []
    }

    package struct SyntaxError: Error, Sendable, CustomStringConvertible {
        package var line: Int
        package var message: String
        package var description: String { "line \(line): \(message)" }
    }

    /// Commands with the numbers of their lines.
    package private(set) var commands: [(line: Int, command: Command)] = []

    private let lines: [Substring]
    private var at = 0

    /// Reads a script.
    package init(_ text: String) throws(SyntaxError) {
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let trimmed = Self.trim(line)
            return trimmed.first == "#" ? "" : trimmed
        }
        while at < lines.count {
            let line = at + 1
            let text = lines[at]
            at += 1
            if text.isEmpty { continue }
            do {
                commands.append((line, try command(text, line)))
            } catch let error as SyntaxError {
                throw error
            } catch {
                throw SyntaxError(line: line, message: "\(error)")
            }
        }
    }

    private static func trim(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return text
    }

    /// The next line of the current command, or nil at the blank line that ends it.
    private mutating func continuation() -> Substring? {
        guard at < lines.count, !lines[at].isEmpty else { return nil }
        at += 1
        return lines[at - 1]
    }

    private static func words(_ text: Substring, _ count: Int) -> [Substring] {
        text.split(maxSplits: count - 1, omittingEmptySubsequences: true) { $0 == " " || $0 == "\t" }.map(trim)
    }

    private mutating func command(_ text: Substring, _ line: Int) throws -> Command {
        let name = Self.words(text, 2)[0]
        switch name {
        case "clear": return .clear
        case "load", "load_with_nhcb":
            let words = Self.words(text, 2)
            guard words.count == 2 else { throw SyntaxError(line: line, message: "expected load and a duration") }
            var load = Load(gap: try Self.milliseconds(words[1]), convertsClassic: name == "load_with_nhcb")
            while let next = continuation() { try self.load(next, into: &load) }
            return .load(load)
        case "eval", "eval_ordered", "eval_fail", "eval_warn", "eval_info":
            return .evaluate(try evaluation(text, line))
        default: throw SyntaxError(line: line, message: "unknown command \(GoQuote.quote(String(name)))")
        }
    }

    /// Reads a series, and the line with its start timestamps, which may precede it.
    private mutating func load(_ text: Substring, into load: inout Load) throws {
        guard let (metric, starts) = try SeriesNotation.parseStarts(String(text)) else {
            return load.series.append(try series(text))
        }
        guard let next = continuation() else {
            throw SyntaxError(line: at, message: "expected the samples of the start timestamps")
        }
        let samples = try series(next)
        guard samples.0 == metric, samples.1.count == starts.count else {
            throw SyntaxError(
                line: at, message: "expected \(starts.count) samples of the series that the start timestamps are of")
        }
        load.starts[load.series.count] = starts
        load.series.append(samples)
    }

    private func series(_ text: Substring) throws -> (Labels, [SeriesNotation.Value?]) {
        do {
            return try SeriesNotation.parseSeries(String(text))
        } catch { throw SyntaxError(line: at, message: "\(error)") }
    }

    /// A duration, or seconds; ms.
    private static func milliseconds(_ text: Substring) throws -> Int64 {
        if let seconds = Double(text) {
            let value = (seconds * 1000).rounded()
            guard value.magnitude < 0x1p53 else {
                throw SeriesNotation.SyntaxError(description: "duration out of range")
            }
            return Int64(value)
        }
        if text.first == "-" { return -(try DurationText.parse(String(text.dropFirst()))) }
        return try DurationText.parse(String(text))
    }

    /// `from A to B step C …`: the times and the rest.
    private static func times(_ text: Substring, _ line: Int) throws -> (Times, rest: Substring) {
        let words = words(text, 7)
        guard words.count >= 6, words[0] == "from", words[2] == "to", words[4] == "step" else {
            throw SyntaxError(line: line, message: "expected from TIME to TIME step DURATION")
        }
        let times = Times(
            start: try milliseconds(words[1]), end: try milliseconds(words[3]), step: try milliseconds(words[5]))
        guard times.step > 0 else { throw SyntaxError(line: line, message: "step must be greater than 0") }
        return (times, words.count > 6 ? words[6] : "")
    }

    private mutating func evaluation(_ text: Substring, _ line: Int) throws -> Evaluation {
        let words = Self.words(text, 3)
        guard words.count == 3 else { throw SyntaxError(line: line, message: "expected eval, times and a query") }
        var result: Evaluation
        switch words[1] {
        case "instant":
            let rest = Self.words(words[2], 3)
            guard rest.count == 3, rest[0] == "at" else {
                throw SyntaxError(line: line, message: "expected eval instant at TIME QUERY")
            }
            let time = try Self.milliseconds(rest[1])
            result = Evaluation(
                line: line, query: String(rest[2]), isInstant: true, times: Times(start: time, end: time, step: 1))
        case "range":
            let (times, query) = try Self.times(words[2], line)
            result = Evaluation(line: line, query: String(query), isInstant: false, times: times)
        default: throw SyntaxError(line: line, message: "expected \"instant\" or \"range\"")
        }
        switch words[0] {
        case "eval_ordered": result.isOrdered = true
        case "eval_fail": result.failure = .any
        case "eval_warn": result.warnings.patterns = [.any]
        case "eval_info": result.infos.patterns = [.any]
        default: break
        }
        while let next = continuation() { try expectation(next, into: &result) }
        try check(result)
        return result
    }

    /// Refuses expectations that are contradictory, or that no result can meet.
    private func check(_ evaluation: Evaluation) throws {
        func refuse(_ message: String) throws { throw SyntaxError(line: evaluation.line, message: message) }
        if evaluation.infos.isForbidden, !evaluation.infos.patterns.isEmpty {
            try refuse("info and no_info cannot be used together")
        }
        if evaluation.warnings.isForbidden, !evaluation.warnings.patterns.isEmpty {
            try refuse("warn and no_warn cannot be used together")
        }
        if evaluation.isOrdered, !evaluation.isInstant { try refuse("a range query has no order to expect") }
        if evaluation.isInstant, evaluation.rangeVector == nil,
            evaluation.series.contains(where: { $0.values.count > 1 })
        {
            try refuse("an instant query gives one value per series; \"expect range vector\" is for more")
        }
    }

    private func expectation(_ text: Substring, into result: inout Evaluation) throws {
        let words = Self.words(text, 3)
        let rest = words.count > 2 ? words[2] : ""
        switch words[0] {
        case "expected_fail_message":
            result.failure = .exactly(String(Self.trim(text.dropFirst("expected_fail_message".count))))
        case "expected_fail_regexp":
            result.failure = .regex(try SearchRegex(String(Self.trim(text.dropFirst("expected_fail_regexp".count)))))
        case "expect":
            switch words.count > 1 ? words[1] : "" {
            case "ordered": result.isOrdered = true
            case "fail":
                if result.failure != nil {
                    throw SyntaxError(line: at, message: "a query fails only once")
                }
                result.failure = try pattern(rest)
            case "warn": result.warnings.patterns.append(try pattern(rest))
            case "info": result.infos.patterns.append(try pattern(rest))
            case "no_warn": result.warnings.isForbidden = true
            case "no_info": result.infos.isForbidden = true
            case "string":
                guard case .string(let literal) = try PromQLParser.parse(String(rest)) else {
                    throw SyntaxError(line: at, message: "expected a string")
                }
                result.string = literal.value
            case "range":
                let vector = Self.words(rest, 2)
                guard vector.count == 2, vector[0] == "vector" else {
                    throw SyntaxError(line: at, message: "expected range vector from TIME to TIME step DURATION")
                }
                result.rangeVector = try Self.times(vector[1], at).0
            default: throw SyntaxError(line: at, message: "unknown expectation \(GoQuote.quote(String(text)))")
            }
        default:
            var scanner = NotationScanner(String(text))
            if let number = try? scanner.number(), scanner.isAtEnd {
                result.scalar = number
            } else {
                if text.contains("counter_reset_hint:unknown") {
                    result.seriesWithUnknownHints.insert(result.series.count)
                }
                result.series.append(try series(text))
            }
        }
    }

    private func pattern(_ text: Substring) throws -> Pattern {
        if text.isEmpty { return .any }
        if text.hasPrefix("msg:") { return .exactly(String(Self.trim(text.dropFirst(4)))) }
        if text.hasPrefix("regex:") { return .regex(try SearchRegex(String(Self.trim(text.dropFirst(6))))) }
        throw SyntaxError(line: at, message: "expected \"msg:\" or \"regex:\"")
    }
}
