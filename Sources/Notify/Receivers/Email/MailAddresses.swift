import GoCompatibility

/// The addresses of a header such as `To` (RFC 5322, section 3.4), without their names and comments.
enum MailAddresses {
    /// The reason why a text is no list of addresses.
    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    /// Reads addresses that commas separate, each as `local@domain` or `name <local@domain>`.
    static func parse(_ text: String) throws(Problem) -> [String] {
        var parser = MailAddressParser(text)
        return try parser.list()
    }
}

private struct MailAddressParser {
    private let text: String
    private let bytes: [UInt8]
    private var at = 0

    init(_ text: String) {
        self.text = text
        bytes = Array(text.utf8)
    }

    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    private func problem(_ reason: String) -> MailAddresses.Problem {
        MailAddresses.Problem(description: "mail: \(reason) in \(GoQuote.quote(text))")
    }

    mutating func list() throws(MailAddresses.Problem) -> [String] {
        var addresses: [String] = []
        while true {
            try skip()
            while next == UInt8(ascii: ",") {
                at += 1
                try skip()
            }
            guard next != nil else { break }
            addresses += try addressOrGroup()
            try skip()
            guard let byte = next else { break }
            guard byte == UInt8(ascii: ",") else { throw problem("expected comma") }
        }
        if addresses.isEmpty { throw problem("no address") }
        return addresses
    }

    /// One address, or those of `name: list;`.
    private mutating func addressOrGroup() throws(MailAddresses.Problem) -> [String] {
        if next == UInt8(ascii: "<") { return [try bracketed()] }
        let first = try words()
        switch next {
        case UInt8(ascii: "@"):
            guard first.count == 1 else { throw problem("no angle-addr") }
            return [try domain(after: first[0])]
        case UInt8(ascii: "<"): return [try bracketed()]
        case UInt8(ascii: ":"): return try group()
        default: throw problem("missing '@' or angle-addr")
        }
    }

    private mutating func group() throws(MailAddresses.Problem) -> [String] {
        at += 1
        var addresses: [String] = []
        while true {
            try skip()
            switch next {
            case nil: throw problem("unclosed group")
            case UInt8(ascii: ";"):
                at += 1
                return addresses
            case UInt8(ascii: ","): at += 1
            case UInt8(ascii: "<"): addresses.append(try bracketed())
            default:
                let first = try words()
                if next == UInt8(ascii: "<") {
                    addresses.append(try bracketed())
                } else if first.count == 1, next == UInt8(ascii: "@") {
                    addresses.append(try domain(after: first[0]))
                } else {
                    throw problem("missing '@' or angle-addr")
                }
            }
        }
    }

    private mutating func bracketed() throws(MailAddresses.Problem) -> String {
        at += 1
        try skip()
        let local = try word()
        try skip()
        guard next == UInt8(ascii: "@") else { throw problem("missing '@'") }
        let address = try domain(after: local)
        try skip()
        guard next == UInt8(ascii: ">") else { throw problem("unclosed angle-addr") }
        at += 1
        return address
    }

    /// Reads `@domain`.
    private mutating func domain(after local: String) throws(MailAddresses.Problem) -> String {
        at += 1
        try skip()
        let start = at
        if next == UInt8(ascii: "[") {
            while let byte = next, byte != UInt8(ascii: "]") {
                guard byte > 0x20, byte != 0x7F, byte != UInt8(ascii: "<"), byte != UInt8(ascii: ">") else { break }
                at += 1
            }
            guard next == UInt8(ascii: "]") else { throw problem("unclosed domain-literal") }
            at += 1
        } else {
            while let byte = next, Self.isAtom(byte) || byte == UInt8(ascii: ".") { at += 1 }
        }
        let domain = String(decoding: bytes[start..<at], as: UTF8.self)
        guard !domain.isEmpty, !domain.hasPrefix("."), !domain.hasSuffix("."), !domain.contains("..") else {
            throw problem("no valid domain")
        }
        try skip()
        return "\(local)@\(domain)"
    }

    /// The words up to a special character.
    private mutating func words() throws(MailAddresses.Problem) -> [String] {
        var words: [String] = []
        while let byte = next, byte == UInt8(ascii: "\"") || byte == UInt8(ascii: ".") || Self.isAtom(byte) {
            words.append(try word())
            try skip()
        }
        if words.isEmpty { throw problem("no valid address") }
        return words
    }

    /// An atom with dots, or a quoted text with its quotes.
    private mutating func word() throws(MailAddresses.Problem) -> String {
        let start = at
        if next == UInt8(ascii: "\"") {
            at += 1
            while let byte = next, byte != UInt8(ascii: "\"") {
                if byte == UInt8(ascii: "\\") { at += 1 }
                guard let quoted = next, quoted >= 0x20, quoted != 0x7F else {
                    throw problem("bad character in quoted-string")
                }
                at += 1
            }
            guard next != nil else { throw problem("unclosed quoted-string") }
            at += 1
        } else {
            while let byte = next, Self.isAtom(byte) || byte == UInt8(ascii: ".") { at += 1 }
        }
        if at == start { throw problem("no valid address") }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    /// Skips blanks, line breaks and comments.
    private mutating func skip() throws(MailAddresses.Problem) {
        var depth = 0
        while let byte = next {
            switch byte {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")") where depth > 0: depth -= 1
            case UInt8(ascii: "\\") where depth > 0: at += 1
            case 0x20, 0x09, 0x0D, 0x0A: break
            default: if depth == 0 { return }
            }
            at += 1
        }
        if depth > 0 { throw problem("misformatted parenthetical comment") }
    }

    private static func isAtom(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte != 0x7F && !"()<>[]:;@\\,.\"".utf8.contains(byte)
    }
}
