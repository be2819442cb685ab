import Glibc

/// A text that equals only texts with the same bytes, and is ordered by bytes.
///
/// Swift's own `String` equals and sorts by canonical equivalence: `é` in one code point equals `e` with an accent,
/// which is wrong for names of series, metrics and labels.
public struct ExactText: Hashable, Comparable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    public let text: String

    public init(_ text: String) { self.text = text }

    public init(stringLiteral text: String) { self.text = text }

    public static func == (a: ExactText, b: ExactText) -> Bool { a.text.isExactly(b.text) }

    public static func < (a: ExactText, b: ExactText) -> Bool { a.text.isExactlyBefore(b.text) }

    public func hash(into hasher: inout Hasher) {
        let isDone: Void? = text.utf8.withContiguousStorageIfAvailable {
            hasher.combine(bytes: UnsafeRawBufferPointer($0))
        }
        // The text has no contiguous storage.
        if isDone == nil { for byte in text.utf8 { hasher.combine(byte) } }
        hasher.combine(0xFF as UInt8)
    }

    public var description: String { text }
}

extension String {
    /// Whether both have the same bytes; `==` compares by canonical equivalence.
    public func isExactly(_ other: String) -> Bool {
        let isSame = utf8.withContiguousStorageIfAvailable { a in
            other.utf8.withContiguousStorageIfAvailable { b in
                guard a.count == b.count else { return false }
                guard let x = a.baseAddress, let y = b.baseAddress, x != y else { return true }
                return memcmp(x, y, a.count) == 0
            }
        }
        // The text has no contiguous storage.
        return (isSame ?? nil) ?? utf8.elementsEqual(other.utf8)
    }

    /// Whether the bytes are before those of the other.
    public func isExactlyBefore(_ other: String) -> Bool {
        let isBefore = utf8.withContiguousStorageIfAvailable { a in
            other.utf8.withContiguousStorageIfAvailable { b in
                guard let x = a.baseAddress, let y = b.baseAddress else { return a.count < b.count }
                let order = memcmp(x, y, min(a.count, b.count))
                return order == 0 ? a.count < b.count : order < 0
            }
        }
        // The text has no contiguous storage.
        return (isBefore ?? nil) ?? utf8.lexicographicallyPrecedes(other.utf8)
    }
}

/// A value made of texts that can be compared byte for byte.
public protocol ExactlyComparable: Sendable {
    /// Whether both have the same bytes.
    func isExactly(_ other: Self) -> Bool
    /// Feeds the bytes to a hasher.
    func hashExactly(into hasher: inout Hasher)
}

extension String: ExactlyComparable {
    public func hashExactly(into hasher: inout Hasher) { hasher.combine(ExactText(self)) }
}

extension Array: ExactlyComparable where Element: ExactlyComparable {
    public func isExactly(_ other: Self) -> Bool {
        count == other.count && zip(self, other).allSatisfy { $0.isExactly($1) }
    }

    public func hashExactly(into hasher: inout Hasher) {
        hasher.combine(count)
        for element in self { element.hashExactly(into: &hasher) }
    }
}

/// A property that the `==` and the hash of its owner compare byte for byte.
@propertyWrapper
public struct Exact<Value: ExactlyComparable>: Hashable, Sendable {
    public var wrappedValue: Value

    public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }

    public static func == (a: Exact, b: Exact) -> Bool { a.wrappedValue.isExactly(b.wrappedValue) }

    public func hash(into hasher: inout Hasher) { wrappedValue.hashExactly(into: &hasher) }
}
