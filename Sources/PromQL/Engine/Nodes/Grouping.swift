import Model

/// Finds the group of a label set: keeps or removes the named labels.
struct Grouping {
    private let names: [[UInt8]]
    /// The labels that are removed from a series without type and unit; only for `without`.
    private let namesWithoutMetadata: [[UInt8]]
    private let isWithout: Bool
    /// Whether the metric's name, type or unit distinguishes groups.
    private let usesMetadata: Bool
    private(set) var groups: [Labels] = []
    private var hashes: [UInt64] = []
    /// A hash table of group numbers + 1, with 0 for an empty slot.
    private var slots = [UInt32](repeating: 0, count: 16)
    private var key: [UInt8] = []

    init(_ names: [String], isWithout: Bool) {
        self.names = (isWithout ? names + [Labels.nameLabel] : names).map { Array($0.utf8) }
        namesWithoutMetadata = isWithout ? (names + Labels.metadataLabels).map { Array($0.utf8) } : []
        self.isWithout = isWithout
        usesMetadata = !isWithout && names.contains(where: Labels.metadataLabels.contains)
    }

    /// The number of a series' group; groups are numbered from 0 in the order of their first series.
    mutating func index(of metric: Metric) -> Int {
        if !isWithout, names.isEmpty { return find(hash: 0) }
        if isWithout, metric.lacksTypeAndUnit { return index(of: metric.labelsWithMetadata, namesWithoutMetadata) }
        return index(of: usesMetadata ? metric.labels : metric.labelsWithMetadata)
    }

    /// The number of the group of a label set.
    mutating func index(of labels: Labels) -> Int { index(of: labels, names) }

    private mutating func index(of labels: Labels, _ names: [[UInt8]]) -> Int {
        key.removeAll(keepingCapacity: true)
        if !isWithout, names.isEmpty { return find(hash: 0) }
        labels.bytes.withUnsafeBufferPointer { buffer in
            var cursor = Labels.Cursor(buffer)
            var start = 0
            while let (name, _) = cursor.next() {
                if names.contains(where: { $0.withUnsafeBufferPointer { Labels.equal($0, name) } })
                    != isWithout
                {
                    key.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[start..<cursor.offset]))
                }
                start = cursor.offset
            }
        }
        return find(hash: key.withUnsafeBytes { XXHash64.hash($0) })
    }

    /// The number of the group with the labels `key`; a new group is added.
    private mutating func find(hash: UInt64) -> Int {
        let mask = slots.count &- 1
        var at = Int(truncatingIfNeeded: hash) & mask
        while slots[at] != 0 {
            let group = Int(slots[at]) &- 1
            if hashes[group] == hash, groups[group].bytes == key { return group }
            at = (at &+ 1) & mask
        }
        groups.append(Labels(packed: key))
        hashes.append(hash)
        slots[at] = UInt32(groups.count)
        if groups.count &* 2 > slots.count { grow() }
        return groups.count &- 1
    }

    private mutating func grow() {
        slots = [UInt32](repeating: 0, count: slots.count &* 4)
        let mask = slots.count &- 1
        for group in groups.indices {
            var at = Int(truncatingIfNeeded: hashes[group]) & mask
            while slots[at] != 0 { at = (at &+ 1) & mask }
            slots[at] = UInt32(group &+ 1)
        }
    }
}
