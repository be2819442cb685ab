/// The names of blocks in the bytes of a damaged manifest, read without checksums.
enum ManifestRemains {
    private static let nameSize = 26

    /// The blocks of `names` that are named more than once: first as blocks, then because something in them is deleted
    /// or will be.
    ///
    /// A name counts also with one wrong byte.
    static func repeated(_ content: [UInt8], _ names: [String]) -> Set<String> {
        let all = names.map { Array($0.utf8) }
        // If one byte is wrong, either the first or the last eight are right.
        var parts: [UInt64: [(name: Int, isEnd: Bool)]] = [:]
        for (number, name) in all.enumerated() where name.count == nameSize {
            parts[value(name.prefix(8)), default: []].append((number, false))
            parts[value(name.suffix(8)), default: []].append((number, true))
        }
        var counts = [Int](repeating: 0, count: names.count)
        var last: UInt64 = 0
        for (at, byte) in content.enumerated() {
            last = last << 8 | UInt64(byte)
            for part in parts[last] ?? [] {
                let start = at - (part.isEnd ? nameSize : 8) + 1
                guard start >= 0, start + nameSize <= content.count else { continue }
                let found = content[start..<(start + nameSize)]
                // A name whose beginning is right was counted there.
                if part.isEnd, found.starts(with: all[part.name].prefix(8)) { continue }
                let wrong = zip(found, all[part.name]).reduce(0) { $0 + ($1.0 == $1.1 ? 0 : 1) }
                if wrong <= 1 { counts[part.name] += 1 }
            }
        }
        return Set(zip(names, counts).filter { $0.1 > 1 }.map(\.0))
    }

    private static func value(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}
