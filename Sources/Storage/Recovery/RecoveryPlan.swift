import Platform

/// Decides what is read when a store is opened, what of it is damaged or missing, and which spill files go.
///
/// A value without files. Whoever opens the store makes one of what the checkpoint says, then lets it note what lies in
/// the directory, and after ``segments`` were read what was found in them. Each time, new ``losses`` are to be reported.
/// At the end, ``strangers`` and ``newSegment`` say what becomes of the files.
struct RecoveryPlan: Equatable, Sendable {
    /// What the checkpoint says.
    struct Checkpoint: Equatable, Sendable {
        var isThere = true
        /// The segment of the log to go on with; 0 if that is not known.
        var segment: UInt64 = 0
        /// How many blocks the store had.
        var blocks: UInt64 = 0
        /// Its damaged places.
        var damage: [String] = []
        /// The name in the directory under which a damaged one is kept.
        var keptAs = "checkpoint"
    }

    /// What lies in the directory.
    struct Directory: Equatable, Sendable {
        /// Numbers of the files in the log, ascending.
        var segments: [UInt64] = []
        /// The newest segment that had a frame, as the manifest notes it; 0 if it notes none.
        var newestSegment: UInt64 = 0
        /// What had the name of a file and was none; it is set aside already.
        var irregular: [IrregularFiles.Found] = []
        /// Names of the spill files that the checkpoint names.
        var namedSpills: Set<String> = []
        /// Names of the others that hold something.
        var strangers: [String] = []
        /// Names of those that the checkpoint names, and that are not there although no block has what they held.
        var missingSpills: [String] = []
    }

    /// What the reading of the log has found.
    struct LogFindings: Equatable, Sendable {
        /// Damaged places.
        var damaged = 0
        var damagedSegments: Set<UInt64> = []
        /// Files with the name of a segment in which nothing says that they are one.
        var foreign: Set<UInt64> = []
        /// Numbers that need no file, each range up to a segment that is there.
        var unused: [Range<UInt64>] = []
        /// Numbers of segments that had frames, whatever ``unused`` says.
        var used: Set<UInt64> = []
    }

    /// Something that is damaged or missing.
    enum Loss: Equatable, Sendable {
        case damagedCheckpoint(places: [String], keptAs: String)
        case missingCheckpoint
        /// All blocks, with the list of them.
        case missingBlocks(UInt64)
        /// Something else lay in the place of a file.
        case irregular(keptAs: String)
        case damagedSegment(UInt64)
        case missingSegments(ClosedRange<UInt64>)
        case missingSpill(String)

        /// The name in the directory.
        var file: String {
            switch self {
            case .damagedCheckpoint(_, let kept), .irregular(let kept): kept
            case .missingCheckpoint: "checkpoint"
            case .missingSpill(let name): "spill/" + name
            case .missingBlocks: "blocks"
            case .damagedSegment(let number): "wal" + WriteAheadLog.path("", number)
            case .missingSegments(let numbers):
                "wal" + WriteAheadLog.path("", numbers.lowerBound)
                    + (numbers.lowerBound < numbers.upperBound
                        ? "-" + WriteAheadLog.path("", numbers.upperBound).dropFirst() : "")
            }
        }

        var kind: LeftOutPart.Kind {
            switch self {
            case .damagedCheckpoint, .irregular, .damagedSegment: .damaged
            case .missingCheckpoint, .missingBlocks, .missingSegments, .missingSpill: .missing
            }
        }
    }

    /// What becomes of the spill files that no checkpoint names.
    enum Strangers: Equatable, Sendable {
        /// The log held the same.
        case remove
        /// They are perhaps the last copies of what another file has lost.
        case setAside([String])
    }

    private let checkpoint: Checkpoint
    private var directory = Directory()
    /// Numbers of the log that were used, ascending, those of what was set aside included.
    private var used: [UInt64] = []
    /// Segments in whose place lay what is no file.
    private var irregularSegments: Set<UInt64> = []
    /// The segments to be read, in this order.
    private(set) var segments: [UInt64] = []
    private(set) var losses: [Loss] = []
    /// Damaged places and missing files.
    private(set) var count = 0
    /// Whether what the checkpoint held may be missing.
    private(set) var touchesCheckpoint = false
    /// Names of spill files that were set aside.
    private(set) var spills: [String] = []

    /// - Parameter hasNoBlocks: Whether there are neither blocks nor a list of them.
    init(_ checkpoint: Checkpoint, hasNoBlocks: Bool) {
        self.checkpoint = checkpoint
        if !checkpoint.damage.isEmpty {
            touchesCheckpoint = true
            count += checkpoint.damage.count
            losses.append(.damagedCheckpoint(places: checkpoint.damage, keptAs: checkpoint.keptAs))
        }
        // Blocks that are missing are no damage that a checkpoint mends.
        if checkpoint.blocks > 0, hasNoBlocks { losses.append(.missingBlocks(checkpoint.blocks)) }
    }

    /// The number of the next segment: those that were there are not used again.
    var newSegment: UInt64 {
        min(max(used.last ?? 0, checkpoint.segment, directory.newestSegment), WriteAheadLog.lastSegment) + 1
    }

    /// Takes what lies in the directory, after which the log can be read; returns what is missing.
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
        // There was one if the log does not begin with its first segment, or if there are spill files without any log.
        let hadOne = used.first.map { $0 > 1 } ?? !directory.strangers.isEmpty
        if !checkpoint.isThere, !touchesCheckpoint, hadOne {
            touchesCheckpoint = true
            add(.missingCheckpoint)
        }
        return Array(losses[before...])
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

    /// Takes what was found in the log; returns what is damaged there, and the segments that are missing.
    mutating func note(_ log: LogFindings) -> [Loss] {
        let before = losses.count
        count += log.damaged
        for number in log.damagedSegments.sorted() { losses.append(.damagedSegment(number)) }
        let noted = directory.newestSegment
        let first = checkpoint.segment > 0 ? checkpoint.segment : used.first ?? (noted > 0 ? noted : nil)
        let own = used.last {
            $0 >= first ?? 0 && !log.foreign.contains($0) && !irregularSegments.contains($0)
        }
        let gaps = Self.gaps(
            used, from: first, to: max(own ?? 0, noted), unused: log.unused, needed: log.used.union([noted]))
        for gap in gaps { add(.missingSegments(gap)) }
        if case .setAside(let names) = strangers { spills += names }
        return Array(losses[before...])
    }

    /// What becomes of the spill files that no checkpoint names, once the log was read: if nothing is damaged or
    /// missing, the log held the same.
    var strangers: Strangers { count == 0 ? .remove : .setAside(directory.strangers) }

    private mutating func add(_ loss: Loss) {
        losses.append(loss)
        count += 1
    }

    /// Numbers that have no file, between the first that must be there and the last that is.
    ///
    /// - Parameters:
    ///   - unused: Numbers that need no file, each range up to a segment that is there.
    ///   - needed: Numbers that need one nevertheless.
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
