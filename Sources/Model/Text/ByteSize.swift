/// Sizes in bytes in Prometheus's notation, `512MB`; units are powers of 1024.
public enum ByteSize {
    private static let units: [(name: String, shift: Int64)] = [
        ("EiB", 60), ("PiB", 50), ("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10), ("EB", 60), ("PB", 50),
        ("TB", 40), ("GB", 30), ("MB", 20), ("KB", 10), ("B", 0),
    ]

    /// Reads `0` or decimal numbers with units, whose sum is the size (`1GB512MB`); nil if it is invalid or over 2^63.
    public static func parse(_ text: String) -> Int64? {
        if text == "0" { return 0 }
        var rest = Substring(text).utf8
        var sum: Int64 = 0
        while let first = rest.first {
            guard isDigit(first) || first == UInt8(ascii: ".") else { return nil }
            let digits = rest.prefix { isDigit($0) || $0 == UInt8(ascii: ".") }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { !isDigit($0) && $0 != UInt8(ascii: ".") }
            rest = rest.dropFirst(name.count)
            guard let unit = units.first(where: { $0.name == Substring(name) }),
                let bytes = bytes(Substring(digits), shift: unit.shift)
            else { return nil }
            let (next, overflow) = sum.addingReportingOverflow(bytes)
            if overflow { return nil }
            sum = next
        }
        return text.isEmpty ? nil : sum
    }

    private static func isDigit(_ c: UInt8) -> Bool { c >= UInt8(ascii: "0") && c <= UInt8(ascii: "9") }

    /// Whole numbers are exact; fractions are rounded down.
    private static func bytes(_ digits: Substring, shift: Int64) -> Int64? {
        if let whole = Int64(digits) {
            let (bytes, overflow) = whole.multipliedReportingOverflow(by: 1 << shift)
            return overflow ? nil : bytes
        }
        // Swift does not accept numbers that end with the point, Go does.
        let text = digits.hasSuffix(".") ? digits.dropLast() : digits
        guard let number = Double(text) else { return nil }
        let bytes = number * Double(Int64(1) << shift)
        return bytes < 0x1p63 ? Int64(bytes) : nil
    }

    /// Writes a size as the sum of its units, largest first: `10GiB`, `1GiB512MiB`, `0B`.
    public static func format(_ bytes: Int64) -> String {
        if bytes <= 0 { return "\(bytes)B" }
        var text = ""
        for unit in units.prefix(6) + [("B", 0)] {
            let part = (bytes >> unit.shift) & (unit.shift == 60 ? 0x7 : 0x3FF)
            if part > 0 { text += "\(part)\(unit.name)" }
        }
        return text
    }
}
