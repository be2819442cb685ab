import Glibc
import Platform
import Telemetry

/// The check whether a directory can hold a store, before anything is written to it.
enum DirectoryCheck {
    /// Takes a directory for this process: makes it if it is missing, locks it, marks it if it was nobody's, and tries
    /// the operations on which the store relies.
    ///
    /// A directory of another program is not changed.
    ///
    /// Things with the name of a file of the store that are not regular files are set aside.
    ///
    /// - Parameter id: The id of a new store.
    /// - Throws: ``StorageError/unusable(_:)`` with one sentence of advice. In a store, a full disk is only logged,
    ///   because it may get free space; but a directory without a marker is not known to be a store's at the next start.
    static func take(
        _ path: String, _ fileSystem: any FileSystem, usesLockFile: Bool, id: () -> UInt64
    ) throws -> (lock: (any DirectoryLock)?, irregular: [IrregularFiles.Found]) {
        var isStore = try refuseForeign(path, fileSystem)
        var lock: (any DirectoryLock)?
        var irregular: [IrregularFiles.Found] = []
        do {
            try fileSystem.createDirectory(path)
            _ = try fileSystem.list(path)
            if usesLockFile { lock = try takeLock(path + "/lock", fileSystem) }
        } catch {
            throw StorageError.unusable(advice(path, error, fileSystem))
        }
        do {
            irregular = try IrregularFiles.setAside(path, fileSystem)
            // The marker of a store is only changed when its start succeeds.
            if !isStore { try StoreMarker.write(path, id(), fileSystem) }
            isStore = true
            try probe(path, fileSystem)
        } catch let error as FileError {
            guard error.isFull, isStore else {
                lock?.release()
                throw StorageError.unusable(advice(path, error, fileSystem))
            }
            Log("storage").error("Nothing can be written to the disk of the data directory", ["err": "\(error)"])
        } catch {
            lock?.release()
            throw error
        }
        return (lock, irregular)
    }

    /// Takes the lock file.
    ///
    /// If it is not a regular file, it is set aside, because no process can have locked it.
    private static func takeLock(_ path: String, _ fileSystem: any FileSystem) throws(FileError) -> any DirectoryLock {
        do throws(FileError) { return try fileSystem.lock(path) } catch {
            guard IrregularFiles.says(error) else { throw error }
        }
        try IrregularFiles.rename(path, fileSystem)
        return try fileSystem.lock(path)
    }

    /// Throws if the directory belongs to another program; returns whether it is a store.
    @discardableResult
    static func refuseForeign(_ path: String, _ fileSystem: any FileSystem) throws -> Bool {
        let owner: DirectoryOwner
        do { owner = try DirectoryOwner.of(path, fileSystem) } catch {
            throw StorageError.unusable(advice(path, error, fileSystem))
        }
        switch owner {
        case .nobody: return false
        case .store(_, let foreign, let strays):
            if let name = foreign.first {
                Log("storage").warn(
                    "The data directory holds files of Prometheus, too; they are neither read nor changed",
                    ["path": path, "entry": name])
            }
            if !strays.isEmpty {
                Log("storage").warn(
                    "The log's directory holds what has the name of a segment and is none",
                    ["path": path, "entries": strays.prefix(10).joined(separator: " ")])
            }
            return true
        case .prometheus(let name):
            throw StorageError.unusable(
                "\(path) is the data directory of a Prometheus (it holds \(name)); nothing in it was changed: stop that "
                    + "Prometheus and take its data over with `martlet tsdb import \(path) "
                    + "--storage.tsdb.path=NEW_DIRECTORY`, or give another directory with --storage.tsdb.path")
        case .newer(let version):
            throw StorageError.unusable(
                "\(path) was written by a later version of martlet, in format \(version); nothing in it was changed: start "
                    + "that version again, or give another directory with --storage.tsdb.path")
        case .stranger(let name):
            throw StorageError.unusable(
                "\(path) holds \(name), which is not of martlet; nothing in it was changed: give an empty directory, or "
                    + "one of martlet, with --storage.tsdb.path")
        }
    }

    /// Writes, syncs, replaces and reads a small file.
    private static func probe(_ path: String, _ fileSystem: any FileSystem) throws {
        let (old, new) = (path + "/probe", path + "/probe.tmp")
        defer {
            for name in [old, new] { try? fileSystem.remove(name) }
        }
        for content in [[UInt8]("one".utf8), [UInt8]("two".utf8)] {
            let file = try fileSystem.open(new, .replace)
            defer { file.close() }
            try file.write(content)
            try file.syncData()
            try fileSystem.rename(new, to: old)
            try fileSystem.syncDirectory(path)
            guard try FileStart.read(old, content.count + 1, fileSystem) == content else {
                throw StorageError.unusable(
                    "\(path): a file that replaced another has not its content: this file system cannot hold a store, "
                        + "give a directory on a local disk with --storage.tsdb.path")
            }
        }
    }

    /// A description of the process that has locked a file.
    static func holder(_ lock: String, _ fileSystem: any FileSystem) -> String {
        guard let (process, name) = fileSystem.lockHolder(lock) else { return "another process" }
        return "process \(process)" + (name.isEmpty ? "" : " (\(name))")
    }

    private static func advice(_ path: String, _ error: FileError, _ fileSystem: any FileSystem) -> String {
        switch error.code {
        case EACCES, EPERM:
            // This is the directory, or its nearest parent that exists.
            var place = path
            while (try? fileSystem.status(place)) == nil, place != "/", place != "." { place = FilePath.parent(place) }
            let owner = (try? fileSystem.status(place)).map {
                "belongs to user \($0.owner) with mode 0\(String($0.permissions, radix: 8))"
            }
            return "\(error): \(place) \(owner ?? "cannot be looked at") and this process runs as user \(geteuid()): "
                + "run `chown -R \(geteuid()) \(place)` or give another directory with --storage.tsdb.path"
        case EWOULDBLOCK where error.operation == "lock":
            return "\(path) is in use by \(holder(error.path, fileSystem)): stop it, or give another directory with "
                + "--storage.tsdb.path"
        case EDQUOT where (fileSystem as? BoundedFileSystem).map { $0.limit < .max } ?? false:
            return "\(error): --storage.tsdb.retention.size is too small for the files of a store; raise it"
        case ENOSPC, EDQUOT:
            return "\(error): the disk is full: free some space, or give another directory with --storage.tsdb.path"
        case EROFS:
            return "\(error): mount it for writing, or give another directory with --storage.tsdb.path"
        case ENOTDIR, EEXIST:
            return "\(error): it, or a part of the path, is a file; give a directory with --storage.tsdb.path"
        case EINVAL, ENOTSUP:
            return "\(error): this file system cannot hold a store; give a directory on a local disk with "
                + "--storage.tsdb.path"
        default: return "\(error): the data directory cannot be used; give another with --storage.tsdb.path"
        }
    }
}
