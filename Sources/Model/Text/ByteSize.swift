/// Sizes in bytes in Prometheus's notation, `512MB`; units are powers of 1024.
public enum ByteSize {
    private static let units: [(name: String, shift: Int64)] = [
        ("EiB", 60), ("PiB", 50), ("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10), ("EB", 60), ("PB", 50),
        ("TB", 40), ("GB", 30), ("MB", 20), ("KB", 10), ("B", 0),
    ]

    /// Reads a number with a unit, or `0`; nil if it is no size or over 2^63.
    public static func parse(_ text: String) -> Int64? {
        if text == "0" { return 0 }
        guard let unit = units.first(where: { text.hasSuffix($0.name) }),
            let number = Double(text.dropLast(unit.name.count)), number >= 0,
            text.first.map({ $0.isNumber || $0 == "." }) == true
        else { return nil }
        let bytes = number * Double(Int64(1) << unit.shift)
        return bytes < 0x1p63 ? Int64(bytes) : nil
    }

    /// Writes a size with the largest unit that divides it: `10GiB`.
    public static func format(_ bytes: Int64) -> String {
        if bytes == 0 { return "0B" }
        for unit in units.prefix(6) where bytes.magnitude & (1 << UInt64(unit.shift) - 1) == 0 {
            return "\(bytes >> unit.shift)\(unit.name)"
        }
        return "\(bytes)B"
    }
}
