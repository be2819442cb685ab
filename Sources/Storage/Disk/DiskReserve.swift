import Platform
import Synchronization
import Telemetry

/// A file that uses disk space while there is some, and is removed when the disk is full.
///
/// Operations in progress can then be finished: the frame of the log that a push waits for, the record of a removed
/// block.
final class DiskReserve: Sendable {
    static let name = "reserve"
    static let size = 1 << 20

    let path: String
    private let fileSystem: any FileSystem
    private let isThere = Mutex(false)
    private let isReported = Atomic(false)

    init(_ directory: String, fileSystem: any FileSystem) {
        path = directory + "/" + Self.name
        self.fileSystem = fileSystem
        let known = try? fileSystem.status(path)
        // If a file has several hard links, its removal does not free its space.
        isThere.withLock { $0 = known.map { $0.size >= Self.size && !$0.isDirectory && $0.names == 1 } ?? false }
    }

    /// Makes the file if it does not exist and there is much space: sixteen times the reserve stays free.
    func take() {
        isThere.withLock { isThere in
            guard !isThere, let free = try? fileSystem.freeSpace(FilePath.parent(path)), free / 17 >= Self.size else {
                return
            }
            var isOurs = false
            do throws(FileError) {
                let file = try fileSystem.open(path, .replace)
                defer { file.close() }
                isOurs = true
                // The bytes are written, because a sparse file would not use disk space.
                try file.write([UInt8](repeating: 0x5A, count: Self.size))
                try file.syncData()
                isThere = true
            } catch {
                if isOurs { try? fileSystem.remove(path) }
                if error.isFull || isReported.exchange(true, ordering: .relaxed) { return }
                Log("storage").warn("There is no reserve for a full disk", ["err": "\(error)"])
            }
        }
    }

    /// Removes the file to free its space; returns whether this succeeded.
    func giveUp() -> Bool {
        isThere.withLock { isThere in
            guard isThere else { return false }
            isThere = false
            do { try fileSystem.remove(path) } catch { return false }
            return true
        }
    }
}
