import Glibc
import GoCompatibility
import Model

/// Checks a text strictly against OpenMetrics 1.0, while a scrape is lenient.
///
/// Beside the grammar it checks the specification's rules about families: metadata before samples and at most once,
/// names without conflicts, suffixes and labels by type, groups with consecutive lines, times that do not decrease,
/// values that the type allows, complete histograms, and exemplars only where they are allowed.
public struct OpenMetricsValidator {
    /// The suffixes that samples of a type may have; other types have none.
    public static func suffixes(_ type: MetricType) -> [String] {
        switch type {
        case .counter: ["_total", "_created"]
        case .summary: ["", "_count", "_sum", "_created"]
        case .histogram: ["_count", "_sum", "_bucket", "_created"]
        case .gaugeHistogram: ["_gcount", "_gsum", "_bucket"]
        case .info: ["_info"]
        default: [""]
        }
    }

    /// The state of one family while its lines are read.
    private struct Family {
        var name: String
        var type: MetricType?
        var help: String?
        var unit: String?
        var hasSamples = false
        var allowed: [String]
        var groups: Set<ExactText> = []
        /// The group of the last sample, and its time as text and number.
        var group: ExactText?
        var time: Double?
        var buckets = HistogramCheck()

        init(_ name: String) {
            self.name = name
            allowed = [name]
        }
    }

    private let page: UnsafeBufferPointer<UInt8>
    private var family: Family?
    private var names: Set<String> = []
    private var labels = SeriesText()
    /// The start of the current entry.
    private var place = 0

    private init(_ page: UnsafeBufferPointer<UInt8>) { self.page = page }

