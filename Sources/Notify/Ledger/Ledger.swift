import CPlatform
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
/// Numbers are little-endian; the CRC is that of the record. A torn tail, as a power cut leaves it, is cut off; other
/// damage ends the reading there and is reported. Every append is on the disk when it returns. A file that has grown to
/// several times its contents is written anew beside itself and renamed.
package final class Ledger: Sendable {
    private static let magic = Array("MTLEDGER".utf8) + [1, 0, 0, 0, 0, 0, 0, 0]
    /// Below this size nothing is written anew, bytes.
    private static let smallestCompaction = 1 << 20
    private static let longestRecord = 1 << 24
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
    package static func open(folder: String, _ fileSystem: any FileSystem) throws -> (Ledger, LedgerState) {
        try fileSystem.createDirectory(folder)
        let path = folder + "/ledger"
        var state = LedgerState()
        var size = 0
        if try fileSystem.exists(path) {
            let bytes = try fileSystem.read(path)
            guard bytes.starts(with: magic) || magic.starts(with: bytes) else {
                throw LedgerError(description: "\(path): is no ledger of a version that is known here")
            }
            if bytes.count >= magic.count { size = replay(bytes, path, into: &state) }
        }
        if size == 0 {
            try fileSystem.replace(path, with: magic)
            size = magic.count
        }
        let file = try fileSystem.open(path, .append)
        if try file.size() > size { try file.truncate(to: size) }
        let identity = (try? fileSystem.status(path).identity) ?? 0
        let ledger = Ledger(
            path: path, fileSystem: fileSystem,
            content: Content(file: file, identity: identity, size: size, compactSize: size))
        return (ledger, state)
    }

    /// Reads all records that are whole; returns the size up to the last of them.
    private static func replay(_ bytes: [UInt8], _ path: String, into state: inout LedgerState) -> Int {
        func word(_ at: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << (8 * UInt32($1)) }
        }
        var at = magic.count
        while at < bytes.count {
            guard bytes.count - at >= 8 else { break }
            let (size, crc) = (Int(word(at)), word(at + 4))
            guard size <= longestRecord, bytes.count - at - 8 >= size else { break }
            let payload = Array(bytes[(at + 8)..<(at + 8 + size)])
            guard checksum(payload) == crc else { break }
            if let record = LedgerRecord(payload) { state.apply(record) }
            at += 8 + size
        }
        if at < bytes.count {
            log.warn(
                "The ledger's tail is damaged and is cut off",
                ["path": path, "offset": "\(at)", "bytes": "\(bytes.count - at)"])
        }
        return at
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBytes { cplatform_crc32c(0, $0.baseAddress, $0.count) }
    }

    private static func frame(_ records: [LedgerRecord]) -> [UInt8] {
        var out: [UInt8] = []
        for record in records {
            let payload = record.encode()
            for value in [UInt32(truncatingIfNeeded: payload.count), checksum(payload)] {
                withUnsafeBytes(of: value.littleEndian) { out.append(contentsOf: $0) }
            }
            out += payload
        }
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
