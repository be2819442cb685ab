import Encoding
import GoCompatibility
import JSON
import Platform

/// The losses of the log and the checkpoint at this and earlier starts: the file `damage.json`, and its copy.
///
/// A restart repairs nothing: a loss is reported as long as the file that was set aside exists. The notes are written
/// twice, so that the damage of one file does not lose them.
struct DamageNotes: Equatable, Sendable {
    /// A file that was damaged or missing when the store was opened.
    struct Entry: Hashable, Sendable {
        /// The name within the directory, without the suffix of files that were set aside.
        var file: String
        var kind: LeftOutPart.Kind
        /// The time when it was found, ms.
        var found: Int64
        /// The time range of its data, ms; nil if it is not known.
        var times: ClosedRange<Int64>?
        /// Whether it is a file of another store.
        var isOther = false
    }

    static let fileName = "damage.json"
    static let copyName = "damage.copy.json"
    static let fileNames = [fileName, copyName]
    /// The most entries; the oldest ones are left out.
    static let most = 1000
    /// The most bytes of the file.
    private static let longest = 1 << 20

    private(set) var entries: [Entry] = []

    /// Adds an entry; if there is one for the same file and kind, extends its times.
    mutating func add(_ entry: Entry) {
        var entry = entry
        entry.times = entry.times.map { Self.exact($0.lowerBound)...Self.exact($0.upperBound) }
        if let known = entries.firstIndex(where: { $0.file == entry.file && $0.kind == entry.kind }) {
            entries[known].found = entry.found
            entries[known].isOther = entry.isOther
            if let times = entry.times {
                let before = entries[known].times ?? times
                entries[known].times =
                    min(before.lowerBound, times.lowerBound)...max(before.upperBound, times.upperBound)
            }
            return
        }
        entries.append(entry)
        if entries.count > Self.most { entries.removeFirst(entries.count - Self.most) }
    }

    /// A time as it is read again: a number of JSON is a float.
    private static func exact(_ time: Int64) -> Int64 { Int64(exactly: Double(time)) ?? .max - 1023 }

    mutating func removeAll(where condition: (Entry) -> Bool) { entries.removeAll(where: condition) }

    /// Whether the file of an entry exists: set aside, or in the log under its own name.
    static func isThere(_ entry: Entry, _ directory: String, _ files: any FileSystem) -> Bool {
        let path = directory + "/" + entry.file
        // A file that cannot be examined is not known to be gone.
        if (try? files.exists(path + SetAside.suffix)) != false { return true }
        return entry.file.hasPrefix("wal/") && (try? files.exists(path)) != false
    }

    /// The names of the files that were set aside, without the suffix.
    static func setAside(_ directory: String, _ files: any FileSystem) -> [String] {
        var result: [String] = []
        for folder in ["", "wal/"] {
            let names = (try? files.list(folder.isEmpty ? directory : directory + "/" + folder.dropLast())) ?? []
            for name in names.lazy.compactMap(SetAside.original) {
                // The other files of the directory are reported elsewhere.
                if folder.isEmpty, !name.hasPrefix("checkpoint") { continue }
                // An unfinished file has no data that is not elsewhere, too.
                if name.contains(".tmp") { continue }
                result.append(folder + name)
            }
        }
        return Array(result.prefix(most))
    }

    // MARK: The files

    /// The content of the two files of a directory.
    struct Reading {
        var notes = DamageNotes()
        /// Whether both files exist with the same content, or neither exists.
        var isWhole = true
        /// The paths of existing files that cannot be read, and the errors.
        var unreadable: [(path: String, error: any Error)] = []
    }

    /// Reads the notes of a directory.
    ///
    /// If only the copy exists, its entries about missing files do not count: removing the first file acknowledges
    /// them.
    ///
    /// If the first file cannot be read, all of the copy counts.
    static func read(_ directory: String, _ files: any FileSystem) -> Reading {
        var result = Reading()
        var found: [DamageNotes?] = []
        for name in fileNames {
            let path = directory + "/" + name
            do { found.append(try readFile(path, files)) } catch {
                found.append(nil)
                result.unreadable.append((path, error))
            }
        }
        result.isWhole = found.first == found.last && result.unreadable.isEmpty
        if let first = found.compactMap({ $0 }).first { result.notes = first }
        if found.first == .some(nil), !result.unreadable.contains(where: { $0.path.hasSuffix("/" + fileName) }) {
            result.notes.removeAll { $0.kind == .missing }
        }
        return result
    }

    /// Reads one file; nil if there is none.
    private static func readFile(_ path: String, _ files: any FileSystem) throws -> DamageNotes? {
        guard try files.exists(path) else { return nil }
        let content = try files.content(path, section: "notes", limit: longest)
        guard let notes = DamageNotes(reading: content) else {
            throw BlockError(file: path, section: "notes", offset: 0, reason: "no list of damage")
        }
        return notes
    }

    /// The notes in the content of a file; nil if it is something else, or damaged.
    init?(reading content: [UInt8]) {
        guard let value = try? JSONValue.parse(content), let list = value["damage"]?.array else { return nil }
        for item in list.prefix(Self.most) {
            guard let file = item["file"]?.string, let kind = item["kind"]?.string.flatMap(LeftOutPart.Kind.init) else {
                return nil
            }
            func time(_ key: String) -> Int64? { item[key]?.number.flatMap { Int64(exactly: $0) } }
            var times: ClosedRange<Int64>?
            if let first = time("minTime"), let last = time("maxTime"), first <= last { times = first...last }
            let isOther = item["otherStore"]?.bool ?? false
            add(Entry(file: file, kind: kind, found: time("found") ?? 0, times: times, isOther: isOther))
        }
        // A file that was written by hand has no checksum.
        if let known = value["crc32c"]?.string, known != checksum { return nil }
    }

    init() {}

    /// Writes both files durably, or removes them if there are no entries.
    func write(_ directory: String, _ files: any FileSystem) throws(FileError) {
        for name in Self.fileNames {
            let path = directory + "/" + name
            if !entries.isEmpty {
                try files.replace(path, with: json())
            } else if try files.exists(path) {
                try files.remove(path)
            }
        }
    }

    /// The checksum of the list in its written form.
    private var checksum: String { CRC32C.hash(list()).zeroPadded(8, radix: 16) }

    func json() -> [UInt8] {
        var writer = JSONWriter()
        writer.object {
            $0.key("damage")
            $0.raw(list())
            $0.key("crc32c")
            $0.string(checksum)
        }
        return writer.bytes + [0x0A]
    }

    private func list() -> [UInt8] {
        var writer = JSONWriter()
        writer.array { list in
            for entry in entries {
                list.object {
                    $0.key("file")
                    $0.string(entry.file)
                    $0.key("kind")
                    $0.string(entry.kind.rawValue)
                    $0.key("found")
                    $0.integer(entry.found)
                    if entry.isOther {
                        $0.key("otherStore")
                        $0.bool(true)
                    }
                    guard let times = entry.times else { return }
                    $0.key("minTime")
                    $0.integer(times.lowerBound)
                    $0.key("maxTime")
                    $0.integer(times.upperBound)
                }
            }
        }
        return writer.bytes
    }
}
