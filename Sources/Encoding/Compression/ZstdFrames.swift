import CZstd

/// The failure of a compression, with the library's reason.
public struct CompressionError: Error, Hashable, CustomStringConvertible {
    public var format: String
    public var reason: String

    public init(format: String, reason: String) {
        self.format = format
        self.reason = reason
    }

    public var description: String { "\(format): \(reason)" }

    /// The system grants no memory; this is not an error of the bytes.
    package static func outOfMemory(_ format: String) -> CompressionError {
        CompressionError(format: format, reason: "out of memory")
    }

    /// Whether this is ``outOfMemory(_:)``.
    package var isShortage: Bool { self == .outOfMemory(format) }
}

/// Compresses zstd frames with one reused context; not for several threads at once.
public final class ZstdCompressor {
    private let context: OpaquePointer

    public init() throws(CompressionError) {
        guard let context = ZSTD_createCCtx() else { throw .outOfMemory("zstd") }
        self.context = context
    }

    deinit { ZSTD_freeCCtx(context) }

    /// Appends `bytes` as one frame to `out`.
    public func compress(_ bytes: UnsafeRawBufferPointer, level: Int32, to out: inout [UInt8]) throws(CompressionError)
    {
        let target = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: ZSTD_compressBound(bytes.count))
        defer { target.deallocate() }
        let size = ZSTD_compressCCtx(context, target.baseAddress, target.count, bytes.baseAddress, bytes.count, level)
        guard ZSTD_isError(size) == 0 else {
            throw CompressionError(format: "zstd", reason: String(cString: ZSTD_getErrorName(size)))
        }
        out.append(contentsOf: UnsafeBufferPointer(rebasing: target[..<size]))
    }
}

extension ZstdCompressor {
    /// Appends `bytes` as one frame to `out`, with new statistics at each of the ascending offsets `cuts`.
    public func compress(
        _ bytes: UnsafeRawBufferPointer, level: Int32, cuts: [Int], to out: inout [UInt8]
    ) throws(CompressionError) {
        try check(ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters))
        try check(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level))
        // Short matches of symbols cost more than the symbols.
        try check(ZSTD_CCtx_setParameter(context, ZSTD_c_minMatch, 5))
        // If the size is known, tables and window are as small as the frame.
        try check(ZSTD_CCtx_setPledgedSrcSize(context, UInt64(bytes.count)))
        // Each cut ends a block of the format, which has a header of 3 bytes.
        let bound = ZSTD_compressBound(bytes.count) &+ 8 &* (cuts.count &+ 1)
        let target = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bound)
        defer { target.deallocate() }
        var output = ZSTD_outBuffer(dst: target.baseAddress, size: bound, pos: 0)
        var at = 0
        for end in cuts + [bytes.count] where end > at || end == bytes.count {
            var input = ZSTD_inBuffer(src: bytes.baseAddress, size: min(end, bytes.count), pos: at)
            let step = end == bytes.count ? ZSTD_e_end : ZSTD_e_flush
            let rest = ZSTD_compressStream2(context, &output, &input, step)
            at = input.pos
            try check(rest)
            guard rest == 0 else { throw CompressionError(format: "zstd", reason: "the buffer was too small") }
        }
        out.append(contentsOf: UnsafeBufferPointer(rebasing: target[..<output.pos]))
    }

    private func check(_ status: Int) throws(CompressionError) {
        if ZSTD_isError(status) != 0 {
            throw CompressionError(format: "zstd", reason: String(cString: ZSTD_getErrorName(status)))
        }
    }
}

/// Decompresses zstd frames with one reused context; not for several threads at once.
public final class ZstdDecompressor {
    private let context: OpaquePointer

    public init() throws(CompressionError) {
        guard let context = ZSTD_createDCtx() else { throw .outOfMemory("zstd") }
        self.context = context
    }

    deinit { ZSTD_freeDCtx(context) }

    /// Decompresses one or more frames that fill `target` exactly.
    public func decompress(_ bytes: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer)
        throws(CompressionError)
    {
        let size = ZSTD_decompressDCtx(context, target.baseAddress, target.count, bytes.baseAddress, bytes.count)
        guard ZSTD_isError(size) == 0 else {
            throw CompressionError(format: "zstd", reason: String(cString: ZSTD_getErrorName(size)))
        }
        guard size == target.count else {
            throw CompressionError(format: "zstd", reason: "expected \(target.count) bytes, found \(size)")
        }
    }

    /// Decompresses frames of unknown size; more than `limit` bytes are an error.
    public func decompress(_ bytes: UnsafeRawBufferPointer, limit: Int) throws(CompressionError) -> [UInt8] {
        ZSTD_DCtx_reset(context, ZSTD_reset_session_only)
        var out: [UInt8] = []
        var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
        var chunk = [UInt8](repeating: 0, count: ZSTD_DStreamOutSize())
        var pending = 0
        while true {
            var produced = 0
            let before = input.pos
            let status = chunk.withUnsafeMutableBytes { target in
                var output = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
                let status = ZSTD_decompressStream(context, &output, &input)
                produced = output.pos
                return status
            }
            guard ZSTD_isError(status) == 0 else {
                throw CompressionError(format: "zstd", reason: String(cString: ZSTD_getErrorName(status)))
            }
            guard out.count &+ produced <= limit else {
                throw CompressionError(format: "zstd", reason: "more than \(limit) bytes")
            }
            out += chunk[..<produced]
            pending = status
            if input.pos >= input.size, produced < chunk.count { break }
            if input.pos == before, produced == 0 { break }
        }
        guard pending == 0 else { throw CompressionError(format: "zstd", reason: "the data ends early") }
        return out
    }
}
