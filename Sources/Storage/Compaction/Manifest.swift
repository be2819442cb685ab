import Encoding
import Platform

/// Which blocks there are: an append-only log of changes, each whole or absent.
///
///     header   magic "MARTLETM", version (4 bytes), 0 (4 bytes)
///     record   size of the payload (4 bytes), CRC-32C of the payload (4 bytes), payload
///     payload  number of blocks added, their names (26 bytes each), number removed, their names, low-water mark of
///              the log of samples (zigzag varint), sized ``ManifestNotes``
///
/// A block that the manifest does not name is garbage; one that it names is complete. A torn record at the end is cut
/// off; damage before the end is an error. Written anew when it is opened, if there is room. Not for several threads at
/// once.
package final class Manifest {
    /// One atomic change.
    package struct Edit: Sendable, Hashable {
        package var added: [String]
        package var removed: [String]
        /// What the caller wants to keep beside the blocks, for instance up to which time the head was cut.
        package var mark: Int64
        /// Spill files that were cut, and all names of blocks with deletions; nil for the names there were.
        var notes: ManifestNotes?

        package init(added: [String] = [], removed: [String] = [], mark: Int64 = 0) {
            self.init(added: added, removed: removed, mark: mark, notes: nil)
        }

        init(added: [String] = [], removed: [String] = [], mark: Int64, notes: ManifestNotes?) {
            self.added = added
            self.removed = removed
            self.mark = mark
            self.notes = notes
        }
    }

    package static let fileName = "manifest.log"
    /// Bytes that a manifest has at most.
    private static let longest = 1 << 24
    /// Bytes with which it is written anew.
    private static let long = 1 << 22
    static let magic = Array("MARTLETM".utf8)
    private let files: any FileSystem
    private let path: String
    private var file: any File
    /// The length of the valid part.
    private var size: Int
    /// Whether the file may hold a change that was reported as failed, or lack one on the disk: it is written anew before
    /// it is changed again.
    package private(set) var isDoubtful = false
    /// Names of the blocks, in order of their names.
    package private(set) var blocks: [String]
    /// There was no file.
    package let isNew: Bool
    /// Names that were removed when it was opened, and whose files were still there.
    package private(set) var removed: Set<String>
    /// The mark of the newest edit.
    package private(set) var mark: Int64
    private(set) var notes = ManifestNotes()

    /// Opens or makes `manifest.log` in `directory`.
    ///
    /// - Throws: ``BlockError`` if it is damaged elsewhere than at its end.
    package init(_ files: any FileSystem, directory: String) throws {
        self.files = files
        path = directory + "/" + Self.fileName
        var names: Set<String> = []
        var mark: Int64 = 0
        var notes = ManifestNotes()
        var valid = 0
        isNew = try !files.exists(path)
        var removed: Set<String> = []
        if !isNew {
            let content = try files.content(path, section: "manifest", limit: Self.longest)
            valid = try Self.replay(content, path) { edit in
                names.subtract(edit.removed)
                names.formUnion(edit.added)
                removed.formUnion(edit.removed)
                mark = edit.mark
                notes.apply(edit.notes ?? notes)
            }
        }
        // Until their files are gone, nobody may take them for blocks that are only not named.
        removed = removed.filter { !names.contains($0) && (try? files.exists(directory + "/" + $0)) ?? true }
        self.removed = removed
        blocks = names.sorted()
        self.mark = mark
        self.notes = notes
        let fresh =
            Self.header + Self.record(Edit(added: names.sorted(), removed: removed.sorted(), mark: mark, notes: notes))
        do throws(FileError) {
            try files.replace(path, with: fresh)
            file = try files.open(path, .append)
            size = fresh.count
        } catch {
            // On a full disk the old file does as well: it is only longer.
            guard error.isFull, valid > 0 else { throw error }
            try? files.remove(path + ".tmp")
            file = try files.open(path, .append)
            try file.truncate(to: valid)
            size = valid
        }
    }

    private static let framing = RecordFraming(longest: longest)

    private static var header: [UInt8] {
        var bytes = magic
        bytes.appendLittle(BlockFormat.version)
        bytes.appendLittle(0 as UInt32)
        return bytes
    }

    private static func record(_ edit: Edit) -> [UInt8] {
        var payload: [UInt8] = []
        for names in [edit.added, edit.removed] {
            payload.appendVarint(names.count)
            for name in names { payload += Array(name.utf8) }
        }
        payload.appendZigzag(edit.mark)
        payload.appendSized(edit.notes?.encoded() ?? [])
        var bytes: [UInt8] = []
        framing.append(payload, to: &bytes)
        return bytes
    }

    /// Reads all records that are whole; returns the size up to the last of them.
    private static func replay(_ content: [UInt8], _ path: String, _ body: (Edit) -> Void) throws -> Int {
        func bad(_ offset: Int, _ reason: String) -> BlockError {
            BlockError(file: path, section: "manifest", offset: offset, reason: reason)
        }
        guard content.starts(with: header) else {
            throw bad(0, "expected a martlet manifest of version \(BlockFormat.version)")
        }
        return try content.withUnsafeBytes { bytes in
            var at = header.count
            while at < bytes.count {
                do throws(DecodeError) {
                    guard let frame = framing.frame(bytes, at: at) else {
                        throw DecodeError(expected: "a whole record", offset: at)
                    }
                    var fields = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[frame.content]))
                    let added = try names(&fields)
                    let removed = try names(&fields)
                    let mark = try fields.zigzag()
                    let notes = try ManifestNotes(try fields.sizedRun())
                    body(Edit(added: added, removed: removed, mark: mark, notes: notes))
                    at = frame.content.upperBound
                } catch {
                    // Only the last record can be torn: whatever was written after it would have cut it off. So much of
                    // it that a search takes too long is no torn write.
                    guard framing.next(bytes, from: at + 1, budget: 1 << 28) == .nothing else {
                        throw bad(at, "expected \(error.expected)")
                    }
                    return at
                }
            }
            return bytes.count
        }
    }

    static func names(_ reader: inout ByteReader) throws(DecodeError) -> [String] {
        var names: [String] = []
        for _ in 0..<(try reader.count(reader.remaining / 26)) {
            let name = String(decoding: try reader.run(26), as: UTF8.self)
            guard BlockMeta.isID(name) else { throw DecodeError(expected: "a block name", offset: reader.offset) }
            names.append(name)
        }
        return names
    }

    /// Makes a change, durably: after a crash it is there, or nothing of it.
    ///
    /// Call it when all files of the added blocks are on the disk, and remove those of the others afterwards.
    package func commit(_ edit: Edit) throws {
        if isDoubtful { try rewrite() } else if size > Self.long { try? rewrite() }
        var edit = edit
        // Names of blocks are there in each record.
        var named = edit.notes ?? ManifestNotes(deletions: notes.deletions, waiting: notes.waiting, lost: notes.lost)
        named.deletions.subtract(edit.removed)
        named.waiting.subtract(edit.removed)
        named.lost.subtract(edit.removed)
        edit.notes = named
        let bytes = Self.record(edit)
        do {
            try file.write(bytes)
            try file.syncData()
        } catch {
            // What was written of it must not stand before the next record, nor come back after a power cut.
            isDoubtful = true
            try? file.truncate(to: size)
            try? rewrite()
            throw error
        }
        size += bytes.count
        var names = Set(blocks)
        names.subtract(edit.removed)
        names.formUnion(edit.added)
        removed.formUnion(edit.removed)
        blocks = names.sorted()
        mark = edit.mark
        notes.apply(named)
    }

    /// Writes the file anew, with the blocks that there are and those that were removed.
    private func rewrite() throws(FileError) {
        let known = Set(blocks)
        let folder = FilePath.parent(path)
        let gone = removed.filter { !known.contains($0) && (try? files.exists(folder + "/" + $0)) ?? true }
        let fresh = Self.header + Self.record(Edit(added: blocks, removed: gone.sorted(), mark: mark, notes: notes))
        try files.replace(path, with: fresh)
        file = try files.open(path, .append)
        size = fresh.count
        isDoubtful = false
    }

    /// Removes from `directory` the blocks that were removed, or were never finished, and are in no manifest.
    package func removeGarbage(in directory: String) throws {
        let known = Set(blocks)
        for name in try files.list(directory) {
            let stem = name.utf8.count == 30 && name.hasSuffix(".tmp") ? String(name.dropLast(4)) : name
            guard BlockMeta.isID(stem), stem != name || !known.contains(name),
                (try? files.kind(directory + "/" + name)) == .directory
            else { continue }
            // What cannot be removed takes room, and nothing else.
            try? BlockFiles.remove(directory + "/" + name, files)
        }
    }
}
