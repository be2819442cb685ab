import GoCompatibility

/// Times as text: Unix seconds or RFC 3339.
public enum TimeText {
    /// Milliseconds since the epoch of float Unix seconds or an RFC 3339 time; nil if it is neither or out of range.
    public static func parse(_ text: String) -> Int64? {
        guard let number = GoFloat.parse(text) else { return RFC3339.parse(text) }
        guard number.magnitude < 9.2e15 else { return nil }
        // As in Prometheus, the fraction is rounded separately from the whole seconds, with nanoseconds as an
        // intermediate step.
        let whole = number.rounded(.towardZero)
        let fraction = ((number - whole) * 1000).rounded() / 1000
        let nanoseconds = Int64(fraction * 1e9)
        let milliseconds = nanoseconds >= 0 ? nanoseconds / 1_000_000 : (nanoseconds - 999_999) / 1_000_000
        return Int64(whole) * 1000 + milliseconds
    }
}
