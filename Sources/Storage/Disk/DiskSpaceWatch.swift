import Platform
import Synchronization
import Telemetry

/// A watch that logs when the disk of the data directory becomes nearly full, is full, and has space again.
///
/// It checks the disk itself; the limit of the size of the directory does not matter.
final class DiskSpaceWatch: Sendable {
    /// The levels of free space on the disk.
    enum Level: Int, Comparable {
        case plenty, little, none

        static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
    }

    /// The bytes below which the disk is nearly full.
    static let little = 64 << 20
    /// The bytes below which it is full: less than a segment of the log may need at once.
    private static let none = 1 << 20

    private let level = Mutex(Level.plenty)
    private let directory: String
    private let fileSystem: any FileSystem

    init(_ directory: String, _ fileSystem: any FileSystem) {
        self.directory = directory
        self.fileSystem = fileSystem.disk
    }

    /// The level of a disk with `free` bytes.
    ///
    /// - Parameter before: The previous level. It only ends at twice its limit, so that a disk near the limit does not
    ///   cause many log messages.
    static func level(free: Int, before: Level) -> Level {
        if free < none { return .none }
        if free < (before == .none ? 2 * none : 0) { return .none }
        return free < (before >= .little ? 2 * little : little) ? .little : .plenty
    }

    /// Checks the disk, and logs a change of its level.
    func look() {
        guard let free = try? fileSystem.freeSpace(directory) else { return }
        let (before, now) = level.withLock { level in
            let before = level
            level = Self.level(free: free, before: before)
            return (before, level)
        }
        guard before != now else { return }
        let log = Log("storage")
        let fields: KeyValuePairs = ["path": directory, "bytes": "\(free)"]
        switch now {
        case .none: log.error("The disk of the data directory is full; free some space", fields)
        case .little: log.warn("The disk of the data directory is nearly full; free some space", fields)
        case .plenty: log.info("The disk of the data directory has space again", fields)
        }
    }
}
