import Platform
import Synchronization
import Telemetry

/// What is found damaged or missing of the log and the checkpoint while a store is opened.
struct StartDamage {
    /// A file, by its name in the directory.
    struct Part {
        var file: String
        var kind: LeftOutPart.Kind
    }

    private let directory: String
    private let fileSystem: any FileSystem
    private let logger: Log
    private(set) var parts: [Part] = []
    /// Damaged places and missing files.
    private(set) var count = 0
    /// Whether what the checkpoint held may be missing.
    private(set) var touchesCheckpoint = false
    /// Names of the spill files that were set aside: perhaps the last copies of what another file has lost.
    private(set) var spills: [String] = []
    /// Segments in whose place lay what is no file.
    private var irregularSegments: Set<UInt64> = []

    init(_ directory: String, _ fileSystem: any FileSystem, _ logger: Log) {
        self.directory = directory
        self.fileSystem = fileSystem
        self.logger = logger
    }

    /// Reports what is missing because something else lay in the place of a file; that is set aside already.
    ///
    /// - Parameters:
    ///   - from: The segment that the checkpoint names, 0 if there is none.
    ///   - spill: The spill files that the checkpoint names.
    mutating func irregular(_ found: [IrregularFiles.Found], from: UInt64, _ spill: SpillStore) {
        if found.contains(where: { $0.place == .checkpoint }) { touchesCheckpoint = true }
        let named = Set(spill.files.map { FilePath.name($0.path) })
        for one in found {
            switch one.place {
            case .checkpoint: break
            case .segment(let number):
                guard number >= from else { continue }
                irregularSegments.insert(number)
            case .spill:
                let name = FilePath.name(one.name)
                guard touchesCheckpoint || named.contains(name) else { continue }
                spills.append(name)
            case .other: continue
            }
            count += 1
            parts.append(Part(file: one.kept, kind: .damaged))
        }
    }

    /// Reports the damaged places of the checkpoint, and gives the file a name that the next one does not take.
    mutating func checkpoint(_ damage: [String]) {
        guard !damage.isEmpty else { return }
        let path = directory + "/checkpoint"
        touchesCheckpoint = true
        count += damage.count
        var name = "checkpoint"
        do {
            let kept = try SetAside.link(path, fileSystem)
            name = SetAside.original(FilePath.name(kept)) ?? name
        } catch {
            logger.error("The damaged checkpoint cannot be set aside", ["file": path, "err": "\(error)"])
        }
        parts.append(Part(file: name, kind: .damaged))
        for what in damage {
            logger.error(
                "The checkpoint is damaged; what only the damaged part held is lost", ["file": path, "err": what])
        }
    }

    /// Reports that there is no checkpoint if there was one: the log does not begin with its first segment, or there are
    /// spill files without any log.
    mutating func missingCheckpoint(segments: [UInt64], strangers: [String]) {
        guard !touchesCheckpoint, segments.first.map({ $0 > 1 }) ?? !strangers.isEmpty else { return }
        touchesCheckpoint = true
        count += 1
        parts.append(Part(file: "checkpoint", kind: .missing))
        logger.error(
            "The checkpoint is missing; what only it held is lost", ["file": directory + "/checkpoint"])
    }

    /// Reports that there are no blocks, and no list of them, if the checkpoint says that there were some.
    mutating func missingBlocks(_ number: UInt64, _ blocks: BlockSet) {
        guard number > 0, blocks.wasEmpty else { return }
        parts.append(Part(file: Self.blocks, kind: .missing))
        logger.error(
            "All blocks are missing, with the list of them", ["file": blocks.directory, "blocks": "\(number)"])
    }

    static let blocks = "blocks"

