import Glibc
import Platform
import Telemetry

/// The owner of a data directory, according to its names and the first bytes of some files.
enum DirectoryOwner: Equatable {
    /// Nothing in the directory could be lost.
    case nobody
    /// A store of this program; `foreign` are names in it that look like Prometheus's, and `strays` are names of
    /// segments of the log that are no segments.
    case store(isMarked: Bool, foreign: [String], strays: [String])
    /// A directory of Prometheus; `name` is the entry that shows it.
    case prometheus(name: String)
    /// A directory of something else.
    case stranger(name: String)
    /// A store in a format of a later version of this program.
    case newer(version: UInt32)

    /// An entry of the directory, with the kind on which the decision depends.
    struct Entry: Equatable {
        enum Kind: Equatable {
            /// The marker of a store.
            case marker
            /// The marker of a store in a later format.
            case newer(UInt32)
            /// A file that only this program writes.
            case ours
            /// A file of Prometheus.
            case prometheus
            /// A file of a log that is too short to show its owner; without a store beside it, it is Prometheus's.
            case short
            /// A thing with the name of a segment that is no segment; without a store beside it, it is Prometheus's.
            case stray
            /// A file of either program, or of the system; nothing in it is lost when a store is made beside it.
            case neutral
            case unknown
        }

        var name: String
        var kind: Kind
    }

    /// The owner of a directory with these entries.
    static func decide(_ entries: [Entry]) -> DirectoryOwner {
        func names(_ kind: Entry.Kind) -> [String] { entries.filter { $0.kind == kind }.map(\.name) }
        for case .newer(let version) in entries.map(\.kind) { return .newer(version: version) }
        let isMarked = !names(.marker).isEmpty
        if isMarked || !names(.ours).isEmpty {
            return .store(isMarked: isMarked, foreign: names(.prometheus), strays: names(.stray))
        }
        if let name = (names(.prometheus) + names(.stray) + names(.short)).first { return .prometheus(name: name) }
        if let name = names(.unknown).first { return .stranger(name: name) }
        return .nobody
    }

    /// Examines a directory without changing it; a missing directory has no owner.
    static func of(_ path: String, _ fileSystem: any FileSystem) throws(FileError) -> DirectoryOwner {
        guard try fileSystem.exists(path), try fileSystem.status(path).isDirectory else { return .nobody }
        var entries: [Entry] = []
        let names = try fileSystem.list(path)
        for name in names where SmallFile.all[name] == nil {
            entries += try Self.entries(path + "/" + name, name, fileSystem)
        }
        switch decide(entries) {
        case .store, .newer: return decide(entries)
        // Small files are read completely, so this is only done if no other file shows that this is a store.
        case .nobody, .prometheus, .stranger: break
        }
        for name in names where SmallFile.all[name] != nil {
            entries += try Self.entries(path + "/" + name, name, fileSystem)
        }
        return decide(entries)
    }

    // MARK: Looking

    private static func entries(
        _ path: String, _ name: String, _ fileSystem: any FileSystem
    ) throws(FileError) -> [Entry] {
        func one(_ kind: Entry.Kind) -> [Entry] { [Entry(name: name, kind: kind)] }
        let isDirectory = (try? fileSystem.status(path).isDirectory) ?? false
        switch (name, isDirectory) {
        case (StoreMarker.name, false):
            if IrregularFiles.isOne(path, fileSystem) { return one(.unknown) }
            return one(kindOfMarker(try FileStart.read(path, StoreMarker.beginning.count, fileSystem)))
        case ("lost+found", true): return one(.neutral)
        case (_, false) where SmallFile.all[name] != nil:
            if name == "queries.active", try begins(path, [UInt8(ascii: "[")], fileSystem) { return one(.prometheus) }
            return one(try SmallFile.isOurs(path, name, fileSystem) ? .neutral : .unknown)
        case ("checkpoint", false):
            return one(try begins(path, CheckpointWriter.magic.prefix(6), fileSystem) ? .ours : .unknown)
        case ("blocks", true):
            return try inside(path, name, fileSystem) { name throws(FileError) in
                guard name.hasPrefix(Manifest.fileName) else { return .unknown }
                let file = path + "/" + name
                if try begins(file, Manifest.magic.prefix(7), fileSystem) { return .ours }
                // A first start on a full disk, or one that was killed, leaves the beginning of it.
                guard name == Manifest.fileName + ".tmp", !IrregularFiles.isOne(file, fileSystem) else {
                    return .unknown
                }
                return Manifest.magic.starts(with: try FileStart.read(file, 8, fileSystem)) ? .neutral : .unknown
            }
        case ("wal", true):
            return try inside(path, name, fileSystem) { entry throws(FileError) in
                let file = path + "/" + entry
                if try begins(file, WriteAheadLog.magic.prefix(6), fileSystem) { return .ours }
                if isUnfinishedSegment(entry) {
                    // A start that was killed, or a full disk, leaves the beginning of it.
                    if IrregularFiles.isOne(file, fileSystem) { return .unknown }
                    let size = WriteAheadLog.magic.count
                    return WriteAheadLog.magic.starts(with: try FileStart.read(file, size, fileSystem))
                        ? .neutral : .unknown
                }
                guard isPrometheusLog(entry) else { return .unknown }
                guard WriteAheadLog.number(of: entry) != nil else { return .prometheus }
                let status = try? fileSystem.status(file)
                return status.map { !$0.isDirectory && $0.size < WriteAheadLog.firstHeaderSize } == true
                    ? .short : .stray
            }
        case ("ledger", true):
            return try inside(path, name, fileSystem) { entry throws(FileError) in
                try begins(path + "/" + entry, Array("MTLEDGER".utf8)[...], fileSystem) ? .ours : .unknown
            }
        case ("spill", true):
            // The content of such a file does not show its owner; a store has other files beside it.
            return try inside(path, name, fileSystem) { _ in .unknown }
        case ("snapshots", true): return try inside(path, name, fileSystem) { _ in .unknown }
        case ("chunks_head", true), ("wbl", true): return one(.prometheus)
        default:
            if isDirectory, name.hasPrefix("chunk_snapshot.") { return one(.prometheus) }
            if isDirectory, BlockMeta.isID(String(name.prefix(26))), name.utf8.count == 26 || name.contains(".tmp") {
                return one(.prometheus)
            }
            // The file system has such files, for example; no name of a store starts with a dot.
            return one(name.hasPrefix(".") ? .neutral : .unknown)
        }
    }

