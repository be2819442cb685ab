import Encoding
import Platform

/// The index file of a block, read once and checked: small tables that map series and labels to frames.
struct BlockIndex: Sendable {
    var frames: [(offset: UInt64, stored: UInt32, raw: UInt32)] = []
    /// The frame of each page of series, and the rank of its first series.
    var seriesPages: [(frame: UInt32, first: UInt32)] = []
    /// Label names, ascending bytewise.
    var names: [[UInt8]] = []
    /// The pages of labels: the frame, and the name and value of its first label.
    var symbolPages: [(frame: UInt32, name: Int, value: [UInt8])] = []
    var seriesCount = 0
    var chunkCount = 0
    var sampleCount = 0
    var minTime: Int64 = 0
    var maxTime: Int64 = 0
    var baseTime: Int64 = 0
    /// The section of ``BlockMetadata``, compressed; empty if there is none.
    var metadata: [UInt8] = []

    /// The bytes of the names and values that are kept in memory.
    var symbolBytes: Int { names.reduce(0) { $0 + $1.count } + symbolPages.reduce(0) { $0 + $1.value.count + 16 } }

    /// The most bytes of an index.
    private static let longest = 1 << 31

    init(_ files: any FileSystem, _ path: String) throws {
        func bad(_ section: String, _ offset: Int, _ reason: String) -> BlockError {
            BlockError(file: path, section: section, offset: offset, reason: reason)
        }
        // A large file with little content is recognized by its end before it is read.
        let size = try files.status(path).size
        guard try FileEnd.read(path, BlockFormat.indexEnd.count, files) == BlockFormat.indexEnd else {
            throw bad("footer", size, "the file ends early")
        }
        let content = try files.content(path, section: "index", limit: Self.longest)
        // The sections are copied.
        try MemoryRequest().ask(content.count, for: "an index")
        let block = FilePath.name(FilePath.parent(path))
        let header = content.prefix(BlockFormat.headerSize)
        guard let owner = BlockOwner(header: header, BlockFormat.indexMagic, block: block) else {
            throw bad("header", 0, BlockOwner.refusal)
        }
        func isWhole(_ part: Slice<UnsafeRawBufferPointer>, _ checksum: UInt32) -> Bool {
            let start = owner.start(at: part.startIndex)
            return CRC32C.hash(UnsafeRawBufferPointer(rebasing: part), after: start) == checksum
        }
        let tail = BlockFormat.indexEnd.count + 16
        guard content.count >= BlockFormat.headerSize + tail, content.suffix(8).elementsEqual(BlockFormat.indexEnd)
        else { throw bad("footer", content.count, "the file ends early") }
        try content.withUnsafeBytes { bytes in
            do {
                var footer = ByteReader(bytes, at: bytes.count - tail)
                let start = Int(clamping: try footer.u64())
                let number = Int(try footer.u32())
                let checksum = try footer.u32()
                guard start <= bytes.count - tail, number <= 1000, bytes.count - tail - start == number * 24,
                    isWhole(bytes[start..<(bytes.count - tail)], checksum)
                else { throw bad("footer", bytes.count - tail, "the checksum does not match") }
                var contents = ByteReader(bytes, at: start)
                for _ in 0..<number {
                    let (kind, checksum) = (try contents.u32(), try contents.u32())
                    let (offset, size) = (Int(clamping: try contents.u64()), Int(clamping: try contents.u64()))
                    guard offset <= start, size <= start - offset else {
                        throw bad("section \(kind)", offset, "it does not lie within the file")
                    }
                    let section = UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + size)])
                    guard isWhole(bytes[offset..<(offset + size)], checksum) else {
                        throw bad("section \(kind)", offset, "the checksum does not match")
                    }
                    // Unknown sections are from later versions, and optional.
                    guard let kind = BlockFormat.Section(rawValue: kind) else { continue }
                    do throws(DecodeError) {
                        try read(kind, section)
                    } catch { throw bad("section \(kind)", offset + error.offset, "expected \(error.expected)") }
                }
            } catch let error as DecodeError {
                throw bad("footer", error.offset, "expected \(error.expected)")
            }
        }
        // A series needs at least one byte.
        let most = seriesPages.reduce(0) {
            $0
                &+ (Int($1.frame) < frames.count
                    ? Int(min(frames[Int($1.frame)].raw, UInt32(BlockFormat.maxFrameSize))) : 0)
        }
        guard seriesCount <= most else { throw bad("section stats", 0, "\(seriesCount) series do not fit") }
        var before: UInt32 = 0
        for page in seriesPages {
            guard page.first >= before, Int(page.first) <= seriesCount else {
                throw bad("section seriesPages", 0, "ranks are not ascending")
            }
            before = page.first
        }
    }

    private mutating func read(_ kind: BlockFormat.Section, _ bytes: UnsafeRawBufferPointer) throws(DecodeError) {
        var reader = ByteReader(bytes)
        switch kind {
        case .frames:
            frames.reserveCapacity(bytes.count / 16)
            while !reader.isAtEnd { frames.append((try reader.u64(), try reader.u32(), try reader.u32())) }
        case .seriesPages:
            while !reader.isAtEnd { seriesPages.append((try reader.u32(), try reader.u32())) }
        case .labelNames:
            for _ in 0..<(try reader.count(bytes.count)) { names.append(Array(try reader.sizedRun())) }
        case .symbolPages:
            for _ in 0..<(try reader.count(bytes.count)) {
                let frame = UInt32(truncatingIfNeeded: try reader.count())
                let name = try reader.count()
                symbolPages.append((frame, name, Array(try reader.sizedRun())))
            }
        case .stats:
            seriesCount = Int(clamping: min(try reader.u64(), UInt64(UInt32.max)))
            chunkCount = Int(clamping: try reader.u64())
            sampleCount = Int(clamping: try reader.u64())
            minTime = Int64(bitPattern: try reader.u64())
            maxTime = Int64(bitPattern: try reader.u64())
            baseTime = Int64(bitPattern: try reader.u64())
        case .metadata: metadata = Array(bytes)
        }
    }

    /// The number of a label name; nil if the block does not have it.
    func name(_ wanted: [UInt8]) -> Int? {
        var (low, high) = (0, names.count)
        while low < high {
            let middle = (low + high) / 2
            if names[middle].lexicographicallyPrecedes(wanted) { low = middle + 1 } else { high = middle }
        }
        return low < names.count && names[low] == wanted ? low : nil
    }

    /// The page that has, or would have, the label of name `name` and value `value`.
    func symbolPage(name: Int, value: [UInt8]) -> Int {
        var (low, high) = (0, symbolPages.count)
        while low < high {
            let middle = (low + high) / 2
            let page = symbolPages[middle]
            let isBehind = page.name > name || page.name == name && value.lexicographicallyPrecedes(page.value)
            if isBehind { high = middle } else { low = middle + 1 }
        }
        return max(low - 1, 0)
    }
}
