import CPlatform

/// CRC-32 with Castagnoli's polynomial, in hardware if possible.
public enum CRC32C {
    /// The checksum of `bytes`, or of preceding bytes with the checksum `previous` and `bytes`.
    public static func hash(_ bytes: UnsafeRawBufferPointer, after previous: UInt32 = 0) -> UInt32 {
        cplatform_crc32c(previous, bytes.baseAddress, bytes.count)
    }

    public static func hash(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { hash($0) } }
}
