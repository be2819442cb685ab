import Glibc

/// A set of labels, sorted by name, in one byte array.
///
///     │ size │ name │ size │ value │ size │ name │ size │ value │ …
///
/// `size` is one byte below 255, else 0xFF and three bytes little-endian: the packed form whose XXH64 is Prometheus's
/// hash of a label set, so that `limit_ratio` and target offsets select the same series. Three bytes of 0xFF mean that
/// the size is in the following eight bytes, so that a text may have any length. There is one allocation per set; an
/// empty set has none. Names are unique and sorted bytewise; values are never empty.
public struct Labels: Hashable, Sendable {
    /// The packed form; see the type.
    public let bytes: [UInt8]

    /// The set without labels.
    public static let empty = Labels(packed: [])

    /// Makes a set of packed bytes that have the form of the type.
    @inlinable
    public init(packed bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Makes a set from pairs in any order; a later pair replaces an earlier one with the same name, and an empty value
    /// means that the label is absent.
    public init(_ pairs: [(String, String)]) { self.init(pairs, keepsEmpty: false) }

    /// Makes a set as ``init(_:)`` does, but keeps labels with an empty value: for annotations, and for the labels of a
    /// rule.
    public init(keepingEmpty pairs: [(String, String)]) { self.init(pairs, keepsEmpty: true) }

    private init(_ pairs: [(String, String)], keepsEmpty: Bool) {
        // There is one sort, because a sender may send very many labels in any order.
        var order = pairs.indices.map { (at: $0, name: pairs[$0].0) }
        var isSorted = true
        for i in 1..<max(order.count, 1) where !LabelsBuilder.isBefore(order[i - 1].name, order[i].name) {
            isSorted = false
            break
        }
        if !isSorted {
            order.sort { a, b in
                LabelsBuilder.isBefore(a.name, b.name) || Self.isSame(a.name, b.name) && a.at < b.at
            }
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(pairs.reduce(0) { $0 + $1.0.utf8.count + $1.1.utf8.count + 2 })
        for i in order.indices where i + 1 == order.count || !Self.isSame(order[i].name, order[i + 1].name) {
            let (name, value) = pairs[order[i].at]
            if value.isEmpty, !keepsEmpty { continue }
            Labels.appendRun(name.utf8, to: &bytes)
            Labels.appendRun(value.utf8, to: &bytes)
        }
        self.init(packed: bytes)
    }

    /// Whether two texts have the same bytes; Swift's own `==` on `String` compares canonical equivalents.
    static func isSame(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }

    public var isEmpty: Bool { bytes.isEmpty }

    /// The number of labels.
    ///
    /// O(count).
    public var count: Int {
        var n = 0
        forEachBytes { _, _ in n += 1 }
        return n
    }

    /// Calls `body` with each name and value as UTF-8, in order of names, without allocating.
    @inlinable
    public func forEachBytes(_ body: (UnsafeBufferPointer<UInt8>, UnsafeBufferPointer<UInt8>) throws -> Void) rethrows {
        try bytes.withUnsafeBufferPointer { buffer in
            var cursor = Cursor(buffer)
            while let (name, value) = cursor.next() { try body(name, value) }
        }
    }

    /// Whether `predicate` is true of all names, as UTF-8.
    @inlinable
    public func allNames(_ predicate: (UnsafeBufferPointer<UInt8>) -> Bool) -> Bool {
        bytes.withUnsafeBufferPointer { buffer in
            var cursor = Cursor(buffer)
            while let (name, _) = cursor.next() {
                if !predicate(name) { return false }
            }
            return true
        }
    }

    /// All labels as strings, in order of names.
    public var pairs: [Label] {
        var result: [Label] = []
        forEachBytes { name, value in
            result.append(
                Label(name: String(decoding: name, as: UTF8.self), value: String(decoding: value, as: UTF8.self)))
        }
        return result
    }

    /// The value of `name`, or nil if the set has no such label.
    public subscript(_ name: String) -> String? {
        var name = name
        return name.withUTF8 { wanted in withValue(of: wanted) { String(decoding: $0, as: UTF8.self) } }
    }

    /// Calls `body` with the bytes of the value of `name`; nil if there is no such label.
    @inlinable
    public func withValue<R>(
        of wanted: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) throws -> R
    ) rethrows -> R? {
        try bytes.withUnsafeBufferPointer { buffer in
            var cursor = Cursor(buffer)
            while let (name, value) = cursor.next() {
                if Labels.equal(name, wanted) { return try body(value) }
            }
            return nil
        }
    }

    /// The metric name, `__name__`, or an empty string.
    public var metricName: String { self[Labels.nameLabel] ?? "" }

    /// `__name__`, the label that holds the metric name.
    public static let nameLabel = "__name__"

    /// `__type__`, the label that holds the metric's type if that feature is enabled.
    public static let typeLabel = "__type__"

    /// `__unit__`, the label that holds the metric's unit if that feature is enabled.
    public static let unitLabel = "__unit__"

    /// The labels that identify the metric: name, type and unit.
    public static let metadataLabels = [nameLabel, typeLabel, unitLabel]
    private static let metadataLabelBytes = metadataLabels.map { Array($0.utf8) }

    /// XXH64 with seed 0 of the packed form: Prometheus's label-set hash.
    public var stableHash: UInt64 { bytes.withUnsafeBytes { XXHash64.hash($0) } }

    public static func == (a: Labels, b: Labels) -> Bool {
        guard a.bytes.count == b.bytes.count else { return false }
        return a.bytes.withUnsafeBytes { x in
            b.bytes.withUnsafeBytes { y in
                guard let p = x.baseAddress, let q = y.baseAddress, p != q else { return true }
                return memcmp(p, q, x.count) == 0
            }
        }
    }

    @inlinable
    public func hash(into hasher: inout Hasher) {
        bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    }

    /// Keeps the labels for whose name `isIncluded` is true.
    @inlinable
    public func filter(_ isIncluded: (UnsafeBufferPointer<UInt8>) -> Bool) -> Labels {
        var kept: [UInt8] = []
        kept.reserveCapacity(bytes.count)
        bytes.withUnsafeBufferPointer { buffer in
            var cursor = Cursor(buffer)
            var start = 0
            while let (name, _) = cursor.next() {
                if isIncluded(name) {
                    kept.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[start..<cursor.offset]))
                }
                start = cursor.offset
            }
        }
        return Labels(packed: kept)
    }

    /// The set without the metric name.
    public var withoutName: Labels { removing([Labels.nameLabel]) }

    /// The set without the labels that identify the metric: its name, type and unit.
    public var withoutMetadata: Labels {
        filter { name in
            // The three names have the same length.
            guard name.count == 8, name[0] == 0x5F, name[1] == 0x5F else { return true }
            return !Labels.metadataLabelBytes.contains { $0.withUnsafeBufferPointer { Labels.equal($0, name) } }
        }
    }

    /// The set without the named labels.
    public func removing(_ names: [String]) -> Labels {
        let wanted = names.map { Array($0.utf8) }
        return filter { name in !wanted.contains { $0.withUnsafeBufferPointer { Labels.equal($0, name) } } }
    }

    /// The set with only the named labels.
    public func keeping(_ names: [String]) -> Labels {
        let wanted = names.map { Array($0.utf8) }
        return filter { name in wanted.contains { $0.withUnsafeBufferPointer { Labels.equal($0, name) } } }
    }

    /// Whether two byte sequences are equal.
    @inlinable
    public static func equal(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Bool {
        guard a.count == b.count else { return false }
        for i in 0..<a.count where a[i] != b[i] { return false }
        return true
    }

    /// Iterates over the packed form.
    ///
    /// Damaged bytes end the iteration early and are never read outside.
    public struct Cursor {
        @usableFromInline let buffer: UnsafeBufferPointer<UInt8>
        /// The offset of the next label.
        public private(set) var offset = 0

        @inlinable
        public init(_ buffer: UnsafeBufferPointer<UInt8>) { self.buffer = buffer }

        @usableFromInline
        mutating func run() -> UnsafeBufferPointer<UInt8>? {
            guard offset < buffer.count else { return nil }
            var size = Int(buffer[offset])
            offset &+= 1
            if size == 255 {
                guard buffer.count &- offset >= 3 else { return nil }
                size = Int(buffer[offset]) | Int(buffer[offset &+ 1]) << 8 | Int(buffer[offset &+ 2]) << 16
                offset &+= 3
                if size == Labels.longSize {
                    guard buffer.count &- offset >= 8 else { return nil }
                    size = 0
                    for i in 0..<8 { size |= Int(buffer[offset &+ i]) << (8 &* i) }
                    offset &+= 8
                }
            }
            guard size >= 0, buffer.count &- offset >= size else { return nil }
            let run = UnsafeBufferPointer(rebasing: buffer[offset..<(offset &+ size)])
            offset &+= size
            return run
        }

        /// The next name and value, or nil at the end.
        public mutating func next() -> (UnsafeBufferPointer<UInt8>, UnsafeBufferPointer<UInt8>)? {
            guard let name = run(), let value = run() else { return nil }
            return (name, value)
        }
    }

    /// The value of the three size bytes if the size needs eight.
    @usableFromInline static let longSize = 0xFF_FFFF

    /// The number of bytes of the size of `count` bytes in the packed form.
    @inlinable @inline(__always)
    public static func sizeWidth(_ count: Int) -> Int { count < 255 ? 1 : count < longSize ? 4 : 12 }

    /// Writes a size to `target`, which has space for ``sizeWidth(_:)`` bytes.
    @inlinable @inline(__always)
    public static func writeSize(_ count: Int, to target: UnsafeMutablePointer<UInt8>) {
        if count < 255 {
            target[0] = UInt8(truncatingIfNeeded: count)
            return
        }
        target[0] = 255
        let isLong = count >= longSize
        let short = isLong ? longSize : count
        for i in 0..<3 { target[i &+ 1] = UInt8(truncatingIfNeeded: short >> (8 &* i)) }
        if isLong { for i in 0..<8 { target[i &+ 4] = UInt8(truncatingIfNeeded: count >> (8 &* i)) } }
    }

    /// Appends a byte sequence after its size to a packed form under construction.
    @inlinable
    public static func appendRun(_ run: some Collection<UInt8>, to bytes: inout [UInt8]) {
        let size = run.count
        if size < 255 {
            bytes.append(UInt8(truncatingIfNeeded: size))
        } else {
            let start = bytes.count
            bytes.append(contentsOf: repeatElement(0, count: sizeWidth(size)))
            bytes.withUnsafeMutableBufferPointer { buffer in
                if let base = buffer.baseAddress { writeSize(size, to: base + start) }
            }
        }
        bytes.append(contentsOf: run)
    }
}

