import Glibc
import Model

/// The order of the alerts of a notification, which also decides which alerts `max_alerts` keeps.
///
/// The order is by the label `job`, then `instance`, with alerts without the label last, then by all labels, fewer
/// labels first.
enum PayloadOrder {
    private static let job = Array("job".utf8)
    private static let instance = Array("instance".utf8)

    /// The alerts in this order.
    ///
    /// Each alert gets a key once, so that a comparison is one of bytes.
    static func sorted(_ alerts: [NotifiedAlert]) -> [NotifiedAlert] {
        var keys: [UInt8] = []
        let places = alerts.indices.map { index in
            let start = keys.count
            appendKey(of: alerts[index].alert.labels, to: &keys)
            return (index: index, key: start..<keys.count)
        }
        let order = keys.withUnsafeBytes { keys in
            places.sorted { a, b in isBefore(.init(rebasing: keys[a.key]), .init(rebasing: keys[b.key])) }
        }
        return order.map { alerts[$0.index] }
    }

    private static func isBefore(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        guard let x = a.baseAddress, let y = b.baseAddress else { return a.count < b.count }
        let order = memcmp(x, y, min(a.count, b.count))
        return order == 0 ? a.count < b.count : order < 0
    }

    /// Appends bytes whose order is the order of the payload.
    static func appendKey(of labels: Labels, to key: inout [UInt8]) {
        for name in [job, instance] {
            name.withUnsafeBufferPointer { name in
                let found: Void? = labels.withValue(of: name) { value in
                    key.append(0)
                    append(value, to: &key, flip: 0)
                }
                if found == nil { key.append(1) }
            }
        }
        appendSet(labels, to: &key)
    }

    /// Bytes whose order is that of label sets: fewer labels first, then by names and values.
    static func key(of labels: Labels) -> [UInt8] {
        var key: [UInt8] = []
        appendSet(labels, to: &key)
        return key
    }

    private static func appendSet(_ labels: Labels, to key: inout [UInt8]) {
        withUnsafeBytes(of: UInt64(labels.count).bigEndian) { key.append(contentsOf: $0) }
        labels.forEachBytes { name, value in
            // The set without the smaller name is first.
            append(name, to: &key, flip: 0xFF)
            append(value, to: &key, flip: 0)
        }
    }

    /// Appends a text with an end, before which nothing sorts; a flip of 0xFF reverses the order.
    private static func append(_ text: UnsafeBufferPointer<UInt8>, to key: inout [UInt8], flip: UInt8) {
        for byte in text {
            key.append(byte ^ flip)
            // Otherwise a zero byte might be read as the end.
            if byte == 0 { key.append(0xFF ^ flip) }
        }
        key.append(0 ^ flip)
        key.append(0 ^ flip)
    }
}
