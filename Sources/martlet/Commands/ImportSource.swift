import Glibc
import Interchange
import Model
import Platform
import Storage

/// The data directory of a Prometheus for an import, during which no process may write it.
enum ImportSource {
    /// The attributes of a file that change when it is written or replaced.
    ///
    /// The number of its disk blocks is not used, because it may change later.
    fileprivate struct Version: Equatable {
        var size: Int
        var modified: Int64
        var identity: UInt64
    }

    /// The locked lock file, if there is one, and the state of the write-ahead log.
    struct Hold {
        fileprivate let directory: String
        fileprivate let lock: Int32?
        fileprivate let state: [ExactText: Version]

        func release() {
            if let lock { close(lock) }
        }

        /// Whether a process has written the write-ahead log since then.
        ///
        /// This finds writers that are not visible here, for example in another container or on another machine.
        func hasChanged(_ files: any FileSystem) throws(FileError) -> Bool {
            try ImportSource.state(directory, files) != state
        }
    }

    /// Checks that `directory` is not a storage of martlet, and that no Prometheus uses it.
    ///
    /// - Parameter isForced: Whether it suffices that no user of it can be seen.
    /// - Throws: ``CommandFailure`` with an instruction.
    static func hold(_ directory: String, _ files: any FileSystem, isForced: Bool) throws -> Hold {
        guard try files.exists(directory) else {
            throw CommandFailure(
                description: "\(directory): there is no such directory: name the one that Prometheus has as "
                    + "--storage.tsdb.path")
        }
        guard try files.status(directory).isDirectory else {
            throw CommandFailure(description: "\(directory) is no directory: name the data directory of a Prometheus")
        }
        guard try !TimeSeriesStore.isStore(directory, files) else {
            throw CommandFailure(
                description: "\(directory) is a store of martlet, not of Prometheus: use it with "
                    + "--storage.tsdb.path=\(directory), or write its samples as blocks with `martlet tsdb export` and "
                    + "import those")
        }
        guard try files.exists(directory + "/wal") || !BlockImport.blocks(files, directory).isEmpty else {
            throw CommandFailure(description: nothing(in: directory))
        }
        // Debian's Prometheus makes no lock file.
        switch DirectoryUsers.find(of: directory, files) {
        case .nobody: break
        case .writer(let process): throw inUse(directory, by: (process.id, process.name))
        case .unseen(let process) where !isForced:
            throw CommandFailure(
                description: "it is unknown whether \(directory) is in use: process \(process.id) (\(process.name)) "
                    + "runs as user \(process.user), the owner of the log, and user \(geteuid()) may not inspect its "
                    + "files: run this as that user or as root, or make sure that Prometheus is stopped and add --force"
            )
        case .hidden where !isForced:
            throw CommandFailure(
                description:
                    "it is unknown whether \(directory) is in use, because the system hides the processes of other "
                    + "users from user \(geteuid()): run this as the user of Prometheus or as root, or make sure that "
                    + "Prometheus is stopped and add --force")
        case .unseen, .hidden: break
        }
        let lock = try lock(directory, files)
        do {
            return Hold(directory: directory, lock: lock, state: try state(directory, files))
        } catch {
            if let lock { close(lock) }
            throw error
        }
    }

    static func nothing(in directory: String) -> String {
        "there is neither a block nor a write-ahead log in \(directory): name the directory that Prometheus has as "
            + "--storage.tsdb.path"
    }

    /// Locks the directory as a second Prometheus would.
    ///
    /// This needs only the permission to read the lock file.
    ///
    /// - Returns: nil if there is no lock file, or if it may not be read.
    private static func lock(_ directory: String, _ files: any FileSystem) throws -> Int32? {
        let path = directory + "/lock"
        let file = (try? RegularFile.open(path, O_RDONLY)) ?? -1
        if file >= 0, flock(file, LOCK_EX | LOCK_NB) == 0 { return file }
        let isHeld = file >= 0 && errno == EWOULDBLOCK
        if file >= 0 { close(file) }
        let holder = files.lockHolder(path)
        if isHeld || holder != nil { throw inUse(directory, by: holder) }
        return nil
    }

    private static func inUse(_ directory: String, by holder: (process: Int, name: String)?) -> CommandFailure {
        let holder = holder.map { "process \($0.process) (\($0.name))" } ?? "another process"
        return CommandFailure(
            description: "\(directory) is in use by \(holder): stop it first, or let it make a snapshot "
                + "(POST /api/v1/admin/tsdb/snapshot) and import that")
    }

    /// The names and sizes of the files that a running Prometheus changes.
    private static func state(
        _ directory: String, _ files: any FileSystem
    ) throws(FileError) -> [ExactText: Version] {
        var state: [ExactText: Version] = [:]
        for part in ["", "/wal", "/wbl", "/chunks_head"] where try files.exists(directory + part) {
            for name in try files.list(directory + part) {
                let path = directory + part + "/" + name
                do throws(FileError) {
                    let status = try files.status(path)
                    // The size and time of a directory add nothing to the names in it.
                    if !status.isDirectory {
                        state[ExactText(path)] = Version(
                            size: status.size, modified: status.modified, identity: status.identity)
                    }
                } catch {
                    if !error.isNotFound { throw error }
                }
            }
        }
        return state
    }
}
