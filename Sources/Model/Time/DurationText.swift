import GoCompatibility

/// Durations in Prometheus's notation, `1h30m`; the unit of values is the millisecond.
public enum DurationText {
    /// The reason why a text is not a duration, in Prometheus's words.
    public struct ParseError: Error, CustomStringConvertible {
        public var description: String
    }

    private static let units: [(name: String, ms: Int64)] = [
        ("y", 365 * 86_400_000), ("w", 7 * 86_400_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000),
        ("s", 1000), ("ms", 1),
    ]

    /// Reads `0` or integers with units in descending order, each at most once.
    ///
    /// - Returns: Milliseconds, never negative.
    public static func parse(_ text: String) throws(ParseError) -> Int64 {
        if text.isEmpty { throw ParseError(description: "empty duration string") }
        if text == "0" { return 0 }
        let bytes = Array(text.utf8)
        var at = 0
        var last = -1
        var total: Int64 = 0
        while at < bytes.count {
            let start = at
            var amount: Int64 = 0
            var overflow = false
            while at < bytes.count, bytes[at] >= 0x30, bytes[at] <= 0x39 {
                let (product, high) = amount.multipliedReportingOverflow(by: 10)
                let (sum, carry) = product.addingReportingOverflow(Int64(bytes[at] - 0x30))
                overflow = overflow || high || carry
                amount = sum
                at += 1
            }
            let unitStart = at
            while at < bytes.count, bytes[at] < 0x30 || bytes[at] > 0x39 { at += 1 }
            guard unitStart > start, unitStart < at else {
                throw ParseError(description: "not a valid duration string: \(GoQuote.quote(text))")
            }
            let unit = String(decoding: bytes[unitStart..<at], as: UTF8.self)
            guard let index = units.firstIndex(where: { $0.name == unit }) else {
                throw ParseError(description: "unknown unit \(GoQuote.quote(unit)) in duration \(GoQuote.quote(text))")
            }
            guard index > last else {
                throw ParseError(description: "not a valid duration string: \(GoQuote.quote(text))")
            }
            last = index
            let (ms, high) = amount.multipliedReportingOverflow(by: units[index].ms)
            let (sum, carry) = total.addingReportingOverflow(ms)
            // Prometheus counts in nanoseconds, so its range ends after about 292 years.
            if overflow || high || carry || sum > Int64.max / 1_000_000 {
                throw ParseError(description: "duration out of range")
            }
            total = sum
        }
        return total
    }

    /// Writes milliseconds: years and weeks only if they divide exactly, then days to milliseconds.
    public static func format(_ milliseconds: Int64) -> String {
        if milliseconds == 0 { return "0s" }
        var rest = milliseconds.magnitude
        var text = milliseconds < 0 ? "-" : ""
        for (index, unit) in units.enumerated() {
            let size = UInt64(unit.ms)
            if index < 2, rest % size != 0 { continue }
            if rest >= size {
                text += "\(rest / size)\(unit.name)"
                rest %= size
            }
        }
        return text
    }
}
