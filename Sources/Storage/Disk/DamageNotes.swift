import JSON
import Platform

/// What the log and the checkpoint have lost at this start and at earlier ones: the file `damage.json`.
///
/// A restart repairs nothing: what was lost is reported as long as the file that is set aside lies there.
struct DamageNotes: Equatable, Sendable {
    /// A file that was damaged or missing when the store was opened.
    struct Entry: Hashable, Sendable {
        /// The name within the directory, without the suffix of a file that is set aside.
        var file: String
        var kind: LeftOutPart.Kind
        /// When it was found, ms.
        var found: Int64
        /// The times of what it held, ms; nil if they are not known.
        var times: ClosedRange<Int64>?
    }

    static let fileName = "damage.json"
    /// More entries are left out, oldest first.
    static let most = 1000
    /// A longer file is not one of a store.
    private static let longest = 1 << 20

    private(set) var entries: [Entry] = []

    /// Adds an entry; one for the same file then speaks of both.
    mutating func add(_ entry: Entry) {
        if let known = entries.firstIndex(where: { $0.file == entry.file && $0.kind == entry.kind }) {
            entries[known].found = entry.found
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

    mutating func removeAll(where condition: (Entry) -> Bool) { entries.removeAll(where: condition) }

    /// Whether the file lies there that an entry is about: set aside, or in the log under its own name.
    static func isThere(_ entry: Entry, _ directory: String, _ files: any FileSystem) -> Bool {
        let path = directory + "/" + entry.file
        // What cannot be looked at is not known to be gone.
        if (try? files.exists(path + SetAside.suffix)) != false { return true }
        return entry.file.hasPrefix("wal/") && (try? files.exists(path)) != false
    }

    /// Names of the files that are set aside, without the suffix.
    static func setAside(_ directory: String, _ files: any FileSystem) -> [String] {
        var result: [String] = []
        for folder in ["", "wal/"] {
            let names = (try? files.list(folder.isEmpty ? directory : directory + "/" + folder.dropLast())) ?? []
            for name in names.lazy.compactMap(SetAside.original) {
                // Others report the other files of the directory.
                if folder.isEmpty, !name.hasPrefix("checkpoint") { continue }
                result.append(folder + name)
            }
        }
        return Array(result.prefix(most))
    }

    // MARK: The file

    /// Reads the file of a directory; none is as good as an empty one.
    static func read(_ directory: String, _ files: any FileSystem) throws -> DamageNotes {
        let path = directory + "/" + fileName
        guard try files.exists(path) else { return DamageNotes() }
        func bad() -> BlockError { BlockError(file: path, section: "notes", offset: 0, reason: "no list of damage") }
        guard try files.status(path).size <= longest else { throw bad() }
        guard let value = try? JSONValue.parse(try files.read(path)), let list = value["damage"]?.array else {
            throw bad()
        }
        var result = DamageNotes()
        for item in list.prefix(most) {
            guard let file = item["file"]?.string, let kind = item["kind"]?.string.flatMap(LeftOutPart.Kind.init) else {
                throw bad()
            }
            func time(_ key: String) -> Int64? { item[key]?.number.flatMap { Int64(exactly: $0) } }
            var times: ClosedRange<Int64>?
            if let first = time("minTime"), let last = time("maxTime"), first <= last { times = first...last }
            result.add(Entry(file: file, kind: kind, found: time("found") ?? 0, times: times))
        }
        return result
    }

    /// Writes the file durably; without entries it goes.
    func write(_ directory: String, _ files: any FileSystem) throws(FileError) {
        let path = directory + "/" + Self.fileName
        if entries.isEmpty {
            if try files.exists(path) { try files.remove(path) }
            return
        }
        try files.replace(path, with: json())
    }

    func json() -> [UInt8] {
        var writer = JSONWriter()
        writer.object {
            $0.key("damage")
            $0.array { list in
                for entry in entries {
                    list.object {
                        $0.key("file")
                        $0.string(entry.file)
                        $0.key("kind")
                        $0.string(entry.kind.rawValue)
                        $0.key("found")
                        $0.integer(entry.found)
                        guard let times = entry.times else { return }
                        $0.key("minTime")
                        $0.integer(times.lowerBound)
                        $0.key("maxTime")
                        $0.integer(times.upperBound)
                    }
                }
            }
        }
        return writer.bytes + [0x0A]
    }
}
