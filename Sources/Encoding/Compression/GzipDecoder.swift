import CZlib

/// The error of a gzip stream that cannot be decompressed, in the words of Go's reader.
public enum GzipFailure: Error, Equatable, CustomStringConvertible {
    case empty
    case endsEarly
    case invalidHeader
    case invalidChecksum
    case corrupt(offset: Int)
    /// The caller refused more output.
    case stopped
    case outOfMemory

    public var description: String {
        switch self {
        case .empty: "EOF"
        case .endsEarly: "unexpected EOF"
        case .invalidHeader: "gzip: invalid header"
        case .invalidChecksum: "gzip: invalid checksum"
        case .corrupt(let offset): "flate: corrupt input before offset \(offset)"
        case .stopped: "gzip: stopped"
        case .outOfMemory: "gzip: out of memory"
        }
    }
}

/// Decompresses gzip as Go's reader does: all members, each with its checksum and length verified; other bytes after a
/// member are an error.
///
/// It reuses zlib's state for the next stream. One thread uses it at a time.
public final class GzipDecoder {
    private static let step = 1 << 16
    /// The bytes by which the output grows if there is no memory for more.
    private static let shortStep = 1 << 20
    /// The bytes of input without output after which the caller is asked whether to continue.
    private static let mostSilent = 1 << 16
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private let buffer = UnsafeMutablePointer<UInt8>.allocate(capacity: step)
    private var isReady = false
    /// The bytes of input since the last output.
    private var silent = 0

    public init() { stream.initialize(to: z_stream()) }

    deinit {
        if isReady { inflateEnd(stream) }
        stream.deallocate()
        buffer.deallocate()
    }

    /// Appends the decompressed bytes to `out`.
    ///
    /// - Parameters:
    ///   - mayGrow: Called before each part with the resulting size of `out`, and repeatedly with the current size while
    ///     input has no output, because a stream can have any number of empty parts. False stops.
    ///   - canAllocate: Called with the bytes of a larger buffer for `out`. False is ``GzipFailure/outOfMemory``.
    public func decode(
        _ bytes: UnsafeRawBufferPointer, into out: inout [UInt8], canAllocate: (_ bytes: Int) -> Bool = { _ in true },
        mayGrow: (_ size: Int) -> Bool
    ) throws(GzipFailure) {
        guard !bytes.isEmpty else { throw .empty }
        var position = 0
        silent = 0
        while position < bytes.count {
            let start = position
            position = try Self.skipHeader(bytes, from: position)
            silent += position - start
            position = try inflateMember(bytes, from: position, into: &out, canAllocate, mayGrow)
        }
    }

    /// Returns the position after a member's header.
    private static func skipHeader(_ bytes: UnsafeRawBufferPointer, from start: Int) throws(GzipFailure) -> Int {
        guard bytes.count - start >= 10 else { throw .endsEarly }
        guard bytes[start] == 0x1F, bytes[start + 1] == 0x8B, bytes[start + 2] == 8 else { throw .invalidHeader }
        let flags = bytes[start + 3]
        var position = start + 10
        if flags & 4 != 0 {
            guard bytes.count - position >= 2 else { throw .endsEarly }
            let length = Int(bytes[position]) | Int(bytes[position + 1]) << 8
            guard bytes.count - position - 2 >= length else { throw .endsEarly }
            position += 2 + length
        }
        for flag in [UInt8(8), 16] where flags & flag != 0 {
            // Go's reader limits names and comments to 512 bytes.
            guard let end = bytes[position...].prefix(512).firstIndex(of: 0) else {
                throw bytes.count - position >= 512 ? .invalidHeader : .endsEarly
            }
            position = end + 1
        }
        if flags & 2 != 0 {
            guard bytes.count - position >= 2 else { throw .endsEarly }
            let stored = UInt(bytes[position]) | UInt(bytes[position + 1]) << 8
            guard checksum(UnsafeRawBufferPointer(rebasing: bytes[start..<position])) & 0xFFFF == stored else {
                throw .invalidHeader
            }
            position += 2
        }
        return position
    }

    private static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt {
        crc32_z(0, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count)
    }

    /// Inflates the deflate stream at `start`, verifies the trailer, and returns the position after it.
    private func inflateMember(
        _ bytes: UnsafeRawBufferPointer, from start: Int, into out: inout [UInt8], _ canAllocate: (Int) -> Bool,
        _ mayGrow: (Int) -> Bool
    ) throws(GzipFailure) -> Int {
        guard isReady ? inflateReset(stream) == Z_OK : czlib_inflate_init_raw(stream) == Z_OK else {
            throw .outOfMemory
        }
        isReady = true
        let source = UnsafeMutableRawPointer(mutating: bytes.baseAddress)?.assumingMemoryBound(to: UInt8.self)
        var position = start
        var sum: UInt = 0
        var length: UInt32 = 0
        while true {
            let offered = min(bytes.count - position, Self.step)
            stream.pointee.next_in = source?.advanced(by: position)
            stream.pointee.avail_in = UInt32(offered)
            stream.pointee.next_out = buffer
            stream.pointee.avail_out = UInt32(Self.step)
            let status = inflate(stream, Z_NO_FLUSH)
            let used = offered - Int(stream.pointee.avail_in)
            position += used
            silent += used
            let produced = Self.step - Int(stream.pointee.avail_out)
            if produced > 0 {
                silent = 0
                guard mayGrow(out.count + produced) else { throw .stopped }
                sum = crc32_z(sum, buffer, produced)
                length &+= UInt32(produced)
                try Self.reserve(out.count + produced, in: &out, canAllocate)
                out.append(contentsOf: UnsafeBufferPointer(start: buffer, count: produced))
            }
            if silent > Self.mostSilent {
                silent = 0
                guard mayGrow(out.count) else { throw .stopped }
            }
            switch status {
            case Z_STREAM_END:
                guard bytes.count - position >= 8 else { throw .endsEarly }
                guard UInt(Self.word(bytes, position)) == sum, Self.word(bytes, position + 4) == length else {
                    throw .invalidChecksum
                }
                return position + 8
            case Z_OK: if position == bytes.count, produced == 0 { throw .endsEarly }
            case Z_BUF_ERROR: throw .endsEarly
            case Z_MEM_ERROR: throw .outOfMemory
            default: throw .corrupt(offset: position - start)
            }
        }
    }

    /// Makes the buffer large enough for `size` bytes.
    ///
    /// An array that grows by itself doubles, and ends the process if there is no memory for that.
    private static func reserve(
        _ size: Int, in out: inout [UInt8], _ canAllocate: (Int) -> Bool
    ) throws(GzipFailure) {
        guard size > out.capacity else { return }
        for capacity in [max(size, out.capacity + out.capacity / 2), size + shortStep] where canAllocate(capacity) {
            return out.reserveCapacity(capacity)
        }
        throw .outOfMemory
    }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ position: Int) -> UInt32 {
        assert(position >= 0 && position + 4 <= bytes.count)
        return UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self))
    }
}
