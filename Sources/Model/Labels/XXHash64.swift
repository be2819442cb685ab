import CXXHash

/// XXH64, the 64-bit xxHash (specification at xxhash.com), seed 0 unless given.
public enum XXHash64 {
    /// The hash of `bytes`.
    @inline(__always)
    public static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
        cxxhash_64(bytes.baseAddress, bytes.count, seed)
    }
}