    /// Throws the first error.
    public static func validate(_ page: [UInt8]) throws(ExpositionError) {
        if String(validating: page, as: UTF8.self) == nil {
            throw ExpositionError("the page is not valid UTF-8", line: 1, column: 1)
        }
        let result = page.withUnsafeBufferPointer { page -> Result<Void, ExpositionError> in
            do throws(ExpositionError) {
                var validator = OpenMetricsValidator(page)
                return .success(try validator.run())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    private func fail(_ message: String) -> ExpositionError {
        guard let base = page.baseAddress else { return ExpositionError(message, line: 1, column: 1) }
        return ExpositionError.at(place, in: base, message)
    }

    private mutating func run() throws(ExpositionError) {
        var reader = ExpositionReader(page, isOpenMetrics: true)
        while true {
            let entry = try reader.next()
            switch entry {
            case .end:
                try closeFamily()
                return
            case .series:
                place = reader.seriesStart
                try sample(reader)
            case .type, .help, .unit:
                place = reader.metadataLine.lowerBound
                try metadata(entry, reader)
            }
        }
    }

    // MARK: Metadata

    private mutating func metadata(_ entry: ExpositionEntry, _ reader: ExpositionReader) throws(ExpositionError) {
        let name = String(decoding: reader.bytes(reader.metadataName), as: UTF8.self)
        guard MetricName.isLegacy(name) else { throw fail("invalid metric name \(GoQuote.quote(name))") }
        if family?.name != name {
            try closeFamily()
            family = Family(name)
        }
        guard var family else { return }
        if family.hasSamples { throw fail("metadata of \(name) is after its samples") }
        switch entry {
        case .help:
            guard family.help == nil else { throw fail("more than one HELP for \(name)") }
            family.help = reader.metadataHelpText
        case .unit:
            guard family.unit == nil else { throw fail("more than one UNIT for \(name)") }
            family.unit = reader.metadataRawText
        default:
            guard family.type == nil else { throw fail("more than one TYPE for \(name)") }
            let type = reader.metadataType ?? .unknown
            family.type = type
            family.allowed = Self.suffixes(type).map { name + $0 }
        }
        self.family = family
    }

    private mutating func closeFamily() throws(ExpositionError) {
        guard let family else { return }
        self.family = nil
        let type = family.type ?? .unknown
        for suffix in Set(Self.suffixes(type) + [""]) where !names.insert(family.name + suffix).inserted {
            throw fail("name \(family.name + suffix) is used by two families")
        }
        if let unit = family.unit, !unit.isEmpty, type == .info || type == .stateSet {
            throw fail("a family of type \(type.rawValue) cannot have a unit: \(family.name)")
        }
        if type == .histogram || type == .gaugeHistogram, let problem = family.buckets.close() {
            throw fail("\(problem): \(family.name)")
        }
    }

    // MARK: Samples

    private mutating func sample(_ reader: ExpositionReader) throws(ExpositionError) {
        let text = reader.seriesText
        try reader.readLabels(&labels)
        guard let nameRange = labels.metricName, text.first != 0x7B else { throw fail("a sample begins with its name") }
        let name = labels.string(nameRange)
        let pairs = try pairs(labels, text)
        if family?.allowed.contains(name) != true {
            try closeFamily()
            family = Family(name)
        }
        guard var family else { return }
        let words = String(decoding: rest(reader), as: UTF8.self).split(
            separator: " ", omittingEmptySubsequences: false)
        let time = words.count > 1 && words[1] != "#" ? Double(String(words[1])) : nil
        let value = reader.number.value
        let type = family.type ?? .unknown
        let suffix = String(name.dropFirst(family.name.count))
        try checkLabels(type, family.name, name, suffix, pairs)
        let group = Self.group(type, family.name, name, pairs)
        if let last = family.group, last != group, family.groups.contains(group) {
            throw fail("samples of a group are not together")
        }
        if family.group == group {
            guard (time == nil) == (family.time == nil) else { throw fail("only some samples of a group have a time") }
            if let time, let before = family.time, before > time, type != .info {
                throw fail("times decrease within a group")
            }
        }
        try checkValue(type, name, family.name, suffix, value)
        if !reader.exemplar.isEmpty { try checkExemplar(reader, type, name) }
        if type == .histogram || type == .gaugeHistogram {
            let bound = pairs.first { $0.name == "le" }.flatMap { Double($0.value) }
            let key = group.text + "\u{0}" + (time.map { "\($0)" } ?? "")
            if let problem = family.buckets.add(ExactText(key), suffix: suffix, bound: bound, value: value) {
                throw fail("\(problem): \(family.name)")
            }
        }
        family.group = group
        family.time = time
        family.groups.insert(group)
        family.hasSamples = true
        self.family = family
    }

    /// The text after the series on its line.
    private func rest(_ reader: ExpositionReader) -> UnsafeBufferPointer<UInt8> {
        let start = min(reader.seriesEnd + 1, page.count)
        let end = page[start...].firstIndex(of: 0x0A) ?? page.count
        return reader.bytes(start..<max(start, end))
    }

    /// The labels that were read from `braces`, which end with a closing brace.
    private func pairs(
        _ text: SeriesText, _ braces: UnsafeBufferPointer<UInt8>
    ) throws(ExpositionError) -> [Label] {
        // Only the lenient grammar allows a comma before the brace.
        if braces.count >= 2, braces[braces.count - 1] == 0x7D, braces[braces.count - 2] == 0x2C {
            throw fail("a comma before the closing brace")
        }
        if text.hasQuotedName { throw fail("OpenMetrics 1.0 has no quoted names") }
        var result: [Label] = []
        for pair in text.pairs {
            let label = Label(name: text.string(pair.name), value: text.string(pair.value))
            guard LabelName.isLegacy(label.name) else {
                throw fail("invalid label name \(GoQuote.quote(label.name))")
            }
            if result.contains(where: { $0.name == label.name }) {
                throw fail("label \(GoQuote.quote(label.name)) appears twice")
            }
            result.append(label)
        }
        return result
    }

    /// Infinity has one spelling.
    private static func isCanonical(_ text: String, _ value: Double) -> Bool {
        value != .infinity || text == "+Inf"
    }

    private func checkLabels(
        _ type: MetricType, _ family: String, _ name: String, _ suffix: String, _ pairs: [Label]
    ) throws(ExpositionError) {
        func value(_ label: String) -> String? { pairs.first { $0.name == label }?.value }
        func number(_ text: String) -> Double? {
            let bytes = Array(text.utf8)
            return bytes.withUnsafeBufferPointer { DecimalNumber.parse($0)?.value }
        }
        if type == .stateSet, value(family) == nil { throw fail("a state has no label \(family)") }
        if type == .histogram || type == .gaugeHistogram, suffix == "_bucket" {
            guard let text = value("le"), let bound = number(text), !bound.isNaN, Self.isCanonical(text, bound) else {
                throw fail("a bucket needs a label le with a number, the last one +Inf")
            }
        }
        if type == .summary, suffix.isEmpty {
            guard let text = value("quantile"), let quantile = number(text), quantile >= 0, quantile <= 1 else {
                throw fail("a quantile needs a label quantile from 0 to 1")
            }
        }
    }

    private static func group(_ type: MetricType, _ family: String, _ name: String, _ pairs: [Label]) -> ExactText {
        if type == .info { return "" }
        var ignored: String?
        if type == .stateSet { ignored = family }
        if type == .summary, name == family { ignored = "quantile" }
        if type == .histogram || type == .gaugeHistogram, name == family + "_bucket" { ignored = "le" }
        let parts = pairs.filter { $0.name != ignored }.map { ExactText("\($0.name)\u{1}\($0.value)") }.sorted()
        return ExactText(parts.map(\.text).joined(separator: "\u{2}"))
    }

    private func checkValue(
        _ type: MetricType, _ name: String, _ family: String, _ suffix: String, _ value: Double
    ) throws(ExpositionError) {
        let isWhole = value.isFinite && value == value.rounded(.towardZero)
        if suffix == "_bucket" || suffix == "_count" || suffix == "_gcount", !value.isNaN, !isWhole {
            throw fail("\(name) counts in whole numbers")
        }
        if type == .stateSet, value != 0, value != 1 { throw fail("a state is 0 or 1") }
        if type == .info, value != 1 { throw fail("an info is 1") }
        if type == .summary, suffix.isEmpty, value < 0 { throw fail("a quantile is not negative") }
        let counts = ["_total", "_sum", "_count", "_bucket", "_gcount"]
        if counts.contains(suffix) || suffix == "_gsum", value.isNaN { throw fail("\(name) cannot be NaN") }
        if counts.contains(suffix), value < 0 { throw fail("\(name) cannot be negative") }
    }

    private mutating func checkExemplar(
        _ reader: ExpositionReader, _ type: MetricType, _ name: String
    ) throws(ExpositionError) {
        let isAllowed =
            (type == .histogram || type == .gaugeHistogram) && name.hasSuffix("_bucket")
            || type == .counter && name.hasSuffix("_total")
        guard isAllowed else { throw fail("only buckets and counters have exemplars") }
        var text = SeriesText()
        _ = try reader.readExemplar(&text)
        let pairs = try pairs(text, reader.bytes(reader.exemplarLabels))
        let size = pairs.reduce(0) { $0 + $1.name.unicodeScalars.count + $1.value.unicodeScalars.count }
        if size > 128 { throw fail("an exemplar's labels are longer than 128 characters") }
    }
}

/// Checks the histograms of one family while their samples are read, group by group.
private struct HistogramCheck {
    private var key: ExactText?
    private var bound: Double?
    private var value = 0.0
    private var count: Double?
    private var hasSum = false
    private var hasGaugeSum = false
    private var hasNegativeBound = false
    private var hasNegativeGaugeSum = false

    /// Adds a sample; returns an error, or nil.
    mutating func add(_ key: ExactText, suffix: String, bound: Double?, value: Double) -> String? {
        if self.key != key {
            if let problem = close() { return problem }
            self = HistogramCheck()
            self.key = key
        }
        switch suffix {
        case "_bucket":
            guard let bound else { return "a bucket without a bound" }
            if bound < 0 { hasNegativeBound = true }
            if let last = self.bound, bound <= last { return "buckets are out of order" }
            if value < self.value { return "counts of buckets fall" }
            self.bound = bound
            self.value = value
        case "_count", "_gcount": count = value
        case "_sum": hasSum = true
        case "_gsum":
            hasGaugeSum = true
            if value < 0 { hasNegativeGaugeSum = true }
        default: break
        }
        return nil
    }

    /// The error of the group as a whole, or nil.
    func close() -> String? {
        guard key != nil else { return nil }
        if bound != .infinity { return "the bucket +Inf is missing" }
        if let count, count != value { return "the count differs from the bucket +Inf" }
        if hasSum || hasGaugeSum, count == nil { return "there is a sum but no count" }
        if !(hasSum || hasGaugeSum), count != nil { return "there is a count but no sum" }
        if hasNegativeBound, hasSum { return "a sum with negative bounds" }
        if !hasNegativeBound, hasNegativeGaugeSum { return "a negative sum without negative bounds" }
        return nil
    }
}
