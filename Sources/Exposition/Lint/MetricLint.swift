import GoCompatibility
import Model

/// Reports violations of the conventions for metrics in an exposition text, in the words of `promtool check metrics`.
public struct MetricLint {
    /// One violation.
    public struct Problem: Sendable, Hashable {
        public var metric: String
        public var text: String
    }

    /// The number of series of a family.
    public struct Cardinality: Sendable, Hashable {
        public var metric: String
        public var series: Int
    }

    private struct Family {
        var type: MetricType?
        var hasHelp = false
        var hasHelpLine = false
        var hasTypeLine = false
        var labelNames: Set<ExactText> = []
        var series: Set<Labels> = []
        var hasDuplicates = false
        var lines = 0
    }

    private var families: [ExactText: Family] = [:]
    private var order: [ExactText] = []
    /// The family of the last TYPE or HELP line.
    private var current = ""

    private init() {}

    /// Reads a Prometheus text.
    ///
    /// - Throws: The first syntax error.
    public static func check(
        _ page: [UInt8]
    ) throws(ExpositionError) -> (problems: [Problem], cardinality: [Cardinality]) {
        try LintLines.check(page)
        let result = LintLines.adapted(page).withUnsafeBufferPointer { page -> Result<MetricLint, ExpositionError> in
            do throws(ExpositionError) {
                var lint = MetricLint()
                try lint.read(page)
                return .success(lint)
            } catch {
                return .failure(error)
            }
        }
        let lint = try result.get()
        let names = lint.order.sorted()
        let problems = names.flatMap { name in
            (lint.families[name].map { departures(name.text, $0) } ?? [])
                .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
                .map { Problem(metric: name.text, text: $0) }
        }
        let sizes = names.map { Cardinality(metric: $0.text, series: lint.families[$0]?.lines ?? 0) }
            .sorted { $0.series > $1.series }
        return (problems, sizes)
    }

    private mutating func read(_ page: UnsafeBufferPointer<UInt8>) throws(ExpositionError) {
        var reader = ExpositionReader(page, isOpenMetrics: false)
        var text = SeriesText()
        while true {
            switch try reader.next() {
            case .end: return
            case .type:
                current = reader.metadataNameText
                let family = families[ExactText(current)]
                if family?.hasTypeLine == true || (family?.lines ?? 0) > 0 {
                    throw mistake(
                        reader, page,
                        "second TYPE line for metric name \(GoQuote.quote(current)), or TYPE reported "
                            + "after samples")
                }
                let type = reader.metadataType
                change(current) {
                    $0.hasTypeLine = true
                    $0.type = type == .unknown ? nil : type
                }
            case .help:
                current = reader.metadataNameText
                if families[ExactText(current)]?.hasHelpLine == true {
                    throw mistake(reader, page, "second HELP line for metric name \(GoQuote.quote(current))")
                }
                let hasText = !reader.metadataRawText.isEmpty
                try checkEscapes(reader.metadataRawText.utf8, "\\n", reader.metadataLine.lowerBound, page)
                change(current) { ($0.hasHelpLine, $0.hasHelp) = (true, hasText) }
            case .unit: continue
            case .series:
                try reader.readLabels(&text)
                let name = text.metricName.map { text.string($0) } ?? ""
                try checkEscapes(reader.seriesText, "\\n\"", reader.seriesStart, page)
                if Set(text.pairs.map { ExactText(text.string($0.name)) }).count != text.pairs.count {
                    throw Self.mistake(
                        reader.seriesStart, page, "duplicate label names for metric \(GoQuote.quote(name))")
                }
                let pairs = text.pairs.map { (text.string($0.name), text.string($0.value)) }
                let labels = Labels(pairs + [("__name__", name)])
                change(family(of: name)) { family in
                    family.lines += 1
                    for (label, _) in pairs { family.labelNames.insert(ExactText(label)) }
                    if !family.series.insert(labels).inserted { family.hasDuplicates = true }
                }
            }
        }
    }

    /// Refuses a backslash before anything but `allowed`; the reader passes over those as Prometheus does.
    private func checkEscapes(
        _ text: some Sequence<UInt8>, _ allowed: String, _ place: Int, _ page: UnsafeBufferPointer<UInt8>
    ) throws(ExpositionError) {
        var isEscaped = false
        for byte in text {
            if isEscaped, !allowed.utf8.contains(byte) {
                throw Self.mistake(place, page, "invalid escape sequence '\\\(Unicode.Scalar(byte))'")
            }
            isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
        }
    }

    private static func mistake(
        _ place: Int, _ page: UnsafeBufferPointer<UInt8>, _ message: String
    ) -> ExpositionError {
        guard let base = page.baseAddress else { return ExpositionError(message, line: 0, column: 0) }
        return .at(place, in: base, message)
    }

