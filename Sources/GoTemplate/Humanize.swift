import Glibc
import GoCompatibility
import Model

/// Numbers in a readable form, exactly as in Prometheus's templates.
package enum Humanize {
    private static let large = ["", "k", "M", "G", "T", "P", "E", "Z", "Y"]
    private static let small = ["", "m", "u", "n", "p", "f", "a", "z", "y"]

    /// `%.4g`.
    package static func four(_ value: Double) -> String { GoFormat.format(.float(value), "g", .init(precision: 4)) }

    /// With SI prefixes.
    package static func decimal(_ value: Double) -> String {
        guard value != 0, value.isFinite else { return four(value) }
        var value = value
        var index = 0
        if value.magnitude >= 1 {
            while value.magnitude >= 1000, index < large.count - 1 {
                value /= 1000
                index += 1
            }
            return four(value) + large[index]
        }
        while value.magnitude < 1, index < small.count - 1 {
            value *= 1000
            index += 1
        }
        return four(value) + small[index]
    }

    /// With binary prefixes.
    package static func binary(_ value: Double) -> String {
        guard value.magnitude > 1, value.isFinite else { return four(value) }
        let prefixes = ["", "ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"]
        var value = value
        var index = 0
        while value.magnitude >= 1024, index < prefixes.count - 1 {
            value /= 1024
            index += 1
        }
        return four(value) + prefixes[index]
    }

    /// Seconds as `1d 2h 3m 4s`, and with SI prefixes below one.
    package static func duration(_ value: Double) -> String {
        guard value.isFinite else { return four(value) }
        // With its sign: `-0s`.
        if value == 0 { return four(value) + "s" }
        if value.magnitude >= 1 {
            let sign = value < 0 ? "-" : ""
            // Above this the days do not fit an integer; Go's conversion is then undefined.
            guard value.magnitude < 9e18 else { return four(value) + "s" }
            let total = Int64(value.magnitude)
            let (seconds, minutes, hours, days) = (total % 60, total / 60 % 60, total / 3600 % 24, total / 86400)
            if days != 0 { return "\(sign)\(days)d \(hours)h \(minutes)m \(seconds)s" }
            if hours != 0 { return "\(sign)\(hours)h \(minutes)m \(seconds)s" }
            if minutes != 0 { return "\(sign)\(minutes)m \(seconds)s" }
            return sign + four(value.magnitude) + "s"
        }
        var value = value
        var index = 0
        while value.magnitude < 1, index < small.count - 1 {
            value *= 1000
            index += 1
        }
        return four(value) + small[index] + "s"
    }

    /// A ratio as per cent.
    package static func percentage(_ value: Double) -> String { four(value * 100) + "%" }

    /// Seconds since the epoch as nanoseconds, truncated to whole milliseconds.
    package static func nanoseconds(_ value: Double) -> Result<Int64, TemplateFunctionError> {
        let milliseconds = (value * 1000).rounded(.towardZero)
        guard value.isFinite, (milliseconds * 1e6).magnitude < 9.223372036854775e18 else {
            return .failure(
                TemplateFunctionError(
                    description: "\(GoFormat.general(value)) cannot be represented as a nanoseconds timestamp since it "
                        + "overflows int64"))
        }
        return .success(Int64(milliseconds) * 1_000_000)
    }

    package static func timestamp(_ value: Double) -> Result<String, TemplateFunctionError> {
        guard value.isFinite else { return .success(four(value)) }
        return nanoseconds(value).map { GoTime(nanoseconds: $0).description }
    }
}
