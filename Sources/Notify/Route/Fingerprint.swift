import GoCompatibility
import Model

/// The identity of a label set in notifications: 64-bit FNV-1a over name, 0xff, value, 0xff in order of names.
package struct Fingerprint: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let raw: UInt64

    package init(raw: UInt64) { self.raw = raw }

    package init(_ labels: Labels) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        labels.forEachBytes { name, value in
            for byte in name { add(byte) }
            add(0xFF)
            for byte in value { add(byte) }
            add(0xFF)
        }
        raw = hash
    }

    /// Sixteen hexadecimal digits.
    package var description: String { raw.zeroPadded(16, radix: 16) }

    package static func < (a: Fingerprint, b: Fingerprint) -> Bool { a.raw < b.raw }
}