    /// A mistake in the reader's line of metadata.
    private func mistake(
        _ reader: ExpositionReader, _ page: UnsafeBufferPointer<UInt8>, _ message: String
    ) -> ExpositionError {
        Self.mistake(reader.metadataLine.lowerBound, page, message)
    }

    private mutating func change(_ name: String, _ body: (inout Family) -> Void) {
        let name = ExactText(name)
        if families[name] == nil { order.append(name) }
        body(&families[name, default: Family()])
    }

    /// The current family if the sample belongs to it, else a separate one.
    private func family(of name: String) -> String {
        guard name != current, name.hasPrefix(current), let type = families[ExactText(current)]?.type else {
            return name
        }
        let suffix = name.dropFirst(current.count)
        let allowed: [Substring] =
            switch type {
            case .histogram: ["_bucket", "_count", "_sum"]
            case .summary: ["_count", "_sum"]
            default: []
            }
        return allowed.contains(suffix) ? current : name
    }

    // MARK: Conventions

    private static func departures(_ name: String, _ family: Family) -> [String] {
        var found: [String] = []
        if !family.hasHelp { found.append("no help text") }
        found += unitProblems(name)
        if let type = family.type { found += typeProblems(name, type, family.labelNames) }
        if name.contains(":") { found.append("metric names should not contain ':'") }
        if isCamelCase(name) { found.append("metric names should be written in 'snake_case' not 'camelCase'") }
        if family.labelNames.contains(where: { isCamelCase($0.text) }) {
            found.append("label names should be written in 'snake_case' not 'camelCase'")
        }
        let short = ["s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d"]
        for unit in short where name.contains("_\(unit)_") || name.hasSuffix("_\(unit)") {
            found.append("metric names should not contain abbreviated units")
        }
        if family.hasDuplicates { found.append("metric not unique") }
        return found
    }

    private static func typeProblems(_ name: String, _ type: MetricType, _ labels: Set<ExactText>) -> [String] {
        var found: [String] = []
        if type == .counter, !name.hasSuffix("_total") {
            found.append("counter metrics should have \"_total\" suffix")
        } else if type != .counter, name.hasSuffix("_total") {
            found.append("non-counter metrics should not have \"_total\" suffix")
        }
        if type != .histogram, name.hasSuffix("_bucket") {
            found.append("non-histogram metrics should not have \"_bucket\" suffix")
        }
        if type != .histogram, type != .summary {
            for suffix in ["_count", "_sum"] where name.hasSuffix(suffix) {
                found.append("non-histogram and non-summary metrics should not have \"\(suffix)\" suffix")
            }
        }
        if type != .histogram, labels.contains("le") {
            found.append("non-histogram metrics should not have \"le\" label")
        }
        if type != .summary, labels.contains("quantile") {
            found.append("non-summary metrics should not have \"quantile\" label")
        }
        for word in ["counter", "gauge", "summary", "histogram"] where word == type.rawValue {
            let lower = GoCase.lower(name)
            if lower.contains("_\(word)_") || lower.hasSuffix("_\(word)") {
                found.append("metric name should not include type '\(word)'")
            }
        }
        return found
    }

    private static func isCamelCase(_ name: String) -> Bool {
        var previous: UInt8 = 0
        for byte in name.utf8 {
            if previous >= 0x61, previous <= 0x7A, byte >= 0x41, byte <= 0x5A { return true }
            previous = byte
        }
        return false
    }

    /// The base unit of each unit.
    private static let bases: [String: String] = {
        var bases: [String: String] = [
            "minutes": "seconds", "hours": "seconds", "days": "seconds", "weeks": "seconds", "kelvins": "kelvin",
            "fahrenheit": "celsius", "rankine": "celsius", "inches": "meters", "yards": "meters", "miles": "meters",
            "bits": "bytes", "calories": "joules", "pounds": "grams", "ounces": "grams",
        ]
        for unit in [
            "amperes", "bytes", "celsius", "grams", "joules", "kelvin", "meters", "metres", "seconds", "volts",
        ] {
            bases[unit] = unit
        }
        return bases
    }()

    private static let prefixes = [
        "pico", "nano", "micro", "milli", "centi", "deci", "deca", "hecto", "kilo", "kibi", "mega", "mibi", "mebi",
        "giga", "gibi", "tera", "tebi", "peta", "pebi",
    ]

    private static func unitProblems(_ name: String) -> [String] {
        for word in GoCase.lower(name).split(separator: "_").map(String.init) {
            let rest = prefixes.first { word.hasPrefix($0) && bases[String(word.dropFirst($0.count))] != nil }
                .map { String(word.dropFirst($0.count)) }
            guard let base = bases[word] ?? rest.flatMap({ bases[$0] }) else { continue }
            if base != word { return ["use base unit \"\(base)\" instead of \"\(word)\""] }
            return []
        }
        return []
    }
}
