import Encoding
import Model

/// The constants of the block files; `docs/formats/` describes them.
enum BlockFormat {
    static let version: UInt32 = 1
    /// The version of the files whose checksums cover the name of their block.
    static let namedVersion: UInt32 = 2
    static let dataMagic = Array("MARTLETD".utf8)
    static let indexMagic = Array("MARTLETI".utf8)
    static let indexEnd = Array("MARTLETE".utf8)
    static let headerSize = 16
    static let frameMagic: UInt32 = 0x314D_5246
    static let frameHeaderSize = 24
    /// The bytes of a frame before compression and without its bits, unless one entry is larger.
    static let frameSize = 64 * 1024
    /// The most bytes of a frame before compression; larger sizes are damage.
    static let maxFrameSize = 64 << 20
    /// The most bytes of the labels of a series; longer labels do not fit into a page of series.
    static let maxLabelBytes = Labels.mostStoredBytes
    /// The interval of the series of a page that are written without reference to the previous series.
    static let restartInterval = 16
    /// The most bytes of a posting list in its page; longer lists are in other frames.
    static let inlinePostings = 4096
    /// The interval (ms) at whose multiples chunks end, so that the series of one target have chunks with equal times.
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
        /// The chunk is directly after the previous one.
        static let follows = 2
        /// A sized run of bytes follows, which this version skips.
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

/// The position and the description of a chunk.
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
