import Model
import Synchronization

extension Head {
    /// The contents of the states of all series together.
    private struct Tally {
        /// The number of open chunks by group and run.
        var references: [[UInt32: UInt32]]
        var blocks: Set<UInt32> = []
        var sealed: Set<UInt32> = []
        /// The group of each id in the extents.
        var owners: [UInt32: UInt32] = [:]
        var living = 0
    }

    /// Checks groups, runs, states, the chains of open chunks and the lists of sealed chunks.
    ///
    /// - Parameter withTimes: Whether the order of the times is checked, too; bytes of a file that no program wrote may
    ///   violate it.
    func checkInvariants(withTimes: Bool = true) throws(BrokenInvariant) {
        let groups = lockAll()
        defer {
            registry.unlock()
            for group in groups { group.lock.unlock() }
        }
        var tally = Tally(references: groups.map { _ in [:] })
        for (at, group) in groups.enumerated() {
            try BrokenInvariant.require(Int(group.id) == at, "group \(group.id) is in place \(at)")
            try check(group, withTimes: withTimes, &tally)
        }
        for (name, at) in groupByName {
            try BrokenInvariant.require(
                groups.indices.contains(at) && groups[at].name == name, "group \(at) is not \(name)")
        }
        for row in checkedRows {
            for id in row { try check(id, groups, withTimes: withTimes, &tally) }
        }
        try checkLiving(tally)
        for group in groups {
            for run in group.runs.numbers where group.runs[run].isInUse {
                let (held, known) = (tally.references[Int(group.id)][run] ?? 0, group.runs[run].references)
                try BrokenInvariant.require(
                    held == known, "\(held) chunks hold run \(run) of group \(group.id), which counts \(known)")
            }
        }
        try BrokenInvariant.require(
            tally.blocks.count == arena.usedBlocks,
            "\(arena.usedBlocks) blocks are taken, and \(tally.blocks.count) are in open chunks")
        try BrokenInvariant.require(
            tally.sealed.count == sealed.inUse,
            "\(sealed.inUse) entries of sealed chunks are taken, and \(tally.sealed.count) are in lists")
    }

    /// The rows of ids that are checked: the first 262,144 ids, and after them the rows with live series.
    ///
    /// A damaged log can name a series near the capacity: checking all ids below it would take minutes with a sanitizer.
    private var checkedRows: [Range<UInt32>] {
        var rows: [Range<UInt32>] = []
        for start in stride(from: 0, to: idEnd, by: LiveIds.row) where start < 262_144 || !live.isRowEmpty(start) {
            rows.append(start..<min(idEnd, start + UInt32(LiveIds.row)))
        }
        return rows
    }

    private func check(_ group: HeadGroup, withTimes: Bool, _ tally: inout Tally) throws(BrokenInvariant) {
        try group.runs.checkInvariants("group \(group.id)", withTimes: withTimes)
        var count = 0
        for id in group.extents.joined() {
            count += 1
            try BrokenInvariant.require(id < idEnd, "group \(group.id) has series \(id) of \(idEnd)")
            let other = tally.owners.updateValue(group.id, forKey: id)
            try BrokenInvariant.require(
                other == nil, "series \(id) is in group \(group.id) and in \(other.map { "\($0)" } ?? "")")
        }
        try BrokenInvariant.require(
            count == group.count, "group \(group.id) counts \(group.count) series and has \(count)")
        for (id, samples) in group.outOfOrder {
            let isOwn = id < idEnd && states[id].group == group.id
            try BrokenInvariant.require(isOwn, "group \(group.id) has samples out of order of series \(id)")
            try BrokenInvariant.require(
                samples.isSound && !samples.isEmpty, "samples out of order of series \(id) are not sorted")
        }
    }

