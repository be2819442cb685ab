import Encoding
import Platform

/// A writer of the index file of a block, section by section.
struct BlockIndexWriter {
    private let file: any File
    /// The bytes that are not written yet.
    private var buffer: [UInt8]
    private let owner: BlockOwner
    private var written = 0
    private var contents: [UInt8] = []
    private var sections = 0
    /// The bytes from which on the buffer is written.
    private static let longestBuffer = 1 << 16

    init(_ file: any File, block: String) {
        self.file = file
        owner = BlockOwner(block)
        buffer = owner.header(BlockFormat.indexMagic)
    }

    private var size: Int { written &+ buffer.count }

    private mutating func flush() throws {
        try file.write(buffer)
        written &+= buffer.count
        buffer.removeAll(keepingCapacity: true)
    }

    private mutating func align() { while size % 8 != 0 { buffer.append(0) } }

    mutating func add(_ kind: BlockFormat.Section, _ bytes: [UInt8]) throws { try add(kind) { try $0(bytes) } }

    /// Adds a section of the bytes with which `body` calls the function that it gets.
    mutating func add(_ kind: BlockFormat.Section, _ body: (([UInt8]) throws -> Void) throws -> Void) throws {
        align()
        let start = size
        var checksum = owner.start(at: start)
        try body { bytes in
            checksum = bytes.withUnsafeBytes { CRC32C.hash($0, after: checksum) }
            // A long part is not copied.
            if buffer.count &+ bytes.count > Self.longestBuffer { try flush() }
            guard bytes.count < Self.longestBuffer else {
                try file.write(bytes)
                written &+= bytes.count
                return
            }
            buffer += bytes
        }
        contents.appendLittle(kind.rawValue)
        contents.appendLittle(checksum)
        contents.appendLittle(UInt64(start))
        contents.appendLittle(UInt64(size &- start))
        sections += 1
    }

    /// Writes the table of contents, which ends the file.
    mutating func finish() throws {
        align()
        let start = size
        buffer += contents
        buffer.appendLittle(UInt64(start))
        buffer.appendLittle(UInt32(sections))
        buffer.appendLittle(contents.withUnsafeBytes { CRC32C.hash($0, after: owner.start(at: start)) })
        buffer += BlockFormat.indexEnd
        try flush()
    }
}