    /// The entries of a directory within the directory; an empty one is neutral.
    private static func inside(
        _ path: String, _ name: String, _ fileSystem: any FileSystem,
        _ kind: (String) throws(FileError) -> Entry.Kind
    ) throws(FileError) -> [Entry] {
        var result: [Entry] = []
        for entry in try fileSystem.list(path) where !entry.hasPrefix(".") {
            result.append(Entry(name: name + "/" + entry, kind: try kind(entry)))
        }
        return result.isEmpty ? [Entry(name: name, kind: .neutral)] : result
    }

    /// Whether a name is like `00000003`, `checkpoint.00000002` or `checkpoint.00000002.tmp`.
    private static func isPrometheusLog(_ name: String) -> Bool {
        guard name.hasPrefix("checkpoint.") else { return isNumber(name[...]) }
        let rest = name.dropFirst("checkpoint.".count)
        return isNumber(rest.hasSuffix(".tmp") ? rest.dropLast(4) : rest)
    }

    private static func isNumber(_ text: Substring) -> Bool {
        text.utf8.count >= 8 && text.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
    }

    /// Whether a name is that of a segment before it has all of its header.
    private static func isUnfinishedSegment(_ name: String) -> Bool {
        name.hasSuffix(".tmp") && WriteAheadLog.number(of: String(name.dropLast(4))) != nil
    }

    private static func kindOfMarker(_ bytes: [UInt8]) -> Entry.Kind {
        guard bytes.starts(with: StoreMarker.magic) else { return .unknown }
        guard bytes.count == StoreMarker.beginning.count else { return .marker }
        func number(at start: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) } }
        let version = number(at: 8)
        return version > StoreMarker.version && version == number(at: 12) ? .newer(version) : .marker
    }

    private static func begins(
        _ path: String, _ magic: ArraySlice<UInt8>, _ fileSystem: any FileSystem
    ) throws(FileError) -> Bool {
        do throws(FileError) {
            guard try !fileSystem.status(path).isDirectory else { return false }
            return try FileStart.read(path, magic.count, fileSystem).elementsEqual(magic)
        } catch {
            // A pipe, a device or a broken link is not a file of a store. It is reported by the code that needs a file
            // of that name.
            if [FileError.notRegular, ENOENT, ELOOP].contains(error.code) { return false }
            throw error
        }
    }
}

extension TimeSeriesStore {
    /// Whether a directory is a store of this program; nothing in it is changed.
    package static func isStore(_ path: String, _ files: any FileSystem) throws(FileError) -> Bool {
        if case .store = try DirectoryOwner.of(path, files) { return true }
        return false
    }

    /// The block duration with which a store's own checkpoint was written, ms; nil if there is none that can be read.
    package static func blockDuration(of path: String, _ files: any FileSystem) throws(StorageError) -> Int64? {
        // What cannot be read now is reported by the start.
        if let identity = try? StoreIdentity.of(path, files), identity.isCheckpointOther { return nil }
        return try Head.blockDuration(ofCheckpoint: path + "/checkpoint", files)
    }

    /// Throws unless there is a store of this program; nothing in the directory is changed.
    ///
    /// - Throws: ``StorageError/unusable(_:)`` with one sentence of advice.
    package static func requireStore(_ path: String, _ files: any FileSystem) throws {
        try DirectoryCheck.refuseForeign(path, files)
        guard try !isStore(path, files) else { return }
        throw StorageError.unusable(
            "there is no store of martlet in \(path): name a store's directory with --storage.tsdb.path")
    }
}

/// The last bytes of files.
enum FileEnd {
    /// Returns at most `count` bytes at the end of a file.
    static func read(_ path: String, _ count: Int, _ fileSystem: any FileSystem) throws(FileError) -> [UInt8] {
        let file = try fileSystem.open(path, .read)
        defer { file.close() }
        return try FileStart.read(file, at: max(0, try file.size() - count), count)
    }
}

/// The first bytes of files.
enum FileStart {
    /// Returns at most `count` bytes from the start of a file.
    static func read(_ path: String, _ count: Int, _ fileSystem: any FileSystem) throws(FileError) -> [UInt8] {
        let file = try fileSystem.open(path, .read)
        defer { file.close() }
        return try read(file, at: 0, count)
    }

    /// Returns at most `count` bytes of an open file.
    static func read(_ file: any File, at offset: Int, _ count: Int) throws(FileError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var failure: FileError?
        var got = 0
        bytes.withUnsafeMutableBytes { buffer in
            do throws(FileError) { got = try file.read(at: offset, into: buffer) } catch { failure = error }
        }
        if let failure { throw failure }
        bytes.removeLast(count - got)
        return bytes
    }
}
