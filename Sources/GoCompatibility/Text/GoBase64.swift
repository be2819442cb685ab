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

    /// A text that is not in the alphabet or has wrong padding.
    public struct Problem: Error, CustomStringConvertible {
        public var description: String
    }

    /// Go's `base64.URLEncoding`: `-` and `_` in place of `+` and `/`, with padding.
    public static func urlEncoded(_ bytes: [UInt8]) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var out: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start...].prefix(3)
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for digit in 0..<4 {
                out.append(digit <= group.count ? digits[bits >> (18 - 6 * digit) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// The bytes of a text of ``urlEncoded(_:)``.
    public static func urlDecoded(_ text: String) -> Result<[UInt8], Problem> {
        let standard = text.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "-"): UInt8(ascii: "+")
            case UInt8(ascii: "_"): UInt8(ascii: "/")
            // These belong to the other alphabet only.
            case UInt8(ascii: "+"), UInt8(ascii: "/"): UInt8(0)
            default: byte
            }
        }
        if let bytes = decode(standard) { return .success(bytes) }
        let wrong = standard.firstIndex {
            value($0) == nil && $0 != 0x0A && $0 != 0x0D && $0 != UInt8(ascii: "=")
        }
        let at = wrong ?? standard.count / 4 * 4
        return .failure(Problem(description: "illegal base64 data at input byte \(at)"))
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
