import Encoding

/// The owner of a file in its checksums, so that the file of another block, or a part of it, is not taken for its own.
struct BlockOwner: Sendable {
    /// The name of the block; nil in files of version 1, which do not say it.
    private let name: String?

    /// The owner of a new file of block `name`.
    init(_ name: String) { self.name = name }

    /// Reads the header of a file of block `name`.
    ///
    /// - Returns: Nil if it is of another block, or no header.
    init?(header: ArraySlice<UInt8>, _ magic: [UInt8], block name: String) {
        if header.elementsEqual(BlockFormat.fileHeader(magic)) {
            self.name = nil
        } else if header.elementsEqual(BlockOwner(name).header(magic)) {
            self.name = name
        } else {
            return nil
        }
    }

    /// The header of a file.
    func header(_ magic: [UInt8]) -> [UInt8] {
        guard name != nil else { return BlockFormat.fileHeader(magic) }
        var bytes = magic
        bytes.appendLittle(BlockFormat.namedVersion)
        bytes.appendLittle(start)
        return bytes
    }

    /// The start of a checksum.
    var start: UInt32 { CRC32C.hash(Array((name ?? "").utf8)) }

    /// The start of the checksum of what is at a place of the file, so that it is not taken for what is elsewhere.
    func start(at offset: Int) -> UInt32 {
        guard name != nil else { return start }
        var bytes: [UInt8] = []
        bytes.appendLittle(UInt64(offset))
        return bytes.withUnsafeBytes { CRC32C.hash($0, after: start) }
    }

    /// The reason why a file is refused whose header is none of the block's.
    static let refusal = "it is of another block, or no martlet file of version 1 or \(BlockFormat.namedVersion)"
}
