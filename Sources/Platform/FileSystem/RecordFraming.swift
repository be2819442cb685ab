import CPlatform

/// The framing of the records of an append-only file: it writes frames, finds whole ones, and searches for the next one
/// after damage.
///
///     header: … length of the content (4) · CRC-32C (4) · content
///
/// Numbers are little-endian. The write-ahead log, the checkpoint, the manifest and the notification log have such frames;
/// they differ in what else the header has.
public struct RecordFraming: Sendable {
    /// Bytes of the header in front of the length.
    ///
    /// With them, the checksum is of the header, too.
    public var prefix: Int
    /// Bits of the length that are flags.
    public var flags: UInt32
    /// Bytes of the content at most.
    public var longest: Int
    /// Bytes of the content at most of a frame that is looked for after damage.
    public var longestSought: Int
    /// Bytes with the value 0 that a frame may begin with.
    public var leadingZeros: Int

    public init(
        prefix: Int = 0, flags: UInt32 = 0, longest: Int, longestSought: Int? = nil, leadingZeros: Int = 3
    ) {
        self.prefix = prefix
        self.flags = flags
        self.longest = longest
        self.longestSought = longestSought ?? longest
        self.leadingZeros = leadingZeros
    }

    /// Bytes in front of the content.
    public var headerSize: Int { prefix &+ 8 }

    /// A frame that is whole.
    public struct Frame: Sendable, Equatable {
        /// The range of the content in the file.
        public var content: Range<Int>
        /// The flags that are set.
        public var flags: UInt32
    }

    /// The result of a search.
    public enum Search: Sendable, Equatable {
        /// The offset of the next frame.
        case found(Int)
        case nothing
        /// The search would have taken too long.
        case gaveUp
    }

    // MARK: Writing

    /// Appends the header of a frame with this content, which may be in two parts.
    ///
    /// - Parameter prefix: What stands in front of the length, as many bytes as ``prefix`` says.
    public func appendHeader(
        prefix before: [UInt8] = [], _ first: UnsafeRawBufferPointer,
        _ second: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0), flags set: UInt32 = 0,
        to bytes: inout [UInt8]
    ) {
        assert(before.count == prefix && set & ~flags == 0, "a header of \(before.count) bytes with flags \(set)")
        let length = (UInt32(truncatingIfNeeded: first.count &+ second.count) | set).littleEndian
        var checksum: UInt32 = 0
        if prefix > 0 {
            checksum = cplatform_crc32c(checksum, before, before.count)
            checksum = withUnsafeBytes(of: length) { cplatform_crc32c(checksum, $0.baseAddress, 4) }
        }
        checksum = cplatform_crc32c(checksum, first.baseAddress, first.count)
        if second.count > 0 { checksum = cplatform_crc32c(checksum, second.baseAddress, second.count) }
        bytes += before
        withUnsafeBytes(of: length) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: checksum.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Appends a frame with this content.
    public func append(_ content: [UInt8], flags set: UInt32 = 0, to bytes: inout [UInt8]) {
        content.withUnsafeBytes { appendHeader($0, flags: set, to: &bytes) }
        bytes += content
    }

    // MARK: Reading

    /// The little-endian number of 4 bytes at `at`, which must lie in `bytes`.
    static func word(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt32 {
        assert(at >= 0 && at &+ 4 <= bytes.count, "a number at \(at) of \(bytes.count) bytes")
        return UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
    }

    /// The length of the content and the flags of the frame at `at`, if the bytes may hold such a frame.
    private func length(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> (length: Int, flags: UInt32)? {
        guard at >= 0, bytes.count &- at >= headerSize else { return nil }
        let word = Self.word(bytes, at &+ prefix)
        let length = Int(word & ~flags)
        guard length > 0, length <= longest, length <= bytes.count &- at &- headerSize else { return nil }
        return (length, word & flags)
    }

    /// The frame at `at`, or nil if none is there or it is damaged.
    public func frame(_ bytes: UnsafeRawBufferPointer, at: Int) -> Frame? {
        guard let (length, set) = length(bytes, at) else { return nil }
        let start = at &+ headerSize
        var checksum: UInt32 = 0
        if prefix > 0 {
            let header = UnsafeRawBufferPointer(rebasing: bytes[at..<(at &+ prefix &+ 4)])
            checksum = cplatform_crc32c(0, header.baseAddress, header.count)
        }
        let content = UnsafeRawBufferPointer(rebasing: bytes[start..<(start &+ length)])
        checksum = cplatform_crc32c(checksum, content.baseAddress, content.count)
        guard checksum == Self.word(bytes, at &+ prefix &+ 4) else { return nil }
        return Frame(content: start..<(start &+ length), flags: set)
    }

    /// Looks for the next whole frame from `start` on.
    ///
    /// - Parameters:
    ///   - budget: Bytes that are summed at most.
    ///   - skipZeros: Where the bytes from an offset on are no longer 0; takes what it costs off the budget.
    ///   - isBelieved: Whether the bytes at an offset can be a frame of this file, before or after its sum was found right.
    public func next(
        _ bytes: UnsafeRawBufferPointer, from start: Int, budget: Int,
        skipZeros: ((Int, inout Int) -> Int)? = nil, isBelieved: (Int, Frame?) -> Bool = { _, _ in true }
    ) -> Search {
        var at = start
        var budget = budget
        while at < bytes.count &- headerSize {
            guard budget > 0 else { return .gaveUp }
            if let skipZeros, bytes[at] == 0 { at = max(at, skipZeros(at, &budget) &- leadingZeros) }
            guard at < bytes.count &- headerSize else { break }
            if let (length, _) = length(bytes, at), length <= longestSought, isBelieved(at, nil) {
                budget &-= length
                if let frame = frame(bytes, at: at), isBelieved(at, frame) { return .found(at) }
            }
            at &+= 1
        }
        return .nothing
    }
}

extension RecordFraming {
    /// The offset of the next whole frame of a file, from `start` on; nil if none is found with reasonable effort.
    ///
    /// Holes are not read.
    public func next(
        _ mapping: FileMapping, from start: Int, budget: Int, isBelieved: (Int, Frame?) -> Bool = { _, _ in true }
    ) -> Int? {
        let search = next(
            mapping.bytes, from: start, budget: budget,
            skipZeros: { at, budget in mapping.skipZeros(from: at, budget: &budget) }, isBelieved: isBelieved)
        if case .found(let at) = search { return at }
        return nil
    }
}
