import Glibc
import Platform
import Synchronization
import Telemetry

/// The reason why the ledger cannot be used.
package struct LedgerError: Error, CustomStringConvertible, Sendable {
    package var description: String
}

/// The notifier's state on disk: an append-only file of records.
///
///     │ "MTLEDGER" │ version u32 │ 0 u32 │ size u32 │ crc32c u32 │ record … │ size │ crc32c │ record │ …
///
/// Numbers are little-endian; the CRC is that of the record. An incomplete end, for example after a power failure, is
/// truncated. After other damage the file is set aside, and a new file is written with its undamaged records. An append
/// returns after it is synced to disk. A file that has grown to several times its content is written to a new file,
/// which is renamed to its name.
package final class Ledger: Sendable {
    private static let version: UInt32 = 1
    private static let magic = Array("MTLEDGER".utf8) + [UInt8(version), 0, 0, 0, 0, 0, 0, 0]
    private static let framing = RecordFraming(longest: 1 << 24)
    /// Bytes of the file that are looked at.
    private static let longest = 1 << 32
    private static let headerSize = 16
    private static let log = Log("notify")

    private struct Content {
        var file: any File
        /// The identity of the file in the file system; 0 if that has none.
        var identity: UInt64
        var status: LedgerStatus
        /// The records of a failed append that a start would read from this file.
        var remaining: [LedgerRecord] = []
    }

    private let path: String
    private let fileSystem: any FileSystem
    private let content: Mutex<Content>

    private init(path: String, fileSystem: any FileSystem, content: Content) {
        self.path = path
        self.fileSystem = fileSystem
        self.content = Mutex(content)
    }

    /// Opens or creates the ledger in `folder`.
    ///
    /// - Returns: The ledger, and the state of its records.
    /// - Throws: If the file cannot be read or written, or has a later version. Damage, or a file of another kind with
    ///   its name, does not prevent the start.
    package static func open(folder: String, _ fileSystem: any FileSystem) throws -> (Ledger, LedgerState) {
        try fileSystem.createDirectory(folder)
        try fileSystem.syncDirectory(FilePath.parent(folder))
        let path = folder + "/ledger"
        var state = LedgerState()
        try setAsideIrregular(path + ".tmp", fileSystem)
        var size = 0
        switch try fileSystem.kind(path) {
        case nil: break
        case .file: size = try read(path, into: &state, fileSystem)
        case .link:
            // The target of a link is read, but never written.
            do {
                let mapping = try fileSystem.map(path, limit: longest)
                try refuseLater(mapping.bytes, path)
                _ = replay(mapping, into: &state)
            } catch let error as FileError {
                // Without memory to read the target, the link stays for a start that has it.
                if error.isShortage { throw error }
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
        let content = Content(
            file: file, identity: try fileSystem.status(path).identity,
            status: LedgerStatus(size: size, replacedSize: size))
        return (Ledger(path: path, fileSystem: fileSystem, content: content), state)
    }

    /// Sets aside a file with the ledger's name that is not a regular file.
    ///
    /// It contains no data of ours, and nothing is written through a link.
    private static func setAsideIrregular(_ path: String, _ fileSystem: any FileSystem) throws(FileError) {
        guard let kind = try fileSystem.kind(path), kind != .file else { return }
        let kept = try SetAside.rename(path, fileSystem)
        log.error(
            "A file that is not regular has the name of the notification log; it is set aside",
            ["file": path, "now": kept])
    }

    /// Reads the file, and sets it aside if it is damaged before its end; returns its valid size; 0 if a new file must
    /// be written.
    private static func read(
        _ path: String, into state: inout LedgerState, _ fileSystem: any FileSystem
    ) throws -> Int {
        let mapping = try fileSystem.map(path, limit: longest)
        try refuseLater(mapping.bytes, path)
        let (end, damage) = replay(mapping, into: &state)
        if let damage {
            // The undamaged records are written to a new file.
            try SetAside.rename(path, fileSystem)
            log.error(
                "The notification log is damaged and set aside; its readable records are kept",
                ["path": path, "offset": "\(damage)"])
            return 0
        }
        let size = try fileSystem.status(path).size
        if end < size {
            log.warn(
                "The end of the notification log is damaged and was truncated",
                ["path": path, "offset": "\(end)", "bytes": "\(size - end)"])
        }
        return end
    }

    /// Throws if the header has a later version.
    ///
    /// The version is stored twice, so that one damaged byte does not look like it.
    private static func refuseLater(_ bytes: UnsafeRawBufferPointer, _ path: String) throws(LedgerError) {
        guard bytes.count >= headerSize, bytes.starts(with: magic.prefix(8)) else { return }
        let version = word(bytes, 8)
        guard version > Self.version, version == word(bytes, 12) else { return }
        throw LedgerError(description: "\(path): was written by a later version of martlet")
    }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
    }

    /// Reads all undamaged records.
    ///
    /// - Returns: The size up to the last record, and the position of the first damage that precedes undamaged records
    ///   or is in the header: the file gets its name with a complete header.
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
    package var size: Int { status.size }

    /// Whether records are missing because an append failed; ``compact(_:)`` writes them.
    package var isBehind: Bool { status.condition != .complete }

    var status: LedgerStatus { content.withLock { $0.status } }

    /// Returns, once, the records of a failed ``append(_:)`` that a start would read from the file.
    package func takeRemaining() -> [LedgerRecord] {
        content.withLock { content in
            defer { content.remaining = [] }
            return content.remaining
        }
    }

    /// Appends records that are in memory in any case.
    ///
    /// If it throws, the ledger is incomplete until it is compacted.
    package func record(_ records: [LedgerRecord]) throws(FileError) {
        do throws(FileError) { try append(records) } catch {
            content.withLock { content in
                if content.status.condition == .complete { content.status.condition = .incomplete }
                content.remaining = []
            }
            throw error
        }
    }

    /// Appends records.
    ///
    /// They are on disk when this returns. If it throws, a start reads none of them except those of ``takeRemaining()``.
    package func append(_ records: [LedgerRecord]) throws(FileError) {
        if records.isEmpty { return }
        let bytes = Self.frame(records)
        try content.withLock { (content) throws(FileError) in
            if content.status.condition == .closed { throw FileError("fdatasync", path, code: EIO) }
            // Writes to a removed or renamed file do not fail.
            if content.identity != 0, try isElsewhere(content.identity) {
                content.status.condition = .incomplete
                throw FileError("stat", path, code: ESTALE)
            }
            // A partial record of a failed write would hide all later records.
            if try content.file.size() != content.status.size { try content.file.truncate(to: content.status.size) }
            var failure: FileError?
            bytes.withUnsafeBytes { buffer in
                do throws(FileError) { try content.file.write(buffer) } catch { failure = error }
            }
            if let failure {
                _ = Self.truncate(&content, records)
                throw failure
            }
            do throws(FileError) { try content.file.syncData() } catch {
                // Data that is not on disk now is not written by another sync of the same file.
                content.status.condition = .closed
                // Without the second sync, a power failure may reverse the truncation.
                if Self.truncate(&content, records) { try? content.file.syncData() }
                throw error
            }
            content.status.size += bytes.count
        }
    }

    /// Truncates the file to its size before a failed append; returns false if that fails, and then notes the records
    /// that are complete in the file.
    private static func truncate(_ content: inout Content, _ records: [LedgerRecord]) -> Bool {
        do throws(FileError) {
            try content.file.truncate(to: content.status.size)
            return true
        } catch {
            var rest = ((try? content.file.size()) ?? .max) &- content.status.size
            content.remaining = Array(
                records.prefix { record in
                    rest &-= frame([record]).count
                    return rest >= 0
                })
            if !content.remaining.isEmpty { content.status.condition = .closed }
            return false
        }
    }

    /// Whether the path now names another file, or none.
    private func isElsewhere(_ identity: UInt64) throws(FileError) -> Bool {
        do throws(FileError) { return try fileSystem.status(path).identity != identity } catch {
            if error.leadsNowhere { return true }
            throw error
        }
    }

    /// Writes a new file with the records of `state`.
    ///
    /// If it throws, the path names the old file, or a new one to which nothing is appended.
    package func compact(_ state: LedgerState) throws(FileError) {
        let bytes = Self.magic + Self.frame(state.records)
        try content.withLock { (content) throws(FileError) in
            do throws(FileError) {
                // The directory may have been removed.
                let folder = FilePath.parent(path)
                try fileSystem.createDirectory(folder)
                try fileSystem.syncDirectory(FilePath.parent(folder))
                try fileSystem.replace(path, with: bytes)
                let file = try fileSystem.open(path, .append)
                let identity = try fileSystem.status(path).identity
                content.file.close()
                content = Content(
                    file: file, identity: identity,
                    status: LedgerStatus(size: bytes.count, replacedSize: bytes.count))
            } catch {
                // The new file may have got the name before the failure.
                let isElsewhere = try? isElsewhere(content.identity)
                if isElsewhere != false { content.status.condition = .closed }
                if isElsewhere == true { content.remaining = [] }
                throw error
            }
        }
    }
}