    private func check(
        _ id: UInt32, _ groups: [HeadGroup], withTimes: Bool, _ tally: inout Tally
    ) throws(BrokenInvariant) {
        let state = states[id]
        if state.labels != 0 {
            tally.living += 1
            try BrokenInvariant.require(
                tally.owners[id] == state.group,
                "series \(id) names group \(state.group), and is in \(tally.owners[id].map { "\($0)" } ?? "none")")
        }
        try BrokenInvariant.require(state.isSound, "the open chunk of series \(id) is unsound: \(state)")
        let isKnown = groups.indices.contains(Int(state.group))
        // The state of an id that is not in use names group 0, which may not exist.
        if !isKnown, state.labels == 0, state.run == 0, state.sealed == 0 { return }
        guard isKnown else { throw BrokenInvariant(description: "series \(id) names group \(state.group)") }
        let group = groups[Int(state.group)]
        if state.run != 0 {
            tally.references[Int(state.group)][state.run, default: 0] += 1
            let isRun = group.runs.numbers.contains(state.run) && group.runs[state.run].isInUse
            guard isRun else { throw BrokenInvariant(description: "series \(id) is in run \(state.run)") }
            let (run, end) = (group.runs[state.run], Int(state.first) + Int(state.count))
            try BrokenInvariant.require(
                end <= run.count, "the open chunk of series \(id) ends at \(end) of \(run.count) times")
            if withTimes, state.count > 0 {
                let time = run.time(end - 1)
                try BrokenInvariant.require(
                    state.lastTime == time, "the newest time of series \(id) is \(state.lastTime), in its run \(time)")
            }
        }
        if state.labels != 0, withTimes {
            let newest = newest.load(ordering: .relaxed)
            try BrokenInvariant.require(
                state.lastTime <= newest, "series \(id) has time \(state.lastTime), and the newest is \(newest)")
        }
        if state.codec == SeriesState.histogram, state.count > 0 {
            try BrokenInvariant.require(
                group.histograms[id] != nil, "the histograms in the open chunk of series \(id) are missing")
        }
        try checkChain(id, state, &tally)
        var next = state.sealed
        while next != 0 {
            try BrokenInvariant.require(
                tally.sealed.insert(next).inserted, "sealed chunk \(next) of series \(id) is in two lists")
            next = sealed[next].next
        }
    }

    /// Checks the blocks of an open chunk.
    private func checkChain(_ id: UInt32, _ state: SeriesState, _ tally: inout Tally) throws(BrokenInvariant) {
        let count = ((Int(state.bits) >> 5) + BlockArena.words - 1) / BlockArena.words
        var (block, last, seen) = (state.firstBlock, UInt32(0), 0)
        while block != 0, seen <= count {
            try BrokenInvariant.require(
                tally.blocks.insert(block).inserted, "block \(block) of series \(id) is in two chunks")
            (last, seen) = (block, seen + 1)
            block = arena.link(of: block)
        }
        try BrokenInvariant.require(
            seen == count && last == state.lastBlock,
            "the open chunk of series \(id) has \(seen) blocks up to \(last), but should have \(count) up to "
                + "\(state.lastBlock)")
    }

    /// Checks the numbers of live series.
    private func checkLiving(_ tally: Tally) throws(BrokenInvariant) {
        try BrokenInvariant.require(
            tally.living == live.count, "\(tally.living) series are alive, and \(live.count) are counted")
        var rows = 0
        for row in checkedRows {
            let isEmpty = row.allSatisfy { states[$0].labels == 0 }
            if !isEmpty { rows += 1 }
            try BrokenInvariant.require(
                live.isRowEmpty(row.lowerBound) == isEmpty,
                "series \(row) are \(isEmpty ? "gone" : "alive") against the count")
        }
        try BrokenInvariant.require(rows == live.usedRows, "\(rows) rows are in use, and \(live.usedRows) are counted")
    }

    /// Checks the index of labels against the live series.
    func checkLabels() throws(BrokenInvariant) {
        registry.lock()
        defer { registry.unlock() }
        try index.checkInvariants(liveIds(below: idEnd).map { ($0, states[$0].labels) })
    }
}
