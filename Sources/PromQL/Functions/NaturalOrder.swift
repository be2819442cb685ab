/// An order of strings in which consecutive digits are compared as numbers.
enum NaturalOrder {
    static func compare(_ a: String, _ b: String) -> Int {
        let (x, y) = (chunks(a), chunks(b))
        for (left, right) in zip(x, y) {
            if let m = Double(left), let n = Double(right), left.utf8.allSatisfy(isDigit),
                right.utf8.allSatisfy(isDigit)
            {
                if m != n { return m < n ? -1 : 1 }
            } else if left != right {
                return left.utf8.lexicographicallyPrecedes(right.utf8) ? -1 : 1
            }
        }
        return x.count - y.count
    }

    private static func isDigit(_ c: UInt8) -> Bool { c >= 0x30 && c <= 0x39 }

    private static func chunks(_ text: String) -> [String] {
        var result: [[UInt8]] = []
        var wasDigit = false
        for c in text.utf8 {
            if result.isEmpty || isDigit(c) != wasDigit { result.append([]) }
            result[result.count - 1].append(c)
            wasDigit = isDigit(c)
        }
        return result.map { String(decoding: $0, as: UTF8.self) }
    }
}
