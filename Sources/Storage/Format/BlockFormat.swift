import Encoding

/// Constants of the block files; `docs/formats/` describes them.
enum BlockFormat {
    static let version: UInt32 = 1
    static let dataMagic = Array("MARTLETD".utf8)
    static let indexMagic = Array("MARTLETI".utf8)
    static let indexEnd = Array("MARTLETE".utf8)
    static let headerSize = 16
    static let frameMagic: UInt32 = 0x314D_5246
    static let frameHeaderSize = 24
    /// Bytes of a frame before compression and without its bits, if nothing in it is larger.
    static let frameSize = 64 * 1024
    /// No frame is larger than this before compression; larger sizes are damage.
    static let maxFrameSize = 64 << 20
    /// Longer labels of one series do not fit into a page of series.
    static let maxLabelBytes = 48 << 20
    /// Every so many series of a page are written without reference to the one before.
    static let restartInterval = 16
    /// Posting lists of more bytes leave their page.
    static let inlinePostings = 4096
    /// Chunks end at multiples of this time (ms), so that series of one target cut their times alike.
    static let chunkWindow: Int64 = 8 * 3_600_000
    static let maxChunkSamples = 2048

    enum FrameKind: UInt8 {
        case values = 1
        case times = 2
        case series = 3
        case symbols = 4
        case postings = 5
    }

    enum Section: UInt32 {
        case frames = 1
        case seriesPages = 2
        case labelNames = 3
        case symbolPages = 4
        case stats = 5
        /// See ``BlockMetadata``; optional.
        case metadata = 6
    }

    enum ChunkFlag {
        static let histograms = 1
        /// The chunk lies directly behind the one before.
        static let follows = 2
        /// A sized run of bytes follows that this version skips.
        static let isExtended = 4
        static let known = 7
    }

    static func fileHeader(_ magic: [UInt8]) -> [UInt8] {
        var bytes = magic
        bytes.appendLittle(version)
        bytes.appendLittle(0 as UInt32)
        return bytes
    }
}

/// Where a chunk is, and what is in it.
package struct ChunkRef: Sendable, Hashable {
    package var minTime: Int64
    package var maxTime: Int64
    package var count: Int32
    package var isHistogram: Bool
    package var frame: UInt32
    package var offset: UInt32
    package var length: UInt32
    package var timesFrame: UInt32
    package var timesOffset: UInt32
}
