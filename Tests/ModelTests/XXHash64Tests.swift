import Model
import Testing

@Suite struct XXHash64Tests {
    @Test func `hashes are those of the specification`() {
        // The sanity checks of xxHash: bytes of this generator, with and without a seed.
        var bytes: [UInt8] = []
        var state: UInt64 = 2_654_435_761
        for _ in 0..<222 {
            bytes.append(UInt8(truncatingIfNeeded: state >> 56))
            state = state &* 11_400_714_785_074_694_797
        }
        func hash(_ count: Int, _ seed: UInt64) -> UInt64 {
            bytes.withUnsafeBytes { XXHash64.hash(UnsafeRawBufferPointer(rebasing: $0[0..<count]), seed: seed) }
        }
        let prime: UInt64 = 0x9E37_79B1
        #expect(hash(0, 0) == 0xEF46_DB37_51D8_E999)
        #expect(hash(0, prime) == 0xAC75_FDA2_929B_17EF)
        #expect(hash(1, 0) == 0xE934_A84A_DB05_2768)
        #expect(hash(1, prime) == 0x5014_6076_43A9_B4C3)
        #expect(hash(222, 0) == 0xB641_AE8C_B691_C174)
        #expect(hash(222, prime) == 0x20CB_8AB7_AE10_C14A)
        #expect(XXHash64.hash(UnsafeRawBufferPointer(start: nil, count: 0)) == 0xEF46_DB37_51D8_E999)
        #expect(Array("abc".utf8).withUnsafeBytes { XXHash64.hash($0) } == 0x44BC_2CF5_AD77_0999)
    }
}
