/// Durations as Go prints them; the unit is the nanosecond.
public enum GoDuration {
    /// `time.Duration.String`: `1h2m3.5s`, `1.5ms`, `0s`.
    public static func text(_ nanoseconds: Int64) -> String {
        if nanoseconds == 0 { return "0s" }
        let size = nanoseconds.magnitude
        let sign = nanoseconds < 0 ? "-" : ""
        func decimal(_ value: UInt64, per unit: UInt64) -> String {
            let rest = value % unit
            guard rest != 0 else { return String(value / unit) }
            var digits = String(rest + unit).dropFirst()
            while digits.last == "0" { digits = digits.dropLast() }
            return "\(value / unit).\(digits)"
        }
        if size < 1000 { return "\(sign)\(size)ns" }
        if size < 1_000_000 { return sign + decimal(size, per: 1000) + "µs" }
        if size < 1_000_000_000 { return sign + decimal(size, per: 1_000_000) + "ms" }
        let minutes = size / 60_000_000_000
        let seconds = decimal(size % 60_000_000_000, per: 1_000_000_000) + "s"
        if minutes == 0 { return sign + seconds }
        return minutes < 60
            ? "\(sign)\(minutes)m\(seconds)" : "\(sign)\(minutes / 60)h\(minutes % 60)m\(seconds)"
    }
}
