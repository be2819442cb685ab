import CSnappy
import Platform

/// Reads the snappy block format of remote write.
enum SnappyBody {
    /// The most bytes of an unpacked body.
    static let maxSize = 32 << 20
    /// An upper bound of the unpacked bytes per packed byte.
    private static let maxRatio = 22
    /// The factor for the memory of the body and of the samples that are read from it.
    private static let memoryFactor = 4

    /// The reason why a body cannot be read, in Prometheus's words.
    enum Failure: Error, CustomStringConvertible {
        case corrupt
        case tooLarge
        case noMemory

        var description: String {
            switch self {
            case .corrupt: "snappy: corrupt input"
            case .noMemory: "no memory left for the body"
            case .tooLarge: "decoded size exceeds the \(SnappyBody.maxSize) bytes limit"
            }
        }
    }

    /// Bytes that a body says it unpacks to; 0 if it says nothing.
    static func size(of body: [UInt8]) -> Int {
        body.withUnsafeBytes { input in
            var size = 0
            guard let base = input.baseAddress?.assumingMemoryBound(to: CChar.self),
                snappy_uncompressed_length(base, input.count, &size) == SNAPPY_OK
            else { return 0 }
            return size
        }
    }

    /// The unpacked body.
    static func unpack(_ body: [UInt8]) throws(Failure) -> [UInt8] {
        var failure = Failure.corrupt
        let unpacked = body.withUnsafeBytes { input -> [UInt8]? in
            guard let base = input.baseAddress?.assumingMemoryBound(to: CChar.self) else { return nil }
            var size = 0
            guard snappy_uncompressed_length(base, input.count, &size) == SNAPPY_OK else { return nil }
            guard size <= maxSize else {
                failure = .tooLarge
                return nil
            }
            // Three bytes of the format copy at most 64. No memory is reserved for an impossible length.
            guard size / maxRatio <= input.count else { return nil }
            guard AddressSpace.canAllocate(size * memoryFactor) else {
                failure = .noMemory
                return nil
            }
            var status = SNAPPY_INVALID_INPUT
            let out = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                var written = size
                buffer.withMemoryRebound(to: CChar.self) { output in
                    status = snappy_uncompress(base, input.count, output.baseAddress, &written)
                }
                count = status == SNAPPY_OK ? written : 0
            }
            return status == SNAPPY_OK ? out : nil
        }
        guard let unpacked else { throw failure }
        return unpacked
    }
}
