import Model

/// Writes JSON into bytes: the caller defines the structure; this adds commas, quotes and escapes.
///
/// Strings are escaped as Go does without HTML escaping: `<` is not escaped; U+2028, U+2029 and control characters are;
/// bytes that are not UTF-8 become U+FFFD.
public struct JSONWriter {
    public var bytes: [UInt8]
    /// Whether a comma must precede the next value of the open array or object.
    private var needsComma = false

    public init(capacity: Int = 256) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    @inline(__always)
    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    /// Writes an object whose members `body` writes with ``key(_:)`` and values.
    public mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows {
        separate()
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
        try body(&self)
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    /// Writes an array whose elements `body` writes.
    public mutating func array(_ body: (inout JSONWriter) throws -> Void) rethrows {
        separate()
        bytes.append(UInt8(ascii: "["))
        needsComma = false
        try body(&self)
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    /// Writes the name of the next member.
    public mutating func key(_ name: String) {
        string(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Writes the name of the next member from UTF-8 bytes.
    public mutating func key(utf8 name: UnsafeBufferPointer<UInt8>) {
        string(utf8: name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    public mutating func string(_ text: String) {
        var text = text
        text.withUTF8 { string(utf8: $0) }
    }

    public mutating func bool(_ value: Bool) {
        separate()
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    public mutating func null() {
        separate()
        bytes.append(contentsOf: "null".utf8)
    }

    public mutating func integer(_ value: some BinaryInteger) {
        separate()
        if let small = Int64(exactly: value) {
            FloatText.appendInt(small, to: &bytes)
        } else {
            bytes.append(contentsOf: String(value).utf8)
        }
    }

    /// Writes a JSON number; NaN and infinities, which JSON does not have, become null.
    public mutating func number(_ value: Double) {
        guard value.isFinite else { return null() }
        separate()
        FloatText.appendAPI(value, to: &bytes)
    }

    /// Writes bytes that are JSON already.
    public mutating func raw(_ json: some Collection<UInt8>) {
        separate()
        bytes.append(contentsOf: json)
    }

    /// Writes a member with a text as its value.
    public mutating func member(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
        let size = name.count &+ value.count &+ 6
        guard size <= 512, Self.isPlain(name), Self.isPlain(value) else {
            key(utf8: name)
            return string(utf8: value)
        }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 512) { block in
            guard let base = block.baseAddress else { return }
            var end = base
            func add(_ byte: UInt8) {
                end.pointee = byte
                end += 1
            }
            func add(_ text: UnsafeBufferPointer<UInt8>) {
                add(UInt8(ascii: "\""))
                if let start = text.baseAddress { end.update(from: start, count: text.count) }
                end += text.count
                add(UInt8(ascii: "\""))
            }
            if needsComma { add(UInt8(ascii: ",")) }
            add(name)
            add(UInt8(ascii: ":"))
            add(value)
            bytes.append(contentsOf: UnsafeBufferPointer(start: base, count: end - base))
        }
        needsComma = true
    }

    /// Whether a text needs no escapes.
    @inline(__always)
    private static func isPlain(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        let raw = UnsafeRawBufferPointer(text)
        var at = 0
        while at &+ 8 <= raw.count {
            guard isPlain(raw.loadUnaligned(fromByteOffset: at, as: UInt64.self)) else { return false }
            at &+= 8
        }
        // The remaining bytes, filled up with spaces.
        var last: UInt64 = 0x2020_2020_2020_2020
        while at < raw.count {
            last = last &<< 8 | UInt64(raw[at])
            at &+= 1
        }
        return isPlain(last)
    }

    /// Writes a part of the open array or object that contains its own commas, except one before it.
    public mutating func part(_ json: UnsafeBufferPointer<UInt8>) {
        bytes.append(contentsOf: json)
        needsComma = needsComma || !json.isEmpty
    }

    /// Writes a value in tree form.
    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .number(let value): number(value)
        case .string(let value): string(value)
        case .array(let elements):
            array { writer in
                for element in elements { writer.value(element) }
            }
        case .object(let members):
            object { writer in
                for (name, member) in members {
                    writer.key(name)
                    writer.value(member)
                }
            }
        }
    }

    private static let hex = Array("0123456789abcdef".utf8)

    /// Writes a string from UTF-8 bytes.
    public mutating func string(utf8 text: UnsafeBufferPointer<UInt8>) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        var start = 0
        var i = 0
        while i < text.count {
            if let base = text.baseAddress, text.count &- i >= 8,
                Self.isPlain(UnsafeRawPointer(base).loadUnaligned(fromByteOffset: i, as: UInt64.self))
            {
                i &+= 8
                continue
            }
            let c = text[i]
            if c >= 0x20, c < 0x7F, c != UInt8(ascii: "\""), c != UInt8(ascii: "\\") {
                i &+= 1
                continue
            }
            if c >= 0x80 {
                let length = Self.sequenceLength(text, at: i)
                let isSeparator = length == 3 && c == 0xE2 && text[i &+ 1] == 0x80 && text[i &+ 2] & 0xFE == 0xA8
                if length > 0, !isSeparator {
                    i &+= length
                    continue
                }
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<i]))
                if isSeparator {
                    bytes.append(contentsOf: (text[i &+ 2] == 0xA8 ? "\\u2028" : "\\u2029").utf8)
                    i &+= 3
                } else {
                    bytes.append(contentsOf: "\\ufffd".utf8)
                    i &+= 1
                }
                start = i
                continue
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<i]))
            switch c {
            case UInt8(ascii: "\""): bytes.append(contentsOf: "\\\"".utf8)
            case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
            case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
            case UInt8(ascii: "\r"): bytes.append(contentsOf: "\\r".utf8)
            case UInt8(ascii: "\t"): bytes.append(contentsOf: "\\t".utf8)
            case 0x08: bytes.append(contentsOf: "\\b".utf8)
            case 0x0C: bytes.append(contentsOf: "\\f".utf8)
            case 0x7F: bytes.append(c)
            default:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(Self.hex[Int(c >> 4)])
                bytes.append(Self.hex[Int(c & 15)])
            }
            i &+= 1
            start = i
        }
        bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<text.count]))
        bytes.append(UInt8(ascii: "\""))
    }

    /// Whether eight bytes are all printable ASCII except quote and backslash, so that they need no escapes.
    @inline(__always)
    private static func isPlain(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs = ones &<< 7
        let (quote, backslash) = (word ^ ones &* 0x22, word ^ ones &* 0x5C)
        // A byte's high bit is set if it is below 0x20, is 0x7F, or equals one of the two.
        let odd = (word &- ones &* 0x20) | (word &+ ones) | (quote &- ones) | (backslash &- ones) | word
        return odd & highs == 0
    }

    /// The length of the valid UTF-8 sequence at `at`; 0 if there is none (RFC 3629, section 4).
    static func sequenceLength(_ text: UnsafeBufferPointer<UInt8>, at: Int) -> Int {
        let c = text[at]
        let length =
            c < 0x80 ? 1 : c >= 0xC2 && c < 0xE0 ? 2 : c >= 0xE0 && c < 0xF0 ? 3 : c >= 0xF0 && c < 0xF5 ? 4 : 0
        guard length > 0, at &+ length <= text.count else { return 0 }
        for k in 1..<max(length, 1) where text[at &+ k] & 0xC0 != 0x80 { return 0 }
        if c == 0xE0, text[at &+ 1] < 0xA0 { return 0 }
        if c == 0xED, text[at &+ 1] >= 0xA0 { return 0 }
        if c == 0xF0, text[at &+ 1] < 0x90 { return 0 }
        if c == 0xF4, text[at &+ 1] >= 0x90 { return 0 }
        return length
    }
}
