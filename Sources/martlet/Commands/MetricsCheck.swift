import Exposition
import Model

/// `martlet check metrics`: reads a page in the text format and says what its names could do better.
enum MetricsCheck {
    private struct Family {
        var type = ""
        var hasHelp = false
        var labelNames: Set<String> = []
        var series: Set<Labels> = []
    }

    /// 1 if the page cannot be read, 3 if there are findings, else 0.
    static func run(_ page: [UInt8]) -> Int32 {
        do throws(ExpositionError) {
            let findings = lint(try families(page))
            for finding in findings { Command.complain(finding) }
            return findings.isEmpty ? 0 : 3
        } catch {
            Command.complain("error while linting: \(error)")
            return 1
        }
    }

    private static func families(_ page: [UInt8]) throws(ExpositionError) -> [(name: String, family: Family)] {
        var types: [String: String] = [:]
        var helps: Set<String> = []
        var samples: [(name: String, labels: Labels)] = []
        try page.withUnsafeBufferPointer { buffer throws(ExpositionError) in
            var reader = ExpositionReader(buffer, isOpenMetrics: false)
            var text = SeriesText()
            guard let base = buffer.baseAddress else { return }
            while true {
                switch try reader.next() {
                case .end: return
                case .help: helps.insert(String(decoding: reader.bytes(reader.metadataName), as: UTF8.self))
                case .type:
                    types[String(decoding: reader.bytes(reader.metadataName), as: UTF8.self)] = String(
                        decoding: reader.bytes(reader.metadataText), as: UTF8.self)
                case .unit: continue
                case .series:
                    try text.parse(base, reader.seriesStart, reader.seriesEnd, isOpenMetrics: false)
                    let pairs = text.pairs.map { (text.string($0.name), text.string($0.value)) }
                    samples.append((text.metricName.map { text.string($0) } ?? "", Labels(pairs)))
                }
            }
        }
        var order: [String] = []
        var result: [String: Family] = [:]
        for (name, labels) in samples {
            let family = familyName(name, types)
            if result[family] == nil {
                order.append(family)
                result[family] = Family(type: types[family] ?? "", hasHelp: helps.contains(family))
            }
            for label in labels.pairs { result[family]?.labelNames.insert(label.name) }
            var builder = LabelsBuilder(labels)
            builder.set(Labels.nameLabel, name)
            if result[family]?.series.insert(builder.labels()).inserted == false {
                result[family]?.labelNames.insert("\u{0}not unique")
            }
        }
        return order.compactMap { name in result[name].map { (name, $0) } }
    }

    /// The family of a sample: without the suffix that its histogram or summary gave it.
    private static func familyName(_ name: String, _ types: [String: String]) -> String {
        for suffix in ["_bucket", "_sum", "_count"] where name.hasSuffix(suffix) {
            let base = String(name.dropLast(suffix.count))
            if types[base] == "histogram" || (types[base] == "summary" && suffix != "_bucket") { return base }
        }
        return name
    }

    private static let baseUnits: [String: String] = [
        "minutes": "seconds", "hours": "seconds", "days": "seconds", "weeks": "seconds", "kelvins": "kelvin",
        "fahrenheit": "celsius", "rankine": "celsius", "inches": "meters", "yards": "meters", "miles": "meters",
        "bits": "bytes", "calories": "joules", "pounds": "grams", "ounces": "grams",
    ]
    private static let bases = [
        "amperes", "bytes", "celsius", "grams", "joules", "kelvin", "meters", "metres", "seconds", "volts",
    ]
    private static let prefixes = [
        "pico", "nano", "micro", "milli", "centi", "deci", "deca", "hecto", "kilo", "kibi", "mega", "mibi", "giga",
        "gibi", "tera", "tebi", "peta", "pebi",
    ]
    private static let abbreviations: Set<String> = [
        "s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d",
    ]

    /// The base unit of a unit that is none; nil for other words.
    private static func betterUnit(_ token: String) -> String? {
        if let base = baseUnits[token] { return base }
        for prefix in prefixes where token.hasPrefix(prefix) {
            let unit = String(token.dropFirst(prefix.count))
            if bases.contains(unit) { return unit }
            if let base = baseUnits[unit] { return base }
        }
        return nil
    }

    private static func isCamelCase(_ name: String) -> Bool {
        zip(name.utf8, name.utf8.dropFirst()).contains { a, b in a >= 0x61 && a <= 0x7A && b >= 0x41 && b <= 0x5A }
    }

    private static func lint(_ families: [(name: String, family: Family)]) -> [String] {
        var findings: [String] = []
        for (name, family) in families {
            func find(_ text: String) { findings.append("\(name) \(text)") }
            let type = family.type
            let isTyped = !type.isEmpty && type != "untyped" && type != "unknown"
            if !family.hasHelp { find("no help text") }
            if type == "counter", !name.hasSuffix("_total") { find("counter metrics should have \"_total\" suffix") }
            if isTyped, type != "counter", name.hasSuffix("_total") {
                find("non-counter metrics should not have \"_total\" suffix")
            }
            if isTyped, type != "histogram" {
                if name.hasSuffix("_bucket") { find("non-histogram metrics should not have \"_bucket\" suffix") }
                if type != "summary" {
                    for suffix in ["_count", "_sum"] where name.hasSuffix(suffix) {
                        find("non-histogram and non-summary metrics should not have \"\(suffix)\" suffix")
                    }
                }
                if family.labelNames.contains("le") { find("non-histogram metrics should not have \"le\" label") }
            }
            if isTyped, type != "summary", family.labelNames.contains("quantile") {
                find("non-summary metrics should not have \"quantile\" label")
            }
            let tokens = name.split(separator: "_").map(String.init)
            for token in tokens {
                if let base = betterUnit(token) { find("use base unit \"\(base)\" instead of \"\(token)\"") }
            }
            if isTyped, name.contains("_\(type)_") || name.hasSuffix("_\(type)") {
                find("metric name should not include type '\(type)'")
            }
            if name.contains(":") { find("metric names should not contain ':'") }
            if isCamelCase(name) { find("metric names should be written in 'snake_case' not 'camelCase'") }
            if family.labelNames.contains(where: isCamelCase) {
                find("label names should be written in 'snake_case' not 'camelCase'")
            }
            if tokens.contains(where: { abbreviations.contains($0.lowercased()) }) {
                find("metric names should not contain abbreviated units")
            }
            if family.labelNames.contains("\u{0}not unique") { find("metric not unique") }
        }
        return findings
    }
}
