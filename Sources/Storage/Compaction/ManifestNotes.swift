import Encoding

/// A spill file that was cut from the head: its samples are in a block, or were dropped.
package struct CutFile: Sendable, Hashable {
    /// The first time after the window, ms.
    var windowEnd: Int64
    var number: UInt16
    /// The log segment that was written at that time: a checkpoint that starts after it does not name the file.
    var segment: UInt64
}

/// The notes that the manifest has besides the names of blocks, so that a missing file is not taken for one that never
/// existed.
struct ManifestNotes: Sendable, Hashable {
    /// The spill files that were cut recently.
    var cut: [CutFile] = []
    /// The blocks with a file `deleted`, and the number of its entries; 0 if it is not known.
    ///
    /// The file only grows, so one with fewer entries is an older one.
    var deletions: [String: Int] = [:]
    /// The blocks with pending deletions, which are carried out when the blocks can be opened.
    var waiting: Set<String> = []
    /// The blocks whose pending deletions are lost.
    var lost: Set<String> = []
    /// The newest segment of the write-ahead log with a frame; 0 if it is not known.
    var segment: UInt64 = 0

    /// The most cut files that are kept: a checkpoint that does not name them is written soon.
    private static let mostCut = 4096

    private enum Kind {
        static let cut = 1
        static let deletions = 2
        static let waiting = 3
        static let lost = 4
        static let segment = 5
        static let counts = 6
    }

    /// Applies a change: files are added, names of blocks replace the old ones, the segment only increases.
    mutating func apply(_ change: ManifestNotes) {
        cut += change.cut
        if cut.count > Self.mostCut { cut.removeFirst(cut.count - Self.mostCut) }
        deletions = change.deletions
        waiting = change.waiting
        lost = change.lost
        segment = max(segment, change.segment)
    }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        for file in cut {
            bytes.appendVarint(Kind.cut)
            bytes.appendVarint(file.segment)
            bytes.appendZigzag(file.windowEnd)
            bytes.appendVarint(UInt64(file.number))
        }
        for (kind, names) in [(Kind.deletions, Set(deletions.keys)), (Kind.waiting, waiting), (Kind.lost, lost)]
        where !names.isEmpty {
            bytes.appendVarint(kind)
            bytes.appendVarint(names.count)
            for name in names.sorted() { bytes += Array(name.utf8) }
        }
        if segment > 0 {
            bytes.appendVarint(Kind.segment)
            bytes.appendVarint(segment)
        }
        let counted = deletions.filter { $0.value > 0 }.sorted { $0.key < $1.key }
        if !counted.isEmpty {
            bytes.appendVarint(Kind.counts)
            bytes.appendVarint(counted.count)
            for (name, count) in counted {
                bytes += Array(name.utf8)
                bytes.appendVarint(count)
            }
        }
        return bytes
    }

    /// Reads notes up to the first entry of an unknown kind, which a later version has added.
    init(_ bytes: UnsafeRawBufferPointer) throws(DecodeError) {
        var reader = ByteReader(bytes)
        while !reader.isAtEnd {
            switch try reader.count(Int.max) {
            case Kind.cut:
                let (segment, windowEnd) = (try reader.varint(), try reader.zigzag())
                let number = UInt16(truncatingIfNeeded: try reader.count(Int(UInt16.max)))
                cut.append(CutFile(windowEnd: windowEnd, number: number, segment: segment))
            case Kind.deletions:
                for name in try Manifest.names(&reader) { deletions[name, default: 0] += 0 }
            case Kind.waiting: waiting.formUnion(try Manifest.names(&reader))
            case Kind.lost: lost.formUnion(try Manifest.names(&reader))
            case Kind.segment: segment = min(max(segment, try reader.varint()), WriteAheadLog.lastSegment)
            case Kind.counts:
                for _ in 0..<(try reader.count(reader.remaining / 27)) {
                    let name = try Manifest.name(&reader)
                    deletions[name] = try reader.count(Int.max)
                }
            default: return
            }
        }
    }

    init(
        cut: [CutFile] = [], deletions: [String: Int] = [:], waiting: Set<String> = [], lost: Set<String> = [],
        segment: UInt64 = 0
    ) {
        (self.cut, self.deletions, self.waiting, self.lost) = (cut, deletions, waiting, lost)
        self.segment = segment
    }
}
