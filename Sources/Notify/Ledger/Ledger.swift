import Glibc
import Platform
import Synchronization
import Telemetry

/// Why the ledger cannot be used.
package struct LedgerError: Error, CustomStringConvertible, Sendable {
    package var description: String
}

/// The notifier's memory on disk: an append-only file of facts.
///
///     │ "MTLEDGER" │ version u32 │ 0 u32 │ size u32 │ crc32c u32 │ record … │ size │ crc32c │ record │ …
///
/// Numbers are little-endian; the CRC is that of the record. A torn tail, as a power cut leaves it, is cut off; with other
/// damage the file is set aside, and one is written of the records that are whole. Every append is on the disk when it returns. A file that has grown to
/// several times its contents is written anew beside itself and renamed.
package final class Ledger: Sendable {
    private static let version: UInt32 = 1
    private static let magic = Array("MTLEDGER".utf8) + [UInt8(version), 0, 0, 0, 0, 0, 0, 0]
    /// Below this size nothing is written anew, bytes.
    private static let smallestCompaction = 1 << 20
    private static let framing = RecordFraming(longest: 1 << 24)
    /// Bytes of the file that are looked at.
    private static let longest = 1 << 32
    private static let headerSize = 16
    private static let log = Log("notify")

    private struct Content {
        var file: any File
        /// Which file that is, as the file system says; 0 if it is not known.
        var identity: UInt64 = 0
        var size: Int
        /// The size after the last compaction.
        var compactSize: Int
        /// Facts are missing, because an append failed; ``Ledger/compact(_:)`` makes it whole again.
        var isBehind = false
        /// A sync failed: nothing more is added to this file, it is written anew first.
        var isDoubtful = false
    }

    private let path: String
    private let fileSystem: any FileSystem
    private let content: Mutex<Content>

    private init(path: String, fileSystem: any FileSystem, content: Content) {
        self.path = path
        self.fileSystem = fileSystem
        self.content = Mutex(content)
    }

    /// Opens or makes the ledger in `folder`.
    ///
    /// - Returns: The ledger, and what its records add up to.
    /// - Throws: If the file cannot be read or written, or is of a later version. Damage does not stop the start, nor does
    ///   something else in the place of the file.
    package static func open(folder: String, _ fileSystem: any FileSystem) throws -> (Ledger, LedgerState) {
        try fileSystem.createDirectory(folder)
        let path = folder + "/ledger"
        var state = LedgerState()
        try setAsideIrregular(path + ".tmp", fileSystem)
        var size = 0
        switch try fileSystem.kind(path) {
        case nil: break
        case .file: size = try read(path, into: &state, fileSystem)
        case .link:
            // What it leads to is read, but is not ours to write.
            if let mapping = try? fileSystem.map(path, limit: longest) {
                try refuseLater(mapping.bytes, path)
                _ = replay(mapping, into: &state)
            }
            try setAsideIrregular(path, fileSystem)
        case .directory, .other: try setAsideIrregular(path, fileSystem)
        }
        if size == 0 {
            let content = magic + frame(state.records)
            try fileSystem.replace(path, with: content)
            size = content.count
        }
        let file = try fileSystem.open(path, .append)
        if try file.size() > size { try file.truncate(to: size) }
        let identity = (try? fileSystem.status(path).identity) ?? 0
        let ledger = Ledger(
            path: path, fileSystem: fileSystem,
            content: Content(file: file, identity: identity, size: size, compactSize: size))
        return (ledger, state)
    }

    /// Sets aside what is no regular file and has the name of one of ours: nothing of ours is in it, and nothing is written
    /// through a link.
    private static func setAsideIrregular(_ path: String, _ fileSystem: any FileSystem) throws(FileError) {
        guard let kind = try fileSystem.kind(path), kind != .file else { return }
        let kept = try SetAside.rename(path, fileSystem)
        log.error(
            "What is no regular file has the name of the ledger; it is set aside", ["file": path, "now": kept])
    }

    /// Reads the file, and sets it aside if it is damaged elsewhere than at its end; returns the size up to its end, 0 if
    /// it is to be written anew.
    private static func read(
        _ path: String, into state: inout LedgerState, _ fileSystem: any FileSystem
    ) throws -> Int {
        let mapping = try fileSystem.map(path, limit: longest)
        try refuseLater(mapping.bytes, path)
        let (end, damage) = replay(mapping, into: &state)
        if let damage {
            // What is left of it is written to a file of its own.
            try SetAside.rename(path, fileSystem)
            log.error(
                "The ledger is damaged and set aside; what can be read of it is kept",
                ["path": path, "offset": "\(damage)"])
            return 0
        }
        let size = try fileSystem.status(path).size
        if end < size {
            log.warn(
                "The ledger's tail is damaged and is cut off",
                ["path": path, "offset": "\(end)", "bytes": "\(size - end)"])
        }
        return end
    }

    /// Throws if the header is of a later version, which is written twice: one damaged byte does not look like it.
    private static func refuseLater(_ bytes: UnsafeRawBufferPointer, _ path: String) throws(LedgerError) {
        guard bytes.count >= headerSize, bytes.starts(with: magic.prefix(8)) else { return }
        let version = word(bytes, 8)
        guard version > Self.version, version == word(bytes, 12) else { return }
        throw LedgerError(description: "\(path): was written by a later version of martlet")
    }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
    }

    /// Reads all records that are whole.
    ///
    /// - Returns: The size up to the last of them, and where the first damage is that has whole records behind it, or
    ///   that is the header's: the file gets its name with a whole one.
    private static func replay(_ mapping: FileMapping, into state: inout LedgerState) -> (end: Int, damage: Int?) {
        let bytes = mapping.bytes
        var damage = bytes.starts(with: magic) ? nil : 0
        var at = headerSize
        var end = at
        while at < bytes.count {
            if let frame = framing.frame(bytes, at: at) {
                if let record = LedgerRecord(Array(bytes[frame.content])) { state.apply(record) }
                at = frame.content.upperBound
                end = at
                continue
            }
            // Zeros and chance are no facts.
            let next = framing.next(mapping, from: at + 1, budget: 1 << 28) { _, frame in
                frame.map { LedgerRecord(Array(bytes[$0.content])) != nil } ?? true
            }
            guard let next else { break }
            damage = damage ?? at
            at = next
        }
        return (end, damage)
    }

    static func frame(_ records: [LedgerRecord]) -> [UInt8] {
        var out: [UInt8] = []
        for record in records { framing.append(record.encode(), to: &out) }
        return out
    }

    /// The file's size in bytes.
    package var size: Int { content.withLock { $0.size } }

    /// Whether the file lacks facts, or has grown so much that ``compact(_:)`` is worth its cost.
    package var wantsCompaction: Bool {
        content.withLock { $0.isBehind || $0.size > max(Self.smallestCompaction, $0.compactSize &* 4) }
    }

    /// Whether an append has failed since the file was whole.
    package var isBehind: Bool { content.withLock { $0.isBehind } }

    /// Adds facts that memory keeps in any case: if it throws, the ledger is behind until it is written anew.
    package func record(_ records: [LedgerRecord]) throws(FileError) {
        do throws(FileError) { try append(records) } catch {
            content.withLock { $0.isBehind = true }
            throw error
        }
    }

    /// Adds facts; they are on the disk when this returns, or, if it throws, nothing of them is there.
    package func append(_ records: [LedgerRecord]) throws(FileError) {
        if records.isEmpty { return }
        let bytes = Self.frame(records)
        try content.withLock { (content) throws(FileError) in
            if content.isDoubtful { throw FileError("fdatasync", path, code: EIO) }
            // Writes to a file that was removed or moved away do not fail.
            if content.identity != 0, try isElsewhere(content.identity) {
                content.isBehind = true
                throw FileError("stat", path, code: ESTALE)
            }
            // What a failed write left would hide all that is written behind it.
            if try content.file.size() != content.size { try content.file.truncate(to: content.size) }
            var failure: FileError?
            bytes.withUnsafeBytes { buffer in
                do throws(FileError) { try content.file.write(buffer) } catch { failure = error }
            }
            if let failure { throw failure }
            do throws(FileError) { try content.file.syncData() } catch {
                // What the disk lacks now, another sync of the same file does not bring there.
                content.isBehind = true
                content.isDoubtful = true
                throw error
            }
            content.size += bytes.count
        }
    }

    /// Whether the path leads to another file, or to none.
    private func isElsewhere(_ identity: UInt64) throws(FileError) -> Bool {
        do throws(FileError) { return try fileSystem.status(path).identity != identity } catch {
            if error.leadsNowhere { return true }
            throw error
        }
    }

    /// Writes the file anew with the records of `state`.
    package func compact(_ state: LedgerState) throws(FileError) {
        let bytes = Self.magic + Self.frame(state.records)
        try content.withLock { (content) throws(FileError) in
            // Somebody may have removed it.
            try fileSystem.createDirectory(FilePath.parent(path))
            try fileSystem.replace(path, with: bytes)
            let file = try fileSystem.open(path, .append)
            content.file.close()
            content = Content(
                file: file, identity: (try? fileSystem.status(path).identity) ?? 0, size: bytes.count,
                compactSize: bytes.count)
        }
    }
}
