import JSON
import Platform

/// The description of a block in `meta.json`.
package struct BlockMeta: Sendable, Hashable {
    /// An identifier of 26 characters, which ascends with the time of making; also the name of the directory.
    package var id: String
    /// The first time in the block, ms.
    package var minTime: Int64
    /// The last time in the block, ms, inclusive.
    package var maxTime: Int64
    package var seriesCount: Int
    package var chunkCount: Int
    package var sampleCount: Int
    /// 1 for blocks made from the head; a merge adds 1 to the highest level of its sources.
    package var level: Int
    /// The newest blocks of level 1 from which this block was made, at most ``mostSources``.
    package var sources: [String]
    /// The blocks that were merged to this block.
    var parents: [String]

    /// The most sources that a block names: each snapshot makes a source, and a description has a limited size.
    static let mostSources = 4096

    package init(
        id: String, minTime: Int64 = 0, maxTime: Int64 = 0, seriesCount: Int = 0, chunkCount: Int = 0,
        sampleCount: Int = 0, level: Int = 1, sources: [String] = [], parents: [String] = []
    ) {
        self.id = id
        self.minTime = minTime
        self.maxTime = maxTime
        self.seriesCount = seriesCount
        self.chunkCount = chunkCount
        self.sampleCount = sampleCount
        self.level = level
        self.sources = sources
        self.parents = parents
    }

    /// The sources that a merge of blocks names.
    static func sources(ofMerge blocks: [BlockMeta]) -> [String] {
        Set(blocks.flatMap(\.sources)).sorted().suffix(mostSources)
    }

    /// Whether a block has all samples of another one, from which it was made.
    func replaces(_ other: BlockMeta) -> Bool {
        id != other.id && level > other.level
            && (parents.contains(other.id) || Set(sources).isSuperset(of: other.sources))
    }

    /// A new identifier: 48 bits of time and 80 random bits in Crockford's base 32 (ULID).
    package static func makeID(now: Int64) -> String {
        var text: [UInt8] = []
        let time = UInt64(truncatingIfNeeded: max(now, 0))
        for i in 0..<10 { text.append(alphabet[Int(time >> UInt64(45 - 5 * i) & 31)]) }
        for _ in 0..<16 { text.append(alphabet[Int(UInt8.random(in: 0..<32))]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The time in an identifier, ms; nil if it is none.
    static func time(ofID name: String) -> Int64? {
        var time: Int64 = 0
        for byte in name.utf8.prefix(10) {
            guard let digit = alphabet.firstIndex(of: byte) else { return nil }
            time = time << 5 | Int64(digit)
        }
        return name.utf8.count == 26 && time <= latestTimeOfID ? time : nil
    }

    /// The digits of identifiers.
    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)
    /// The latest time of an identifier, ms.
    private static let latestTimeOfID: Int64 = 1 << 48 - 1

    /// Whether `name` has the form of an identifier.
    package static func isID(_ name: String) -> Bool {
        name.utf8.count == 26
            && name.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 || $0 >= 0x41 && $0 <= 0x5A }
    }

    /// The text of `meta.json`.
    package func json() -> [UInt8] {
        var writer = JSONWriter()
        writer.object {
            $0.key("version")
            $0.integer(Int(BlockFormat.version))
            $0.key("ulid")
            $0.string(id)
            $0.key("minTime")
            $0.integer(minTime)
            $0.key("maxTime")
            $0.integer(maxTime)
            $0.key("stats")
            $0.object {
                $0.key("numSamples")
                $0.integer(sampleCount)
                $0.key("numSeries")
                $0.integer(seriesCount)
                $0.key("numChunks")
                $0.integer(chunkCount)
            }
            $0.key("compaction")
            $0.object {
                $0.key("level")
                $0.integer(level)
                $0.key("sources")
                $0.array { list in for source in sources { list.string(source) } }
                guard !parents.isEmpty else { return }
                $0.key("parents")
                $0.array { list in
                    for parent in parents {
                        list.object {
                            $0.key("ulid")
                            $0.string(parent)
                        }
                    }
                }
            }
        }
        return writer.bytes + [0x0A]
    }

    /// Reads `meta.json` of the block in `directory`.
    package static func read(_ files: any FileSystem, _ directory: String) throws -> BlockMeta {
        let path = directory + "/meta.json"
        let content = try files.content(path, section: "metadata", limit: 1 << 24)
        func bad(_ reason: String) -> BlockError {
            BlockError(file: path, section: "metadata", offset: 0, reason: reason)
        }
        let value: JSONValue
        do { value = try JSONValue.parse(content) } catch { throw bad("\(error)") }
        guard value["version"]?.number == Double(BlockFormat.version) else {
            throw bad("version \(value["version"]?.number ?? 0) is not supported, only \(BlockFormat.version)")
        }
        func integer(_ value: JSONValue?) throws -> Int64 {
            guard let number = value?.number, let exact = Int64(exactly: number) else {
                throw bad("a number is missing")
            }
            return exact
        }
        guard let id = value["ulid"]?.string, isID(id) else { throw bad("no block identifier") }
        // The manifest names blocks by their directories.
        guard id == FilePath.name(directory) else { throw bad("it is of another block, \(id)") }
        let stats = value["stats"]
        return BlockMeta(
            id: id, minTime: try integer(value["minTime"]), maxTime: try integer(value["maxTime"]),
            seriesCount: Int(try integer(stats?["numSeries"])), chunkCount: Int(try integer(stats?["numChunks"])),
            sampleCount: Int(try integer(stats?["numSamples"])),
            level: Int(try integer(value["compaction"]?["level"])),
            sources: value["compaction"]?["sources"]?.array?.compactMap(\.string) ?? [],
            parents: (value["compaction"]?["parents"]?.array ?? []).compactMap { $0["ulid"]?.string })
    }
}
