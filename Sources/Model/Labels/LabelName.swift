/// The strings that may be the name of a label.
public enum LabelName {
    /// `[a-zA-Z_][a-zA-Z0-9_]*`, the rule before UTF-8 names.
    public static func isLegacy(_ name: String) -> Bool {
        var first = true
        for byte in name.utf8 {
            let isLetter =
                byte == UInt8(ascii: "_") || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
            let isDigit = byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
            guard isLetter || (isDigit && !first) else { return false }
            first = false
        }
        return !first
    }
}

/// The strings that may be the name of a metric.
public enum MetricName {
    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`, the rule before UTF-8 names.
    public static func isLegacy(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(first >= UInt8(ascii: "0") && first <= UInt8(ascii: "9")) else {
            return false
        }
        return name.utf8.allSatisfy {
            $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ":")
                || ($0 | 0x20 >= UInt8(ascii: "a") && $0 | 0x20 <= UInt8(ascii: "z"))
                || ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9"))
        }
    }
}
