import Encoding
import Platform
import Telemetry

/// The decision which of the files in a directory belong to its store, by the ids that they state.
///
/// Numbers of series mean something in their own store only: a checkpoint or a log of another store would add its
/// samples to the wrong series.
struct StoreIdentity: Equatable, Sendable {
    /// The ids that the files of a directory state; files of earlier versions, and damaged ones, state none.
    struct Stated: Equatable, Sendable {
        var marker: UInt64?
        var checkpoint: UInt64?
        /// By the number of the segment.
        var log: [UInt64: UInt64] = [:]
    }

    /// The reason why a file is left out.
    static let otherStore = "it is of another store"

    /// The id of the store; nil if no file states one.
    var id: UInt64?
    /// Whether the checkpoint is of another store.
    var isCheckpointOther = false
    /// The segments of the log that are of another store.
    var otherSegments: Set<UInt64> = []

    /// Decides by the id of the most files; the log counts as at most two of them.
    ///
    /// So a log that was replaced as a whole does not outvote marker and checkpoint, and a marker that was replaced
    /// does not outvote the others. With equal votes the marker decides, then the checkpoint, then the newest segment.
    static func decide(_ stated: Stated) -> StoreIdentity {
        var inLog: [UInt64: (files: Int, newest: UInt64)] = [:]
        for (number, id) in stated.log {
            let known = inLog[id] ?? (0, 0)
            inLog[id] = (min(2, known.files + 1), max(number, known.newest))
        }
        func rank(_ id: UInt64) -> (Int, Int, Int, UInt64) {
            let (isMarker, isCheckpoint) = (stated.marker == id ? 1 : 0, stated.checkpoint == id ? 1 : 0)
            let log = inLog[id] ?? (0, 0)
            return (isMarker + isCheckpoint + log.files, isMarker, isCheckpoint, log.newest)
        }
        let all = Set([stated.marker, stated.checkpoint].compactMap { $0 } + inLog.keys)
        guard let id = all.max(by: { rank($0) < rank($1) }) else { return StoreIdentity() }
        return StoreIdentity(
            id: id, isCheckpointOther: stated.checkpoint.map { $0 != id } ?? false,
            otherSegments: Set(stated.log.filter { $0.value != id }.keys))
    }

    /// Makes the id of a new store.
    @Sendable static func random() -> UInt64 { .random(in: 1 ... .max) }

    /// The number by which a record of a spill file differs from one that names no store.
    static func mask(_ id: UInt64) -> UInt32 {
        var bytes: [UInt8] = []
        bytes.appendLittle(id)
        return CRC32C.hash(bytes)
    }

    // MARK: The files

    /// Reads the ids in a directory without changing it.
    static func stated(in directory: String, _ fileSystem: any FileSystem) throws(FileError) -> Stated {
        func read<Result>(_ body: () throws(FileError) -> Result?) throws(FileError) -> Result? {
            do throws(FileError) { return try body() } catch {
                // Something else with the name of a file states nothing.
                guard error.isNotFound || IrregularFiles.says(error) else { throw error }
                return nil
            }
        }
        var result = Stated()
        result.marker = try read { () throws(FileError) in
            StoreMarker.id(in: try FileStart.read(directory + "/" + StoreMarker.name, StoreMarker.size, fileSystem))
        }
        result.checkpoint = try read { () throws(FileError) in
            try CheckpointReader.store(of: directory + "/checkpoint", fileSystem)
        }
        let log = directory + "/wal"
        for number in try read({ () throws(FileError) in try WriteAheadLog.segments(log, fileSystem) }) ?? [] {
            // A segment that cannot be read now may not be needed.
            let start = try? FileStart.read(WriteAheadLog.path(log, number), WriteAheadLog.headerSize, fileSystem)
            result.log[number] = start.flatMap { WriteAheadLog.Header($0)?.store }
        }
        return result
    }

    /// Reads a directory and decides.
    static func of(_ directory: String, _ fileSystem: any FileSystem) throws(FileError) -> StoreIdentity {
        decide(try stated(in: directory, fileSystem))
    }

    /// Writes the id into the marker, unless it is there; a marker of another store, or a damaged one, is set aside.
    ///
    /// A start that may still be refused does not call this, so that an earlier binary can open the directory then.
    ///
    /// - Parameter new: The id if the store has none.
    /// - Returns: The id; nil if the store has none, because the marker cannot be written. Files that are written then
    ///   state none.
    func settle(_ directory: String, new: () -> UInt64, _ fileSystem: any FileSystem) -> UInt64? {
        let path = directory + "/" + StoreMarker.name
        let log = Log("storage")
        do throws(FileError) {
            let isThere = try fileSystem.exists(path)
            let content = isThere ? try FileStart.read(path, StoreMarker.size, fileSystem) : []
            let stated = StoreMarker.id(in: content)
            if let id, stated == id { return id }
            let own = id ?? new()
            if isThere, content != StoreMarker.first {
                let reason = stated == nil ? "it is damaged" : Self.otherStore
                let kept = try SetAside.rename(path, fileSystem)
                log.error(
                    "The marker of the store is set aside and written again",
                    ["file": path, "now": kept, "err": reason])
            }
            try StoreMarker.write(directory, own, fileSystem)
            return own
        } catch {
            log.error("The marker of the store cannot be written", ["file": path, "err": "\(error)"])
            return id
        }
    }
}
