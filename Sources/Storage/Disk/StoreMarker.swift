import Encoding
import Platform

/// The file `store.martlet`: it marks a directory as a store, and has the store's id.
///
///     magic (8) · version (4) · the version again (4) · id (8) · crc32c of all before it (4)
///
/// The version is there twice, so that a damaged byte does not look like a later version. An earlier binary refuses the
/// directory for it. Version 1 ended after a 0 in the place of the second version.
enum StoreMarker {
    static let name = "store.martlet"
    static let magic: [UInt8] = Array("MARTLETS".utf8)
    /// The version of the store; it does not depend on the versions of its files.
    static let version: UInt32 = 2
    static let size = 28

    /// The marker of version 1, which has no id.
    static let first: [UInt8] = {
        var bytes = magic
        bytes.appendLittle(1 as UInt32)
        bytes.appendLittle(0 as UInt32)
        return bytes
    }()

    /// The beginning of all markers of this version.
    static let beginning: [UInt8] = {
        var bytes = magic
        bytes.appendLittle(version)
        bytes.appendLittle(version)
        return bytes
    }()

    static func bytes(_ id: UInt64) -> [UInt8] {
        var bytes = beginning
        bytes.appendLittle(id)
        bytes.appendLittle(CRC32C.hash(bytes))
        return bytes
    }

    /// The id in the content of a marker; nil if it is of version 1, or damaged.
    static func id(in content: [UInt8]) -> UInt64? {
        guard content.count >= size, content.starts(with: beginning) else { return nil }
        let id = content[beginning.count..<beginning.count + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        return id != 0 && content.prefix(size).elementsEqual(bytes(id)) ? id : nil
    }

    /// Whether some bytes are a marker, or the start of one, as a kill leaves it.
    static func isBegun(_ content: [UInt8]) -> Bool {
        if first.starts(with: content) || beginning.starts(with: content) { return true }
        guard content.starts(with: beginning), content.count <= size else { return false }
        return content.count < size || id(in: content) != nil
    }

    /// Writes the marker of a directory durably.
    static func write(_ directory: String, _ id: UInt64, _ fileSystem: any FileSystem) throws(FileError) {
        let path = directory + "/" + name
        do throws(FileError) { try fileSystem.replace(path, with: bytes(id)) } catch {
            try? fileSystem.remove(path + ".tmp")
            throw error
        }
    }
}
