import Model

/// The escaping of names that are not `[a-zA-Z_:][a-zA-Z0-9_:]*` for a client.
public enum NameEscaping: String, Sendable {
    /// Names are not escaped, but quoted.
    case allowUTF8 = "allow-utf-8"
    /// Every other character becomes `_`.
    case underscores
    /// `.` becomes `_dot_`, `_` becomes `__`, every other character `__`, in names that need it.
    case dots
    /// `U__` and the characters' hexadecimal numbers between underscores.
    case values

    /// The name for the client; unchanged with ``allowUTF8``.
    public func escape(_ name: String, isMetric: Bool = true) -> String {
        let isLegacy = isMetric ? MetricName.isLegacy(name) : LabelName.isLegacy(name)
        if self == .allowUTF8 || isLegacy || name.isEmpty { return name }
        var out = self == .values ? "U__" : ""
        for (index, scalar) in name.unicodeScalars.enumerated() {
            let isPlain = Self.isPlain(scalar, isFirst: index == 0, isMetric: isMetric)
            switch self {
            case .underscores: out.unicodeScalars.append(isPlain ? scalar : "_")
            case .dots:
                if scalar == "_" {
                    out += "__"
                } else if scalar == "." {
                    out += "_dot_"
                } else if isPlain {
                    out.unicodeScalars.append(scalar)
                } else {
                    out += "__"
                }
            default:
                if scalar == "_" {
                    out += "__"
                } else if isPlain {
                    out.unicodeScalars.append(scalar)
                } else {
                    out += "_\(String(scalar.value, radix: 16))_"
                }
            }
        }
        return out
    }

    private static func isPlain(_ scalar: Unicode.Scalar, isFirst: Bool, isMetric: Bool) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "_": true
        case "0"..."9": !isFirst
        case ":": isMetric
        default: false
        }
    }
}
