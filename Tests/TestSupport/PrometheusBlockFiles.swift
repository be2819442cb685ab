import Platform

/// A block of Prometheus made of given parts, each behind the checksum that is right for it.
public struct PrometheusBlockFiles: Sendable {
    public var version: UInt8 = 2
    /// The content of the table of symbols.
    public var symbols: [UInt8] = []
    /// The content of each entry of the table of series.
    public var series: [[UInt8]] = []
    /// The content of the list of all series; nil for one that names ``series``.
    public var all: [UInt8]?
    /// The content of the table of posting lists; nil for one that names the list of all series.
    public var table: [UInt8]?
    /// Encoding and data of each chunk, one behind the other from byte 8 of the first file on.
    public var chunks: [[UInt8]] = []
    /// What `tombstones` holds; nil for no such file.
    public var tombstones: [UInt8]?

    public init() {}

    /// A block of one series with one chunk; `chunk` begins with its encoding.
    public static func one(chunk: [UInt8]) -> PrometheusBlockFiles {
        var block = PrometheusBlockFiles()
        var symbols = PrometheusBytes()
        let texts = ["", "__name__", "a", "b", "m"]
        symbols.big32(UInt32(texts.count))
        for text in texts { symbols.text(text) }
        block.symbols = symbols.bytes
        var entry = PrometheusBytes()
        // The labels a="b" and __name__="m", then the chunk: first time, duration, place.
        for number: UInt64 in [2, 1, 4, 2, 3, 1] { entry.varint(number) }
        entry.zigzag(1000)
        entry.varint(60_000)
        entry.varint(8)
        block.series = [entry.bytes]
        block.chunks = [chunk]
        var tombstones = PrometheusBytes()
        tombstones.varint(2)
        tombstones.zigzag(1_000_000)
        tombstones.zigzag(2_000_000)
        block.tombstones = tombstones.bytes
        return block
    }

    private static func section(_ content: [UInt8]) -> [UInt8] {
        var section = PrometheusBytes()
        section.big32(UInt32(truncatingIfNeeded: content.count))
        section.run(content)
        section.big32(castagnoli(content))
        return section.bytes
    }

    private var index: [UInt8] {
        var index = PrometheusBytes([0xBA, 0xAA, 0xD7, 0x00, version])
        var places: [UInt32] = []
        index.run(Self.section(symbols))
        let seriesAt = index.bytes.count
        for entry in series {
            while index.bytes.count % 16 > 0 { index.byte(0) }
            places.append(UInt32(index.bytes.count / (version == 1 ? 1 : 16)))
            index.varint(UInt64(entry.count))
            index.run(entry)
            index.big32(castagnoli(entry))
        }
        let allAt = index.bytes.count
        var list = PrometheusBytes()
        list.big32(UInt32(places.count))
        for place in places { list.big32(place) }
        index.run(Self.section(all ?? list.bytes))
        let labelsAt = index.bytes.count
        index.run(Self.section([0, 0, 0, 0]))
        let tableAt = index.bytes.count
        var entries = PrometheusBytes()
        entries.big32(1)
        entries.varint(2)
        entries.text("")
        entries.text("")
        entries.varint(UInt64(allAt))
        index.run(Self.section(table ?? entries.bytes))
        var contents = PrometheusBytes()
        for place in [5, seriesAt, allAt, labelsAt, allAt, tableAt] { contents.big64(UInt64(place)) }
        index.run(contents.bytes)
        index.big32(castagnoli(contents.bytes))
        return index.bytes
    }

    /// Writes the files into `directory`; `index` instead of the one that the parts make.
    public func write(_ files: any FileSystem, _ directory: String, index raw: [UInt8]? = nil) throws(FileError) {
        try files.createDirectory(directory + "/chunks")
        let meta = """
            {"ulid":"01MCC5RM00EFG9F5HRETGMBGVJ","minTime":-4000000000000000,"maxTime":4000000000000000,"version":1}
            """
        var content = PrometheusBytes([0x85, 0xBD, 0x40, 0xDD, 1, 0, 0, 0])
        for chunk in chunks {
            content.varint(UInt64(max(0, chunk.count - 1)))
            content.run(chunk)
            content.big32(castagnoli(chunk))
        }
        try files.replace(directory + "/meta.json", with: Array(meta.utf8))
        try files.replace(directory + "/index", with: raw ?? index)
        try files.replace(directory + "/chunks/000001", with: content.bytes)
        guard let tombstones else { return }
        var file = PrometheusBytes([0x01, 0x30, 0xBA, 0x30, 1])
        file.run(tombstones)
        file.big32(castagnoli(tombstones))
        try files.replace(directory + "/tombstones", with: file.bytes)
    }
}