    /// Takes what the reading of the log found, and reports segments that are not there.
    ///
    /// - Parameters:
    ///   - from: The segment that the checkpoint names; nil if that is not known.
    ///   - all: Numbers of the files in the log, those that were set aside included.
    mutating func log(_ replay: LogReplay, from: UInt64?, all: [UInt64]) {
        count += replay.damaged
        for number in replay.damagedSegments.sorted() {
            parts.append(Part(file: "wal/" + FilePath.name(WriteAheadLog.path("", number)), kind: .damaged))
        }
        let first = from ?? all.first
        let own = all.last {
            $0 >= first ?? 0 && !replay.foreign.contains($0) && !irregularSegments.contains($0)
        }
        for gap in Self.gaps(all, from: first, to: own, unused: replay.unused) {
            count += 1
            var name = "wal/" + FilePath.name(WriteAheadLog.path("", gap.lowerBound))
            if gap.count > 1 { name += "-" + FilePath.name(WriteAheadLog.path("", gap.upperBound)) }
            parts.append(Part(file: name, kind: .missing))
            logger.error("A part of the log is missing; what it held is lost", ["file": directory + "/" + name])
        }
    }

    /// Lets go of the spill files that no checkpoint names: if nothing is damaged or missing, the log held the same.
    mutating func spillFiles(_ strangers: [String], _ spill: SpillStore) {
        spill.dropStrangers(strangers, isDisowned: count == 0)
        guard count > 0, !strangers.isEmpty else { return }
        spills += strangers
        logger.error(
            "Spill files that no checkpoint names are set aside", ["files": strangers.joined(separator: " ")])
    }

    /// Numbers that have no file, between the first that must be there and the last that is.
    ///
    /// - Parameter unused: Numbers that need no file, each range up to a segment that is there.
    static func gaps(
        _ all: [UInt64], from first: UInt64?, to last: UInt64?, unused: [Range<UInt64>]
    ) -> [ClosedRange<UInt64>] {
        guard let first, first > 0 else { return [] }
        var result: [ClosedRange<UInt64>] = []
        func add(_ low: UInt64, _ high: UInt64) {
            let known = unused.filter { $0.upperBound > high }.map(\.lowerBound).min() ?? .max
            let end = min(high, known &- 1)
            if known > low, low <= end { result.append(low...end) }
        }
        var next = first
        let end = max(first, last ?? first)
        for number in all where number >= first && number <= end {
            if number > next { add(next, number &- 1) }
            next = number &+ 1
        }
        if next <= end { add(next, end) }
        return result
    }
}

extension TimeSeriesStore {
    /// Notes what was found, durably, beside what earlier starts have found; answers for these times warn from now on.
    func noteDamage(_ damage: StartDamage) {
        let read = DamageNotes.read(options.directory, fileSystem)
        for (path, error) in read.unreadable {
            logger.error("The notes of damage cannot be read", ["err": "\(error)"])
            if error is BlockError || IrregularFiles.isOne(path, fileSystem) {
                _ = try? SetAside.rename(path, fileSystem)
            }
        }
        var notes = current(read.notes)
        let earlier = notes.entries.map(\.file)
        let times = times(of: damage)
        let now = clock.now()
        for part in damage.parts {
            // Blocks hold what is older.
            let first = part.file == StartDamage.blocks ? .min : times.lowerBound
            notes.add(.init(file: part.file, kind: part.kind, found: now, times: first...times.upperBound))
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
        if notes != read.notes || !read.isWhole { write(notes) }
    }

    /// Forgets damage whose files are not there any more, as somebody has taken notice of it.
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

    /// The notes without what nobody can miss any more.
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
            reason: "\(options.directory)/\(entry.file) was found \(entry.kind.rawValue)", times: entry.times)
    }

    /// The times of what is lost: as young as the head, and written before now.
    private func times(of damage: StartDamage) -> ClosedRange<Int64> {
        let newest = max(head.newest.load(ordering: .relaxed), clock.now())
        let ends = damage.spills.compactMap { SpillStore.windowAndNumber($0)?.windowEnd } + head.windows().prefix(1)
        var starts = ends.map { $0.subtractingReportingOverflow(options.blockDuration).partialValue }
        if damage.touchesCheckpoint || starts.isEmpty, let last = blockSet.readers.map(\.maxTime).max() {
            starts.append(last &+ 1)
        }
        return min(starts.min() ?? .min, newest)...newest
    }
}
