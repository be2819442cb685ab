import Encoding
import Platform

/// The list of blocks: an append-only log of changes, each of which is complete or absent.
///
///     header   magic "MARTLETM", version (4 bytes), 0 (4 bytes)
///     record   size of the payload (4 bytes), CRC-32C of the payload (4 bytes), payload
///     payload  number of blocks added, their names (26 bytes each), number removed, their names, low-water mark of
///              the log of samples (zigzag varint), sized ``ManifestNotes``
///
/// A block that the manifest does not name is garbage; a block that it names is complete.
///
/// A torn record at the end is removed; damage before the end is an error. The file is rewritten when it is opened, if
/// there is enough space. Only one thread at a time may use it.
package final class Manifest {
    /// One atomic change.
    package struct Edit: Sendable, Hashable {
        package var added: [String]
        package var removed: [String]
        /// A number that the caller stores with the blocks, for example the time up to which the head was compacted.
        package var mark: Int64
        /// The spill files that were cut, and all names of blocks with deletions; nil leaves the names as they are.
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
    /// The most bytes of a manifest.
    private static let longest = 1 << 24
    /// The bytes above which it is rewritten.
    private static let long = 1 << 22
    static let magic = Array("MARTLETM".utf8)
    private let files: any FileSystem
    private let path: String
    private var file: any File
    /// The length of the valid part.
    private var size: Int
    /// Whether the file may have a change that was reported as failed, or may lack one on disk; it is rewritten before
    /// the next change.
    package private(set) var isDoubtful = false
    /// The names of the blocks, sorted.
    package private(set) var blocks: [String]
    /// Whether there was no file.
    package let isNew: Bool
    /// The names of removed blocks.
    ///
    /// When the manifest is opened, it only has those whose files still exist.
    package private(set) var removed: Set<String>
    /// The mark of the newest edit.
    package private(set) var mark: Int64
    private(set) var notes = ManifestNotes()

    /// Opens or makes `manifest.log` in `directory`.
    ///
    /// - Throws: ``BlockError`` if it is damaged before its end.
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
        // Blocks that are not named are used; these must not be taken for such blocks while their files exist.
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
            // On a full disk, the old file is used: it is only longer.
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

    /// Reads all whole records; returns the size up to the end of the last one.
    private static func replay(_ content: [UInt8], _ path: String, _ body: (Edit) -> Void) throws -> Int {
        func bad(_ offset: Int, _ reason: String) -> BlockError {
            BlockError(file: path, section: "manifest", offset: offset, reason: reason)
        }
        guard content.starts(with: header) else {
            throw bad(0, "expected a martlet manifest of version \(BlockFormat.version)")
        }
        // The first record was written with the whole file, so it cannot be torn.
        guard content.count > header.count else { throw bad(header.count, "expected a record") }
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
                    guard at > header.count else { throw bad(at, "expected \(error.expected)") }
                    // Only the last record can be torn, because a later write would have removed it. If the search in
                    // it takes too long, it is too large for a torn write.
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
        for _ in 0..<(try reader.count(reader.remaining / 26)) { names.append(try name(&reader)) }
        return names
    }

    static func name(_ reader: inout ByteReader) throws(DecodeError) -> String {
        let name = String(decoding: try reader.run(26), as: UTF8.self)
        guard BlockMeta.isID(name) else { throw DecodeError(expected: "a block name", offset: reader.offset) }
        return name
    }

    /// Makes a change, durably: after a crash, all of it or nothing of it exists.
    ///
    /// Call it when all files of the added blocks are on disk, and remove the files of the removed blocks afterwards.
    package func commit(_ edit: Edit) throws {
        if isDoubtful { try rewrite() } else if size > Self.long { try? rewrite() }
        var edit = edit
        // Each record has all names of blocks.
        var named = edit.notes ?? ManifestNotes(deletions: notes.deletions, waiting: notes.waiting, lost: notes.lost)
        for name in edit.removed { named.deletions[name] = nil }
        named.waiting.subtract(edit.removed)
        named.lost.subtract(edit.removed)
        edit.notes = named
        let bytes = Self.record(edit)
        do {
            try file.write(bytes)
            try file.syncData()
        } catch {
            // A partly written record must not be before the next record, and must not exist after a power cut.
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

    /// Writes the file again, with the existing blocks and those removed blocks whose files still exist.
    func rewrite() throws(FileError) {
        let known = Set(blocks)
        let folder = FilePath.parent(path)
        let gone = removed.filter { !known.contains($0) && (try? files.exists(folder + "/" + $0)) ?? true }
        let fresh = Self.header + Self.record(Edit(added: blocks, removed: gone.sorted(), mark: mark, notes: notes))
        try files.replace(path, with: fresh)
        file = try files.open(path, .append)
        size = fresh.count
        isDoubtful = false
    }

    /// Removes blocks from `directory` that were removed or never finished, and that the manifest does not name.
    ///
    /// - Returns: The names of those that are gone now, and that no record of the manifest has as removed.
    @discardableResult
    package func removeGarbage(in directory: String) throws -> [String] {
        let known = Set(blocks)
        var strangers: [String] = []
        for name in try files.list(directory) {
            let stem = name.utf8.count == 30 && name.hasSuffix(".tmp") ? String(name.dropLast(4)) : name
            guard BlockMeta.isID(stem), stem != name || !known.contains(name),
                (try? files.kind(directory + "/" + name)) == .directory
            else { continue }
            // Files that cannot be removed only use space.
            try? BlockFiles.remove(directory + "/" + name, files)
            let isGone = (try? files.exists(directory + "/" + name)) == false
            if isGone, stem == name, !removed.contains(name) { strangers.append(name) }
        }
        return strangers
    }
}