/// One label as strings.
public struct Label: Hashable, Sendable {
    public var name: String
    public var value: String

    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }

    public static func == (a: Label, b: Label) -> Bool { a.name.isExactly(b.name) && a.value.isExactly(b.value) }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(ExactText(name))
        hasher.combine(ExactText(value))
    }
}

extension Labels: Comparable {
    /// Orders sets as lists of (name, value), bytewise; a set that is a prefix of another is before it.
    public static func < (a: Labels, b: Labels) -> Bool { compare(a, b) < 0 }

    /// Negative, zero or positive if `a` is before, equal to or after `b`.
    public static func compare(_ a: Labels, _ b: Labels) -> Int {
        a.bytes.withUnsafeBufferPointer { x in
            b.bytes.withUnsafeBufferPointer { y in compare(packed: x, y) }
        }
    }

    /// The order of two packed forms: that of the first different byte, unless it is part of a size.
    private static func compare(packed a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Int {
        let different = firstDifference(a, b)
        guard different < min(a.count, b.count) else { return a.count - b.count }
        var (p, q) = (Cursor(a), Cursor(b))
        while true {
            guard let x = p.run(), let y = q.run() else { return a.count - b.count }
            if different >= p.offset, p.offset == q.offset { continue }
            // Texts of equal size differ in their contents.
            return x.count == y.count ? (a[different] < b[different] ? -1 : 1) : compare(x, y)
        }
    }

    /// The offset of the first different byte, or the smaller size.
    private static func firstDifference(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Int {
        let count = min(a.count, b.count)
        let (x, y) = (UnsafeRawBufferPointer(a), UnsafeRawBufferPointer(b))
        var at = 0
        while at &+ 8 <= count {
            let bits =
                UInt64(littleEndian: x.loadUnaligned(fromByteOffset: at, as: UInt64.self))
                ^ UInt64(littleEndian: y.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            if bits != 0 { return at &+ bits.trailingZeroBitCount >> 3 }
            at &+= 8
        }
        while at < count, a[at] == b[at] { at &+= 1 }
        return at
    }

    /// The bytewise order of two byte sequences.
    @inlinable
    public static func compare(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Int {
        let n = min(a.count, b.count)
        for i in 0..<n where a[i] != b[i] { return a[i] < b[i] ? -1 : 1 }
        return a.count - b.count
    }
}

extension Labels: CustomStringConvertible {
    /// A label set in Prometheus's notation: `{__name__="up", job="a"}`.
    public var description: String {
        LabelText.list(pairs.map { ($0.name, $0.value) })
    }

    /// As Prometheus prints a metric: `up{job="a"}`, and `{…}` without a name.
    public var metricDescription: String { LabelText.series(self) }
}
