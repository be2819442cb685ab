/// Base64 as Go's `base64.StdEncoding` has it: the standard alphabet of RFC 4648 with padding.
public enum GoBase64 {
    /// The bytes; nil if the text is wrong.
    ///
    /// Line ends are passed over.
    public static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
        var out: [UInt8] = []
        var (bits, count, digits, padding) = (0, 0, 0, 0)
        for byte in text where byte != 0x0A && byte != 0x0D {
            digits += 1
            if byte == UInt8(ascii: "=") {
                padding += 1
                continue
            }
            guard padding == 0, let value = value(byte) else { return nil }
            bits = (bits << 6 | value) & 0xFFFF
            count += 6
            if count >= 8 {
                count -= 8
                out.append(UInt8(truncatingIfNeeded: bits >> count))
            }
        }
        return digits.isMultiple(of: 4) && padding <= 2 ? out : nil
    }

    private static func value(_ byte: UInt8) -> Int? {
        switch byte {
        case 0x41...0x5A: Int(byte) - 0x41
        case 0x61...0x7A: Int(byte) - 0x61 + 26
        case 0x30...0x39: Int(byte) - 0x30 + 52
        case 0x2B: 62
        case 0x2F: 63
        default: nil
        }
    }
}
