import Platform
import Synchronization
import Telemetry

/// Says in the log when the disk of the data directory gets nearly full, is full, and has space again.
///
/// It looks at the disk itself: a limit of the size of the directory is no matter of the disk.
final class DiskSpaceWatch: Sendable {
    /// How full the disk is.
    enum Level: Int, Comparable {
        case plenty, little, none

        static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
    }

    /// Bytes below which the disk is nearly full.
    static let little = 64 << 20
    /// Bytes below which it is full: less than a segment of the log may need at once.
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
    /// - Parameter before: The level is left only when there is twice what it begins with, so that a disk at the border
    ///   does not fill the log.
    static func level(free: Int, before: Level) -> Level {
        if free < none { return .none }
        if free < (before == .none ? 2 * none : 0) { return .none }
        return free < (before >= .little ? 2 * little : little) ? .little : .plenty
    }

    /// Looks, and logs what has changed.
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
