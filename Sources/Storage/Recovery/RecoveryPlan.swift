import Platform

/// A plan of what is read when a store is opened, what of it is damaged or missing, and which spill files are removed.
///
/// It is a value that uses no files. The code that opens the store makes it from the checkpoint, then notes the content
/// of the directory, and after it has read ``segments``, what was found in them. Each note returns new losses, which
/// are to be reported. At the end, ``strangers`` and ``newSegment`` determine what is done with the files.
struct RecoveryPlan: Equatable, Sendable {
    /// The content of the checkpoint that matters for the plan.
    struct Checkpoint: Equatable, Sendable {
        var isThere = true
        /// The first segment of the log that is needed; 0 if it is not known.
        var segment: UInt64 = 0
        /// The number of blocks of the store.
        var blocks: UInt64 = 0
        /// The damaged parts of the checkpoint.
        var damage: [String] = []
        /// The name in the directory of a damaged checkpoint that was set aside.
        var keptAs = "checkpoint"
    }

    /// The content of the directory.
    struct Directory: Equatable, Sendable {
        /// The numbers of the files in the log, ascending.
        var segments: [UInt64] = []
        /// The newest segment with a frame according to the manifest; 0 if it notes none.
        var newestSegment: UInt64 = 0
        /// The things with the name of a file that are not regular files; they were set aside before.
        var irregular: [IrregularFiles.Found] = []
        /// The names of the spill files that the checkpoint names.
        var namedSpills: Set<String> = []
        /// The names of the other spill files that have content.
        var strangers: [String] = []
        /// The names of missing spill files that the checkpoint names and whose samples are in no block.
        var missingSpills: [String] = []
    }

    /// The result of reading the log.
    struct LogFindings: Equatable, Sendable {
        /// The number of damaged places.
        var damaged = 0
        var damagedSegments: Set<UInt64> = []
        /// The files with the name of a segment that have neither its header nor a whole frame.
        var foreign: Set<UInt64> = []
        /// The files of another store; they are among the damaged ones.
        var others: Set<UInt64> = []
        /// The numbers that need no file, each range up to an existing segment.
        var unused: [Range<UInt64>] = []
        /// The numbers of segments that had frames, even if they are in ``unused``.
        var used: Set<UInt64> = []
    }

    /// Something that is damaged or missing.
    enum Loss: Equatable, Sendable {
        case damagedCheckpoint(places: [String], keptAs: String)
        case missingCheckpoint
        /// All blocks are missing, and so is the manifest.
        case missingBlocks(UInt64)
        /// Something that is not a regular file was in the place of a file.
        case irregular(keptAs: String)
        case damagedSegment(UInt64)
        /// A file of the log is of another store.
        case otherSegment(UInt64)
        case missingSegments(ClosedRange<UInt64>)
        case missingSpill(String)

        /// The name in the directory.
        var file: String {
            switch self {
            case .damagedCheckpoint(_, let kept), .irregular(let kept): kept
            case .missingCheckpoint: "checkpoint"
            case .missingSpill(let name): "spill/" + name
            case .missingBlocks: "blocks"
            case .damagedSegment(let number), .otherSegment(let number): "wal" + WriteAheadLog.path("", number)
            case .missingSegments(let numbers):
                "wal" + WriteAheadLog.path("", numbers.lowerBound)
                    + (numbers.lowerBound < numbers.upperBound
                        ? "-" + WriteAheadLog.path("", numbers.upperBound).dropFirst() : "")
            }
        }

        var kind: LeftOutPart.Kind {
            switch self {
            case .damagedCheckpoint, .irregular, .damagedSegment, .otherSegment: .damaged
            case .missingCheckpoint, .missingBlocks, .missingSegments, .missingSpill: .missing
            }
        }

        /// Whether a file of another store is in the place of the file.
        var isOther: Bool {
            switch self {
            case .damagedCheckpoint(let places, _): places.contains(StoreIdentity.otherStore)
            case .otherSegment: true
            default: false
            }
        }
    }

    /// The treatment of the spill files that no checkpoint names.
    enum Strangers: Equatable, Sendable {
        /// They are removed, because the log had the same samples.
        case remove
        /// They are set aside, because they may be the last copies of data that another file has lost.
        case setAside([String])
    }

    private let checkpoint: Checkpoint
    private var directory = Directory()
    /// The used numbers of the log, ascending, including those of things that were set aside.
    private var used: [UInt64] = []
    /// The segments in whose place was something that is not a regular file.
    private var irregularSegments: Set<UInt64> = []
    /// The segments to be read, in this order.
    private(set) var segments: [UInt64] = []
    private(set) var losses: [Loss] = []
    /// The number of damaged places and missing files.
    private(set) var count = 0
    /// Whether data of the checkpoint may be missing.
    private(set) var touchesCheckpoint = false
    /// The names of spill files that are missing or were set aside.
    private(set) var spills: [String] = []

