import Platform

/// The small files of a store.
///
/// Until there is a store, files with these names belong to another program, unless their whole content is as this
/// program writes it.
enum SmallFile {
    /// The possible content of a file.
    enum Content {
        /// Nothing.
        case empty
        /// One of these texts, or the start of one, as a kill leaves it.
        case text([[UInt8]])
        /// Anything after this beginning.
        case begins([UInt8])
        /// At most so many bytes of one value.
        case filled(UInt8, count: Int)
        /// Slots of so many bytes, each of which is free or has a text with this beginning.
        case slots(Int, beginning: [UInt8])
        /// The marker of a store, or the start of it.
        case marker
        /// Notes of damage.
        case notes
    }

    /// The most bytes of a file that are read; only files with a fixed beginning may have more.
    private static let longest = 1 << 20

    static let all: [String: Content] = [
        "lock": .empty,
        StoreMarker.name + ".tmp": .marker,
        "queries.active": .slots(1024, beginning: Array("{\"query\":\"".utf8)),
        DiskReserve.name: .filled(0x5A, count: 1 << 20),
        "probe": .text([Array("one".utf8), Array("two".utf8)]),
        "probe.tmp": .text([Array("one".utf8), Array("two".utf8)]),
        "checkpoint.tmp": .begins(CheckpointWriter.magic),
        DamageNotes.fileName: .notes, DamageNotes.fileName + ".tmp": .notes, DamageNotes.copyName: .notes,
        DamageNotes.copyName + ".tmp": .notes,
    ]

    /// Whether a file is empty, or is as this program writes it.
    static func isOurs(_ path: String, _ name: String, _ fileSystem: any FileSystem) throws(FileError) -> Bool {
        // A link leads to a file that is not the store's, whatever its content is.
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
        case .marker: return StoreMarker.isBegun(bytes)
        case .notes: return DamageNotes(reading: bytes) != nil
        }
    }
}
