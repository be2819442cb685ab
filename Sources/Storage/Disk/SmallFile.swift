import Platform

/// The small files of a store: before there is a store, files of these names are another program's unless their whole
/// content is what this program writes.
enum SmallFile {
    /// What a file may hold.
    enum Content {
        /// Nothing.
        case empty
        /// One of these, or a beginning of it as a kill leaves it.
        case text([[UInt8]])
        /// Anything after this beginning.
        case begins([UInt8])
        /// So many bytes of one value at most.
        case filled(UInt8, count: Int)
        /// Slots of so many bytes, each free or with a text that begins so.
        case slots(Int, beginning: [UInt8])
        /// Notes of damage.
        case notes
    }

    /// Bytes of a file that are looked at: more than any of these has.
    private static let longest = 1 << 20

    static let all: [String: Content] = [
        "lock": .empty,
        DirectoryOwner.markerName + ".tmp": .text([DirectoryOwner.marker]),
        "queries.active": .slots(1024, beginning: Array("{\"query\":\"".utf8)),
        DiskReserve.name: .filled(0x5A, count: 1 << 20),
        "probe": .text([Array("one".utf8), Array("two".utf8)]),
        "probe.tmp": .text([Array("one".utf8), Array("two".utf8)]),
        "checkpoint.tmp": .begins(CheckpointWriter.magic),
        DamageNotes.fileName: .notes, DamageNotes.fileName + ".tmp": .notes, DamageNotes.copyName: .notes,
        DamageNotes.copyName + ".tmp": .notes,
    ]

    /// Whether a file is empty, or as this program writes it.
    static func isOurs(_ path: String, _ name: String, _ fileSystem: any FileSystem) throws(FileError) -> Bool {
        // A link leads to a file that is not ours, whatever it holds.
        guard let content = all[name], try fileSystem.kind(path) == .file else { return false }
        let size = try fileSystem.status(path).size
        if size == 0 { return true }
        guard size <= longest || isLong(content) else { return false }
        return holds(try FileStart.read(path, min(size, longest), fileSystem), content)
    }

    private static func isLong(_ content: Content) -> Bool { if case .begins = content { true } else { false } }

    private static func holds(_ bytes: [UInt8], _ content: Content) -> Bool {
        switch content {
        case .empty: return bytes.isEmpty
        case .text(let texts): return texts.contains { $0.starts(with: bytes) }
        case .begins(let magic): return bytes.starts(with: magic) || magic.starts(with: bytes)
        case .filled(let value, let count): return bytes.count <= count && bytes.allSatisfy { $0 == value }
        case .slots(let size, let beginning):
            guard bytes.count % size == 0 else { return false }
            return stride(from: 0, to: bytes.count, by: size).allSatisfy { start in
                bytes[start] == 0 || bytes[start..<(start + size)].starts(with: beginning)
            }
        case .notes: return DamageNotes(reading: bytes) != nil
        }
    }
}