    /// - Parameter hasNoBlocks: Whether there are neither blocks nor a manifest.
    init(_ checkpoint: Checkpoint, hasNoBlocks: Bool) {
        self.checkpoint = checkpoint
        if !checkpoint.damage.isEmpty {
            touchesCheckpoint = true
            count += checkpoint.damage.count
            losses.append(.damagedCheckpoint(places: checkpoint.damage, keptAs: checkpoint.keptAs))
        }
        // Missing blocks are not counted, because a new checkpoint does not repair them.
        if checkpoint.blocks > 0, hasNoBlocks { losses.append(.missingBlocks(checkpoint.blocks)) }
    }

    /// The number of the next segment; numbers of earlier segments are not used again.
    var newSegment: UInt64 {
        min(max(used.last ?? 0, checkpoint.segment, directory.newestSegment), WriteAheadLog.lastSegment) + 1
    }

    /// Notes the content of the directory, after which the log can be read; returns what is missing.
    mutating func note(_ directory: Directory) -> [Loss] {
        let before = losses.count
        self.directory = directory
        used = (directory.segments + directory.irregular.compactMap(\.segment)).sorted()
        segments = directory.segments.filter { $0 >= checkpoint.segment }
        findIrregular()
        let irregular = Set(directory.irregular.map { FilePath.name($0.name) })
        for name in directory.missingSpills where !irregular.contains(name) {
            spills.append(name)
            add(.missingSpill(name))
        }
        // There was a checkpoint if there are spill files without a log.
        if used.isEmpty, !directory.strangers.isEmpty { noteMissingCheckpoint() }
        return Array(losses[before...])
    }

    private mutating func noteMissingCheckpoint() {
        guard !checkpoint.isThere, !touchesCheckpoint else { return }
        touchesCheckpoint = true
        add(.missingCheckpoint)
    }

    private mutating func findIrregular() {
        if directory.irregular.contains(where: { $0.place == .checkpoint }) { touchesCheckpoint = true }
        for one in directory.irregular {
            switch one.place {
            case .checkpoint: break
            case .segment(let number):
                guard number >= checkpoint.segment else { continue }
                irregularSegments.insert(number)
            case .spill:
                let name = FilePath.name(one.name)
                guard touchesCheckpoint || directory.namedSpills.contains(name) else { continue }
                spills.append(name)
            case .other: continue
            }
            add(.irregular(keptAs: one.kept))
        }
    }

    /// Notes what was found in the log; returns the damaged and the missing segments.
    mutating func note(_ log: LogFindings) -> [Loss] {
        let before = losses.count
        // There was a checkpoint if the log does not start with its first segment, unless the disk was full then.
        if let start = used.first, start > 1,
            !log.unused.contains(where: { $0.lowerBound <= 1 && $0.upperBound >= start })
        {
            noteMissingCheckpoint()
        }
        count += log.damaged
        for number in log.damagedSegments.sorted() {
            losses.append(log.others.contains(number) ? .otherSegment(number) : .damagedSegment(number))
        }
        let noted = directory.newestSegment
        let first = checkpoint.segment > 0 ? checkpoint.segment : used.first ?? (noted > 0 ? noted : nil)
        let own = used.last {
            $0 >= first ?? 0 && !log.foreign.contains($0) && !log.others.contains($0)
                && !irregularSegments.contains($0)
        }
        let gaps = Self.gaps(
            used, from: first, to: max(own ?? 0, noted), unused: log.unused, needed: log.used.union([noted]))
        for gap in gaps { add(.missingSegments(gap)) }
        if case .setAside(let names) = strangers { spills += names }
        return Array(losses[before...])
    }

    /// The treatment of the spill files that no checkpoint names, after the log was read.
    ///
    /// If nothing is damaged or missing, the log had the same samples.
    var strangers: Strangers { count == 0 ? .remove : .setAside(directory.strangers) }

    private mutating func add(_ loss: Loss) {
        losses.append(loss)
        count += 1
    }

    /// The numbers without a file, from the first one that must have a file to the last one.
    ///
    /// - Parameters:
    ///   - unused: The numbers that need no file, each range up to an existing segment.
    ///   - needed: The numbers that need a file even if they are in `unused`.
    static func gaps(
        _ all: [UInt64], from first: UInt64?, to last: UInt64?, unused: [Range<UInt64>], needed: Set<UInt64> = []
    ) -> [ClosedRange<UInt64>] {
        guard let first, first > 0 else { return [] }
        var result: [ClosedRange<UInt64>] = []
        func add(_ low: UInt64, _ high: UInt64) {
            let known = unused.filter { $0.upperBound > high }.map(\.lowerBound).min() ?? .max
            let end = min(high, known &- 1)
            if known > low, low <= end { result.append(low...end) }
            for number in needed.sorted() where number <= high && number >= max(low, known) {
                if let last = result.last, last.upperBound &+ 1 == number {
                    result[result.count - 1] = last.lowerBound...number
                } else {
                    result.append(number...number)
                }
            }
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
