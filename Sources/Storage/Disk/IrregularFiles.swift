import Glibc
import Platform
import Telemetry

/// Pipes, directories, devices and links with the names of files of the store.
///
/// None of them has data of the store, and none is opened. They are set aside before the store is opened, so that their
/// names are free. The files that are then missing are reported as damaged.
enum IrregularFiles {
    /// A thing that was set aside; its names are within the data directory.
    struct Found: Equatable, Sendable {
        enum Place: Equatable, Sendable {
            case checkpoint
            case segment(UInt64)
            case spill
            /// A file without samples.
            case other
        }

        var place: Place
        /// The previous name.
        var name: String
        /// The current name, without the suffix.
        var kept: String

        /// The number of a segment.
        var segment: UInt64? {
            if case .segment(let number) = place { number } else { nil }
        }
    }

    private static let temporary = ".tmp"

    /// The purpose of a name in a directory of the store; nil for names that are not the store's.
    private static func place(_ folder: String, _ name: String) -> Found.Place? {
        let isTemporary = name.hasSuffix(temporary)
        let final = isTemporary ? String(name.dropLast(temporary.count)) : name
        let place: Found.Place? =
            switch (folder, final) {
            case ("", "checkpoint"): .checkpoint
            case ("", StoreMarker.name), ("", DiskReserve.name), ("", "probe"): .other
            case ("blocks/", Manifest.fileName), ("blocks/", PendingDeletions.fileName): .other
            case ("wal/", _): WriteAheadLog.number(of: final).map { .segment($0) }
            case ("spill/", _): SpillStore.windowAndNumber(final) == nil ? nil : .spill
            default: nil
            }
        // Notes of damage are set aside when they are read.
        if isTemporary, folder.isEmpty, DamageNotes.fileNames.contains(final) { return .other }
        return isTemporary && place != nil ? .other : place
    }

    /// Whether a file with this name is only read, so that it may be a link to a regular file.
    private static func mayBeLink(_ place: Found.Place, _ name: String) -> Bool {
        switch place {
        case .checkpoint, .segment: true
        case .spill: false
        case .other: [StoreMarker.name, Manifest.fileName, PendingDeletions.fileName].contains(name)
        }
    }

    /// Whether a path exists and is not a regular file; a path that cannot be examined counts as a regular file.
    ///
    /// - Parameter mayBeLink: Whether a link to a regular file counts as one.
    static func isOne(_ path: String, mayBeLink: Bool = true, _ fileSystem: any FileSystem) -> Bool {
        switch try? fileSystem.kind(path) {
        case nil, .file: return false
        case .directory, .other: return true
        case .link:
            guard mayBeLink else { return true }
            do throws(FileError) { try fileSystem.open(path, .read).close() } catch {
                return says(error) || error.isNotFound
            }
            return false
        }
    }

    /// Whether an error means that something is not a regular file.
    static func says(_ error: FileError) -> Bool { [FileError.notRegular, EISDIR, ELOOP].contains(error.code) }

    /// Sets aside the things with names of files of the store that are not regular files.
    static func setAside(_ directory: String, _ fileSystem: any FileSystem) throws(FileError) -> [Found] {
        var result: [Found] = []
        for folder in ["", "wal/", "spill/", "blocks/"] {
            let names = (try? fileSystem.list(folder.isEmpty ? directory : directory + "/" + folder.dropLast())) ?? []
            for name in names {
                guard let place = place(folder, name) else { continue }
                let path = directory + "/" + folder + name
                guard isOne(path, mayBeLink: mayBeLink(place, name), fileSystem) else { continue }
                let kept = FilePath.name(try rename(path, fileSystem))
                result.append(
                    Found(place: place, name: folder + name, kept: folder + (SetAside.original(kept) ?? kept)))
            }
        }
        return result
    }

    /// Sets one such thing aside, and logs it; returns the new path.
    @discardableResult
    static func rename(_ path: String, _ fileSystem: any FileSystem) throws(FileError) -> String {
        let kept = try SetAside.rename(path, fileSystem)
        Log("storage").error(
            "What is no regular file has the name of one; it is set aside", ["file": path, "now": kept])
        return kept
    }
}
