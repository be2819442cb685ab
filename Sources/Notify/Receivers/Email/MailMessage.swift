import GoCompatibility
import Model

/// A mail with a plain text, a page of HTML, or both (RFC 5322, RFC 2046).
struct MailMessage {
    /// The reason why a header cannot be written.
    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    /// In their order, with values as people read them.
    var headers: [(name: String, value: String)] = []
    var text: String?
    var html: String?
    /// The separator of the parts, which must not occur in them.
    var boundary: String
    /// The value of `Date`.
    var date: String

    /// The longest line of a header, which servers may limit to 998 bytes.
    private static let lineMax = 900

    /// The bytes of the mail with CRLF.
    func bytes() throws(Problem) -> [UInt8] {
        var out: [UInt8] = []
        for header in headers { out += try Self.line(header.name, header.value) }
        out += try Self.line("Date", date)
        // The two blanks are those of Alertmanager.
        out += "Content-Type: multipart/alternative;  boundary=\(boundary)\r\nMIME-Version: 1.0\r\n\r\n".utf8
        if let text { out += part("text/plain", text) }
        if let html { out += part("text/html", html) }
        return out + "--\(boundary)--\r\n".utf8
    }

    private func part(_ type: String, _ content: String) -> [UInt8] {
        Array(
            "--\(boundary)\r\nContent-Transfer-Encoding: quoted-printable\r\nContent-Type: \(type); charset=UTF-8\r\n\r\n"
                .utf8) + QuotedPrintable.encode(content) + "\r\n".utf8
    }

    /// A header of one or more lines; no value can begin another header.
    static func line(_ name: String, _ value: String) throws(Problem) -> [UInt8] {
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }) else {
            throw Problem(description: "invalid header name \(GoQuote.quote(name))")
        }
        let isPlain = value.utf8.allSatisfy { ($0 >= 0x20 && $0 < 0x7F) || $0 == 0x09 }
        let lines = isPlain ? folded(value, first: lineMax - name.utf8.count - 2) : nil
        return Array("\(name): \(lines ?? EncodedWords.encode(value))\r\n".utf8)
    }

    /// A value with line breaks before blanks; nil if a word of it is too long for a line.
    private static func folded(_ value: String, first: Int) -> String? {
        var (out, length, most) = ("", 0, first)
        for word in value.split(separator: " ", omittingEmptySubsequences: false) {
            let count = word.utf8.count + 1
            if count > most { return nil }
            if out.isEmpty && length == 0 {
                (out, length) = (String(word), count)
            } else if length + count <= most || word.isEmpty {
                out += " " + word
                length += count
            } else {
                out += "\r\n " + word
                (length, most) = (count, lineMax)
            }
        }
        return length > most ? nil : out
    }
}

/// Text in headers that is not plain ASCII, as encoded words (RFC 2047).
enum EncodedWords {
    private static let start = "=?utf-8?q?"
    /// The most bytes of an encoded word.
    private static let most = 75

    /// Encodes a text as words, each with whole characters, on lines of their own.
    static func encode(_ text: String) -> String {
        var words: [String] = []
        var word = ""
        for scalar in text.unicodeScalars {
            let part = encode(scalar)
            if start.utf8.count + word.utf8.count + part.utf8.count + 2 > most {
                words.append(word)
                word = ""
            }
            word += part
        }
        return (words + [word]).map { start + $0 + "?=" }.joined(separator: "\r\n ")
    }

    private static func encode(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case " ": return "_"
        case "=", "?", "_": return QuotedPrintable.escape(UInt8(scalar.value))
        default:
            if scalar.value > 0x20, scalar.value < 0x7F { return String(scalar) }
            return String(scalar).utf8.map(QuotedPrintable.escape).joined()
        }
    }
}

/// The transfer encoding of text with lines of at most 76 bytes (RFC 2045, section 6.7).
enum QuotedPrintable {
    private static let most = 76
    private static let digits = Array("0123456789ABCDEF")

    static func escape(_ byte: UInt8) -> String { "=\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])" }

    /// Encodes a text; each of its line breaks becomes CRLF.
    static func encode(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        var length = 0
        for (index, byte) in bytes.enumerated() {
            let next = index + 1 < bytes.count ? bytes[index + 1] : nil
            if byte == 0x0A || byte == 0x0D {
                if byte == 0x0D, next == 0x0A { continue }
                out += [0x0D, 0x0A]
                length = 0
                continue
            }
            let isLast = next == nil || next == 0x0A || next == 0x0D
            let isBlank = byte == 0x20 || byte == 0x09
            let isPlain = (isBlank && !isLast) || (byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "="))
            let part = isPlain ? [byte] : Array(escape(byte).utf8)
            // One byte is left for the sign of a line that continues.
            if length + part.count > (isLast ? most : most - 1) {
                out += Array("=\r\n".utf8)
                length = 0
            }
            out += part
            length += part.count
        }
        return out
    }
}
