import Model

/// The order of the alerts of a notification, which also decides which alerts `max_alerts` keeps.
///
/// The order is by the label `job`, then `instance`, with alerts without the label last, then by all labels, fewer
/// labels first.
enum PayloadOrder {
    static func isBefore(_ a: Labels, _ b: Labels) -> Bool {
        for name in ["job", "instance"] {
            switch (a[name], b[name]) {
            case (nil, nil): continue
            case (nil, _): return false
            case (_, nil): return true
            case (let x?, let y?): if !x.isExactly(y) { return x.isExactlyBefore(y) }
            }
        }
        let (x, y) = (a.count, b.count)
        return x != y ? x < y : isBefore(equallyMany: a, b)
    }

    private static func isBefore(equallyMany a: Labels, _ b: Labels) -> Bool {
        a.bytes.withUnsafeBufferPointer { x in
            b.bytes.withUnsafeBufferPointer { y in
                var (p, q) = (Labels.Cursor(x), Labels.Cursor(y))
                while let (name, value) = p.next(), let (otherName, otherValue) = q.next() {
                    // The set without the smaller name is first.
                    if !Labels.equal(name, otherName) { return otherName.lexicographicallyPrecedes(name) }
                    if !Labels.equal(value, otherValue) { return value.lexicographicallyPrecedes(otherValue) }
                }
                return false
            }
        }
    }
}
