import CPlatform
import Encoding
import TestSupport
import Testing

@Suite struct ByteReaderTests {
    @Test func `numbers of every size come back`() throws {
        var random = SeededRandom(seed: 5)
        var numbers: [UInt64] = [0, 1, 127, 128, 16_383, 16_384, .max, .max - 1, 1 << 63]
        for shift in UInt64(0)..<64 { numbers.append(random.next() >> shift) }
        var bytes: [UInt8] = []
        for number in numbers {
            bytes.appendVarint(number)
            bytes.appendZigzag(Int64(bitPattern: number))
            bytes.appendLittle(number)
            bytes.appendLittle(UInt32(truncatingIfNeeded: number))
            bytes.appendLittle(UInt16(truncatingIfNeeded: number))
        }
        bytes.appendSized([1, 2, 3])
        try bytes.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            for number in numbers {
                let back = (
                    try reader.varint(), try reader.zigzag(), try reader.u64(), try reader.u32(), try reader.u16()
                )
                #expect(back.0 == number)
                #expect(back.1 == Int64(bitPattern: number))
                #expect(back.2 == number)
                #expect(back.3 == UInt32(truncatingIfNeeded: number))
                #expect(back.4 == UInt16(truncatingIfNeeded: number))
            }
            let run = Array(try reader.sizedRun())
            #expect(run == [1, 2, 3])
            #expect(reader.isAtEnd)
        }
    }

    @Test func `what is cut or too long is an error at its offset`() {
        let long = [UInt8](repeating: 0x80, count: 12)
        let tooLarge = [UInt8](repeating: 0xFF, count: 9) + [2]
        for bytes in [long, tooLarge, [0x80], []] {
            bytes.withUnsafeBytes { raw in
                var reader = ByteReader(raw)
                #expect(throws: DecodeError.self) { try reader.varint() }
                #expect(reader.offset == 0)
            }
        }
        [UInt8]([5, 1, 2]).withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            #expect(throws: DecodeError.self) { try reader.sizedRun() }
            #expect(throws: DecodeError.self) { try reader.run(-1) }
            #expect(throws: DecodeError.self) { try reader.u32() }
            var second = ByteReader(raw)
            #expect(throws: DecodeError.self) { try second.count(4) }
        }
    }

    @Test func `checksums are those of the standard`() {
        // RFC 3720, B.4.
        #expect(CRC32C.hash([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(CRC32C.hash([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(CRC32C.hash(Array("123456789".utf8)) == 0xE306_9283)
        let (head, tail) = (Array("1234".utf8), Array("56789".utf8))
        let first = CRC32C.hash(head)
        let whole = tail.withUnsafeBytes { CRC32C.hash($0, after: first) }
        #expect(whole == 0xE306_9283)
    }

    @Test func `checksums by instructions of the processor are those of the tables`() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for length in 0..<2000 {
            let bytes = (0..<length + 8).map { _ in UInt8.random(in: 0...255, using: &random) }
            let (start, before) = (Int.random(in: 0...8, using: &random), UInt32(truncatingIfNeeded: random.next()))
            bytes.withUnsafeBytes { all in
                let part = UnsafeRawBufferPointer(rebasing: all[start..<start + length])
                let expected = cplatform_crc32c_portable(before, part.baseAddress, part.count)
                #expect(CRC32C.hash(part, after: before) == expected, "\(length) bytes from \(start)")
            }
        }
    }
}
