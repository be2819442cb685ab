import Encoding
import Model
import Platform

/// A reader of the frames of a block's data file, which checks each frame.
final class BlockFrames: Sendable {
    let path: String
    private let file: any File
    private let owner: BlockOwner
    private let table: [(offset: UInt64, stored: UInt32, raw: UInt32)]
    private let number = FrameCache.newBlockNumber()
    private let cache: FrameCache

    init(_ file: any File, table: [(offset: UInt64, stored: UInt32, raw: UInt32)], cache: FrameCache) throws {
        path = file.path
        self.file = file
        self.table = table
        self.cache = cache
        var header = [UInt8](repeating: 0, count: BlockFormat.headerSize)
        let got = try header.withUnsafeMutableBytes { buffer throws(FileError) in try file.read(at: 0, into: buffer) }
        let block = FilePath.name(FilePath.parent(path))
        guard let owner = BlockOwner(header: header[..<got], BlockFormat.dataMagic, block: block) else {
            throw BlockError(file: path, section: "header", offset: 0, reason: BlockOwner.refusal)
        }
        self.owner = owner
    }

    /// Another reader of the same file.
    convenience init(_ other: BlockFrames, cache: FrameCache) throws {
        try self.init(other.file, table: other.table, cache: cache)
    }

    deinit { cache.remove(block: number) }

    /// A number that no other reader had or has.
    var identity: UInt64 { number }

    /// The number of frames.
    var count: Int { table.count }

    /// The position after the last frame, bytes.
    var end: Int {
        table.reduce(BlockFormat.headerSize) {
            max($0, Int(clamping: $1.offset &+ UInt64($1.stored) &+ UInt64(BlockFormat.frameHeaderSize)))
        }
    }

    func damage(_ frame: UInt32, _ reason: String) -> BlockError {
        let offset = Int(frame) < table.count ? Int(truncatingIfNeeded: table[Int(frame)].offset) : 0
        return BlockError(file: path, section: "frame \(frame)", offset: offset, reason: reason)
    }

    /// Returns the content of a frame, from the cache or from disk.
    func read(_ frame: UInt32, _ kind: BlockFormat.FrameKind) throws -> Frame {
        var cost = ReadCost()
        return try read(frame, kind, &cost)
    }

    /// The same, and adds to the counters of `cost`.
    func read(_ frame: UInt32, _ kind: BlockFormat.FrameKind, _ cost: inout ReadCost) throws -> Frame {
        let key = FrameCache.Key(block: number, frame: frame)
        if let known = cache.find(key) {
            cost.cacheHits &+= 1
            return known
        }
        cost.cacheMisses &+= 1
        let loaded = try load(frame, kind)
        cache.insert(key, loaded)
        return loaded
    }

    private func load(_ frame: UInt32, _ kind: BlockFormat.FrameKind) throws -> Frame {
        guard Int(frame) < table.count else { throw damage(frame, "the block has \(table.count) frames") }
        let entry = table[Int(frame)]
        guard entry.raw <= BlockFormat.maxFrameSize, entry.stored <= BlockFormat.maxFrameSize,
            entry.offset < UInt64(Int.max)
        else { throw damage(frame, "a frame of \(entry.raw) bytes is too large") }
        let total = Int(entry.stored) + BlockFormat.frameHeaderSize
        let stored = UnsafeMutableRawBufferPointer.allocate(byteCount: total, alignment: 8)
        defer { stored.deallocate() }
        guard try file.read(at: Int(entry.offset), into: stored) == total else {
            throw damage(frame, "the file ends early")
        }
        var header = ByteReader(UnsafeRawBufferPointer(stored))
        let (magic, type, codec) = (try header.u32(), try header.byte(), try header.byte())
        _ = try header.u16()
        let (raw, bits, size) = (try header.u32(), try header.u32(), try header.u32())
        let checksum = try header.u32()
        guard magic == BlockFormat.frameMagic, raw == entry.raw, size == entry.stored, bits <= size else {
            throw damage(frame, "expected a frame header")
        }
        let start = owner.start(at: Int(entry.offset))
        guard FrameWriter.checksum(UnsafeRawBufferPointer(stored), from: start) == checksum else {
            throw damage(frame, "the checksum does not match")
        }
        guard type == kind.rawValue, codec <= 1 else { throw damage(frame, "expected a frame of \(kind)") }
        let content = UnsafeRawBufferPointer(stored)[BlockFormat.frameHeaderSize..<(total - Int(bits))]
        let target = UnsafeMutableRawBufferPointer.allocate(byteCount: max(Int(raw) + Int(bits), 1), alignment: 8)
        let whole = UnsafeMutableRawBufferPointer(rebasing: target[..<Int(raw)])
        do {
            if codec == 0 {
                guard content.count == whole.count else { throw damage(frame, "the sizes do not match") }
                whole.copyMemory(from: UnsafeRawBufferPointer(rebasing: content))
            } else {
                try cache.decompress(UnsafeRawBufferPointer(rebasing: content), into: whole)
            }
        } catch {
            target.deallocate()
            if error is BlockError || StorageError.shortage(error) != nil { throw error }
            throw damage(frame, "\(error)")
        }
        let tail = UnsafeMutableRawBufferPointer(rebasing: target[Int(raw)..<(Int(raw) + Int(bits))])
        tail.copyMemory(from: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(stored)[(total - Int(bits))...]))
        return Frame(UnsafeRawBufferPointer(target), size: Int(raw), bits: Int(bits))
    }

    /// Reads a frame without the cache.
    func verify(_ frame: UInt32) throws {
        for kind in [BlockFormat.FrameKind.values, .times, .series, .symbols, .postings] {
            do {
                _ = try load(frame, kind)
                break
            } catch let error as BlockError {
                if kind == .postings || !error.reason.hasPrefix("expected a frame of") { throw error }
            }
        }
    }
}
