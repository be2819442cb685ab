import Glibc

/// The texts of names in the Domain Name System.
enum DNSName {
    /// The most bytes of a name in a message.
    static let mostBytes = 255
    private static let mostLabelBytes = 63

    /// The labels of a name in the notation of zone files; nil if it is no name.
    static func labels(_ name: String) -> [[UInt8]]? {
        var labels: [[UInt8]] = []
        var label: [UInt8] = []
        var rest = Array(name.utf8)[...]
        var size = 1
        func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
        func close() -> Bool {
            size += 1 + label.count
            guard !label.isEmpty, label.count <= mostLabelBytes, size <= mostBytes else { return false }
            labels.append(label)
            label = []
            return true
        }
        if name == "." { return [] }
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: ".") {
                guard close() else { return nil }
            } else if byte == UInt8(ascii: "\\") {
                guard let next = rest.popFirst() else { return nil }
                let digits = [next] + rest.prefix(2)
                if isDigit(next) {
                    guard digits.count == 3, digits.allSatisfy(isDigit),
                        let value = UInt8(String(decoding: digits, as: UTF8.self))
                    else { return nil }
                    rest = rest.dropFirst(2)
                    label.append(value)
                } else {
                    label.append(next)
                }
            } else {
                label.append(byte)
            }
        }
        if !label.isEmpty, !close() { return nil }
        return labels.isEmpty ? nil : labels
    }

    /// A name in the notation of zone files, with the dot at its end.
    static func text(_ labels: [[UInt8]]) -> String {
        if labels.isEmpty { return "." }
        var out: [UInt8] = []
        for label in labels {
            for byte in label {
                if !(UInt8(ascii: " ")...UInt8(ascii: "~")).contains(byte) {
                    let digits = "\(Int(byte) + 1000)".utf8.dropFirst()
                    out += [UInt8(ascii: "\\")] + digits
                } else {
                    if special.contains(byte) { out.append(UInt8(ascii: "\\")) }
                    out.append(byte)
                }
            }
            out.append(UInt8(ascii: "."))
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static let special = Set(#". '@;()"\"#.utf8)

    /// Whether two names are the same; the case of letters does not count.
    static func isSame(_ a: [[UInt8]], _ b: [[UInt8]]) -> Bool {
        func lower(_ byte: UInt8) -> UInt8 {
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
        }
        return a.elementsEqual(b) { $0.lazy.map(lower).elementsEqual($1.lazy.map(lower)) }
    }
}

/// The texts of IP addresses.
enum IPText {
    /// The text of 4 or 16 bytes; nil for another number of bytes.
    static func text(_ bytes: some Collection<UInt8>) -> String? {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        let bytes = Array(bytes)
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let isWritten = bytes.withUnsafeBytes {
            inet_ntop($0.count == 4 ? AF_INET : AF_INET6, $0.baseAddress, &text, socklen_t(INET6_ADDRSTRLEN)) != nil
        }
        guard isWritten else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// An address and a port; an IPv6 address is put in brackets.
    static func join(_ host: String, _ port: Int) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
