import Platform
import Synchronization
import Telemetry

extension TimeSeriesStore {
    /// Notes the losses durably, in addition to those of earlier starts; answers for these times have a warning from
    /// now on.
    func noteDamage(_ plan: RecoveryPlan) {
        let read = DamageNotes.read(options.directory, fileSystem)
        for (path, error) in read.unreadable {
            logger.error("The notes of damage cannot be read", ["err": "\(error)"])
            if error is BlockError || IrregularFiles.isOne(path, fileSystem) {
                _ = try? SetAside.rename(path, fileSystem)
            }
        }
        var notes = current(read.notes)
        let earlier = notes.entries.map(\.file)
        let times = times(of: plan)
        let now = clock.now()
        for loss in plan.losses {
            // Blocks have older samples, too.
            let first = if case .missingBlocks = loss { Int64.min } else { times.lowerBound }
            notes.add(
                .init(
                    file: loss.file, kind: loss.kind, found: now, times: first...times.upperBound, isOther: loss.isOther
                ))
        }
        let known = Set(notes.entries.map(\.file))
        for name in DamageNotes.setAside(options.directory, fileSystem) where !known.contains(name) {
            notes.add(.init(file: name, kind: .damaged, found: 0))
        }
        damageNotes.withLock { $0 = notes }
        for entry in notes.entries { blockSet.leftOut.note(part(entry)) }
        if !earlier.isEmpty {
            logger.error(
                "What was damaged or missing at an earlier start is still missing",
                ["files": earlier.joined(separator: " ")])
        }
        // Notes that there is no memory to read are not replaced.
        let isShort = read.unreadable.contains { StorageError.shortage($0.error) != nil }
        if !isShort, notes != read.notes || !read.isWhole { write(notes) }
    }

    /// Removes notes of damage that was acknowledged: the damaged file, or the file of the notes, does not exist any
    /// more.
    func lookAtDamage() {
        let notes = damageNotes.withLock { $0 }
        guard !notes.entries.isEmpty else { return }
        var next = current(notes)
        let file = options.directory + "/" + DamageNotes.fileName
        if (try? fileSystem.exists(file)) == false { next.removeAll { $0.kind == .missing } }
        guard next != notes else { return }
        let kept = Set(next.entries)
        for entry in notes.entries where !kept.contains(entry) { blockSet.leftOut.clear(part(entry)) }
        damageNotes.withLock { $0 = next }
        write(next)
    }

    /// The notes that still matter: without damaged files that were removed, and without missing files before the
    /// retention.
    private func current(_ notes: DamageNotes) -> DamageNotes {
        var result = notes
        let newest = head.newest.load(ordering: .relaxed)
        let retention = settings.retentionTime
        result.removeAll { entry in
            if entry.kind == .damaged { return !DamageNotes.isThere(entry, options.directory, fileSystem) }
            guard let times = entry.times, retention > 0, newest != .min else { return false }
            return times.upperBound < newest.subtractingReportingOverflow(retention).partialValue
        }
        return result
    }

    func write(_ notes: DamageNotes) {
        do { try notes.write(options.directory, fileSystem) } catch {
            logger.error("The notes of damage cannot be written", ["err": "\(error)"])
        }
    }

    func part(_ entry: DamageNotes.Entry) -> LeftOutPart {
        LeftOutPart(
            name: entry.file, isBlock: false, kind: entry.kind,
            reason: "\(options.directory)/\(entry.file) was found "
                + (entry.isOther ? "to be of another store" : entry.kind.rawValue),
            times: entry.times, isOther: entry.isOther)
    }

    /// The time range of the losses.
    ///
    /// It starts with the oldest window of the head and of the lost spill files, or after the blocks. It ends now, or
    /// with the newest sample.
    private func times(of plan: RecoveryPlan) -> ClosedRange<Int64> {
        let newest = max(head.newest.load(ordering: .relaxed), clock.now())
        let ends = plan.spills.compactMap { SpillStore.windowAndNumber($0)?.windowEnd } + head.windows().prefix(1)
        var starts = ends.map { $0.subtractingReportingOverflow(options.blockDuration).partialValue }
        if plan.touchesCheckpoint || starts.isEmpty, let last = blockSet.readers.map(\.maxTime).max() {
            starts.append(last &+ 1)
        }
        return min(starts.min() ?? .min, newest)...newest
    }
}
