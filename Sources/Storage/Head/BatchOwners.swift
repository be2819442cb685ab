import Model

/// The groups that own the series of a batch, and the samples of each of them.
///
/// The samples are divided once: a push may have samples of very many groups, and each group would read the whole push.
struct BatchOwners {
    /// Samples of one group.
    struct Part {
        /// The numbers of the samples in `positions`, or, if that is empty, their positions in the batch.
        var numbers: Range<Int>
        fileprivate var positions: [Int32]

        /// The position of a sample in the batch.
        @inline(__always)
        func position(_ number: Int) -> Int { positions.isEmpty ? number : Int(positions[number]) }
    }

    /// The groups that own series of the batch and of its exemplars, and always the batch's own group, by ascending id.
    let groups: [HeadGroup]
    /// The samples of the groups; those of unknown series are with the batch's own group.
    let parts: [(group: HeadGroup, samples: Part)]

    init(_ batch: borrowing SampleBatch, _ own: HeadGroup, _ head: Head) {
        let count = min(batch.refs.count, batch.values.count)
        let end = UInt64(head.idEnd)
        /// The group of a series; that of the batch if there is no such series.
        func owner(_ ref: SeriesRef) -> UInt32 {
            ref.raw &- 1 < end ? head.states[UInt32(truncatingIfNeeded: ref.raw &- 1)].group : own.id
        }
        var others: Set<UInt32> = []
        var last = own.id
        for ref in batch.refs {
            let group = owner(ref)
            if group == last { continue }
            if group != own.id { others.insert(group) }
            last = group
        }
        for (ref, _) in batch.exemplars where owner(ref) != own.id { others.insert(owner(ref)) }
        guard !others.isEmpty else {
            groups = [own]
            parts = [(own, Part(numbers: 0..<count, positions: []))]
            return
        }
        let all = ([own] + others.compactMap { $0 == own.id ? nil : head.group($0) }).sorted { $0.id < $1.id }
        groups = all
        var places: [UInt32: Int] = [:]
        for (place, group) in all.enumerated() { places[group.id] = place }
        let ownPlace = places[own.id] ?? 0
        var (lastGroup, lastPlace) = (own.id, ownPlace)
        // The group of a series is read once more, because it changes if the series is removed.
        let owners = batch.refs[..<count].map { ref in
            let group = owner(ref)
            if group != lastGroup { (lastGroup, lastPlace) = (group, places[group] ?? ownPlace) }
            return lastPlace
        }
        var ends = [Int](repeating: 0, count: all.count)
        for place in owners { ends[place] += 1 }
        var next = 0
        for place in ends.indices {
            next += ends[place]
            ends[place] = next - ends[place]
        }
        var positions = [Int32](repeating: 0, count: count)
        for (i, place) in owners.enumerated() {
            positions[ends[place]] = Int32(truncatingIfNeeded: i)
            ends[place] += 1
        }
        var start = 0
        var parts: [(group: HeadGroup, samples: Part)] = []
        for (group, end) in zip(all, ends) {
            if start < end { parts.append((group, Part(numbers: start..<end, positions: positions))) }
            start = end
        }
        self.parts = parts
    }
}
