import Model

extension LabelIndex {
    /// Checks the records, the posting lists and the table of series against the live series; needs the lock.
    func checkInvariants(_ living: [(id: UInt32, record: UInt32)]) throws(BrokenInvariant) {
        let records = Dictionary(uniqueKeysWithValues: living.map { ($0.id, $0.record) })
        var byPair: [UInt32: [UInt32]] = [:]
        for (id, record) in living {
            var reader = pairs(of: record)
            var before: String?
            while let pair = reader.next() {
                try BrokenInvariant.require(
                    pair > 0 && Int(pair) <= pairCount, "series \(id) has pair \(pair) of \(pairCount)")
                byPair[pair, default: []].append(id)
                let name = name(of: pair)
                try BrokenInvariant.require(
                    before.map { $0.utf8.lexicographicallyPrecedes(name.utf8) } ?? true,
                    "labels \(before ?? "") and \(name) of series \(id) are not in order")
                before = name
            }
            let labels = labels(record: record)
            let found = labels.bytes.withUnsafeBufferPointer {
                find($0, hash: labels.stableHash) { records[$0] ?? record }
            }
            try BrokenInvariant.require(
                found == id, "labels of series \(id) lead to \(found.map { "\($0)" } ?? "none")")
        }
        try BrokenInvariant.require(
            seriesInTable == living.count, "the table has \(seriesInTable) series, and \(living.count) are alive")
        try checkPairs(byPair)
        let (held, used) = blocks
        try BrokenInvariant.require(held == used, "\(used) blocks are taken, and \(held) are in posting lists")
    }

    private func name(of pair: UInt32) -> String {
        String(decoding: text(ofSymbol: symbols(ofPair: pair).name), as: UTF8.self)
    }

    /// Checks the posting list of each pair, and that the pair is found by its name and value.
    private func checkPairs(_ byPair: [UInt32: [UInt32]]) throws(BrokenInvariant) {
        var counts: [Int: Int] = [:]
        _ = forEachPairInUse(0..<(pairCount + 1)) { counts[$0.number] = $0.series }
        var ofName: [String: Set<UInt32>] = [:]
        for number in 1..<max(1, pairCount + 1) {
            let pair = UInt32(number)
            let name = name(of: pair)
            let value = String(decoding: value(of: pair), as: UTF8.self)
            let (listed, own) = (ids(of: [pair]), byPair[pair] ?? [])
            try BrokenInvariant.require(
                zip(listed, listed.dropFirst()).allSatisfy { $0 < $1 }, "the list of \(name)=\(value) does not ascend")
            let missing = Set(own).subtracting(listed)
            try BrokenInvariant.require(missing.isEmpty, "the list of \(name)=\(value) lacks \(missing.sorted())")
            try BrokenInvariant.require(
                counts[number] ?? 0 == own.count,
                "\(own.count) series have \(name)=\(value), and \(counts[number] ?? 0) are counted")
            try BrokenInvariant.require(
                postings(name, equals: value) == listed, "\(name)=\(value) does not lead to its list")
            if !own.isEmpty { ofName[name, default: []].insert(pair) }
        }
        for (name, pairs) in ofName {
            let known = pairsInUse(of: name)
            try BrokenInvariant.require(
                known.count == pairs.count && Set(known) == pairs, "the values of \(name) are not those of its series")
        }
    }
}
