import CPlatform
import Glibc
import Model
import Synchronization
import Telemetry

/// Why the ledger cannot be read or written.
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
final class Ledger: Sendable {
    private static let magic = Array("MTLEDGER".utf8) + [1, 0, 0, 0, 0, 0, 0, 0]
    /// Below this size nothing is written anew, bytes.
    private static let smallestCompaction = 1 << 20
    private static let longestRecord = 1 << 24

    private struct File {
        var descriptor: Int32
        var size: Int
        /// The size after the last compaction.
        var compactSize: Int
        var hasFailed = false
    }

    let path: String
    private let file: Mutex<File>
    private static let log = Log("notify")

    private init(path: String, file: File) {
        self.path = path
        self.file = Mutex(file)
    }

    deinit { file.withLock { _ = close($0.descriptor) } }

    /// Opens or makes the ledger in `folder`.
    ///
    /// - Returns: The ledger, and what its records add up to.
    static func open(folder: String) throws(LedgerError) -> (Ledger, LedgerState) {
        if mkdir(folder, 0o755) != 0, errno != EEXIST { throw failure("making", folder) }
        let path = folder + "/ledger"
        var state = LedgerState()
        let bytes = try read(path)
        var valid = 0
        if !bytes.isEmpty {
            guard bytes.starts(with: magic) || magic.starts(with: bytes) else {
                throw LedgerError(description: "\(path): is no ledger of a version that is known here")
            }
            valid = bytes.count < magic.count ? 0 : replay(bytes, path, into: &state)
        }
        let descriptor = cplatform_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure("opening", path) }
        if valid < bytes.count, ftruncate(descriptor, off_t(valid)) != 0 { throw failure("cutting", path) }
        lseek(descriptor, 0, SEEK_END)
        let ledger = Ledger(path: path, file: File(descriptor: descriptor, size: valid, compactSize: valid))
        if valid == 0 {
            try ledger.file.withLock { (file) throws(LedgerError) in try write(magic, to: &file, path) }
            syncFolder(folder)
        }
        return (ledger, state)
    }

    private static func failure(_ action: String, _ path: String) -> LedgerError {
        LedgerError(description: "\(action) \(path): \(String(cString: strerror(errno)))")
    }

    private static func read(_ path: String) throws(LedgerError) -> [UInt8] {
        let descriptor = cplatform_open(path, O_RDONLY | O_CLOEXEC, 0)
        if descriptor < 0 {
            if errno == ENOENT { return [] }
            throw failure("opening", path)
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &part, part.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw failure("reading", path)
            }
            if count == 0 { return bytes }
            bytes += part[0..<count]
        }
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

    private static func write(_ bytes: [UInt8], to file: inout File, _ path: String) throws(LedgerError) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.write(file.descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done)
            }
            if count < 0 {
                if errno == EINTR { continue }
                let error = failure("writing", path)
                // Nothing may stay half written: the next append would be lost behind it.
                _ = ftruncate(file.descriptor, off_t(file.size))
                lseek(file.descriptor, 0, SEEK_END)
                throw error
            }
            done += count
        }
        if fdatasync(file.descriptor) != 0 {
            let error = failure("syncing", path)
            _ = ftruncate(file.descriptor, off_t(file.size))
            lseek(file.descriptor, 0, SEEK_END)
            throw error
        }
        file.size += bytes.count
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

    private static func syncFolder(_ folder: String) {
        let descriptor = cplatform_open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY, 0)
        if descriptor >= 0 {
            fsync(descriptor)
            close(descriptor)
        }
    }

    /// The file's size in bytes.
    var size: Int { file.withLock { $0.size } }

    /// Whether the file has grown so much that ``compact(_:)`` is worth its cost.
    var wantsCompaction: Bool {
        file.withLock { $0.size > max(Self.smallestCompaction, $0.compactSize &* 4) }
    }

    /// Adds facts; they are on the disk when this returns, or nothing of them is there.
    func append(_ records: [LedgerRecord]) throws(LedgerError) {
        if records.isEmpty { return }
        let bytes = Self.frame(records)
        try file.withLock { (file) throws(LedgerError) in try Self.write(bytes, to: &file, path) }
    }

    /// Writes the file anew with the records of `state`.
    func compact(_ state: LedgerState) throws(LedgerError) {
        let bytes = Self.magic + Self.frame(state.records)
        try file.withLock { (file) throws(LedgerError) in
            let temporary = path + ".tmp"
            let descriptor = cplatform_open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else { throw Self.failure("opening", temporary) }
            var new = File(descriptor: descriptor, size: 0, compactSize: bytes.count)
            do throws(LedgerError) {
                try Self.write(bytes, to: &new, temporary)
            } catch {
                close(descriptor)
                unlink(temporary)
                throw error
            }
            guard rename(temporary, path) == 0 else {
                let error = Self.failure("renaming", temporary)
                close(descriptor)
                unlink(temporary)
                throw error
            }
            close(file.descriptor)
            file = new
            Self.syncFolder(String(path.dropLast("/ledger".count)))
        }
    }
}
