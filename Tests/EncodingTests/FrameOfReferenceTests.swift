import TestSupport
import Testing

@testable import Encoding

@Suite struct FrameOfReferenceTests {
    /// Bytes of the form, or nil where none was found, after reading them back.
    private static func roundTrip(_ integers: [Int64], room: Int = 1 << 14) throws -> Int? {
        let target = UnsafeMutableRawBufferPointer.allocate(
            byteCount: room + FrameOfReference.padding, alignment: 8)
        defer { target.deallocate() }
        target.initializeMemory(as: UInt8.self, repeating: 0xAA)
        let size = integers.withUnsafeBufferPointer {
            FrameOfReference.write($0, to: UnsafeMutableRawBufferPointer(rebasing: target[0..<room]))
        }
        guard let size else { return nil }
        #expect(size <= room && target[room...].allSatisfy { $0 == 0xAA })
        var back = [Int64](repeating: -1, count: integers.count + 1)
        try back.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            try FrameOfReference.read(
                UnsafeRawBufferPointer(rebasing: target[0..<size]), count: integers.count, into: base)
        }
        #expect(back.dropLast() == integers[...] && back.last == -1)
        return size
    }

    @Test func `Integers of any shape come back, or no form is found`() throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        let corners: [Int64] = [.min, .min + 1, -1, 0, 1, .max - 1, .max, 1 << 53, -(1 << 53)]
        var found = 0
        for round in 0..<6000 {
            let count = Int.random(in: 1...240, using: &random)
            let width = Int64.random(in: 0...62, using: &random)
            let scale = Int64(1) << Int64.random(in: 0...12, using: &random)
            var integers: [Int64] = []
            var (value, step) = (
                Int64.random(in: -1000...1_000_000, using: &random), Int64.random(in: -50...50, using: &random)
            )
            for _ in 0..<count {
                let noise = Int64(truncatingIfNeeded: random.next() & (1 << UInt64(width) - 1))
                switch round % 5 {
                case 0: value = noise
                case 1: value = value &+ noise &* scale
                case 2:
                    step = step &+ noise
                    value = value &+ step &* scale
                case 3: value = corners.randomElement(using: &random) ?? 0
                default: value = value &+ step
                }
                integers.append(value)
            }
            if try Self.roundTrip(integers) != nil { found += 1 }
        }
        #expect(found > 3000)
        #expect(try Self.roundTrip([.min, .max, .min, 1]) == nil)
    }

    @Test func `Each order is used where it is the shortest`() throws {
        let noise = (0..<240).map { Int64($0 &* 2_654_435_761 % 1024) }
        // Ten bits each, and a few bytes in front.
        #expect(try #require(try Self.roundTrip(noise.map { $0 + 5_000_000_000 })) <= 240 * 10 / 8 + 12)
        var sum: Int64 = 0
        let counter = noise.map { value -> Int64 in
            sum += 1_000_000 + value
            return sum
        }
        #expect(try #require(try Self.roundTrip(counter)) <= 240 * 10 / 8 + 12)
        #expect(try #require(try Self.roundTrip(counter.map { $0 << 20 })) <= 240 * 10 / 8 + 18)
        let parabola = (0..<240).map { Int64($0 * $0 * 3) }
        #expect(try #require(try Self.roundTrip(parabola)) <= 8)
        #expect(try Self.roundTrip([Int64](repeating: 77, count: 240)) == 5)
    }

    @Test func `What does not fit the room is refused`() throws {
        let noise = (0..<240).map { Int64($0 &* 2_654_435_761 % 1024) }
        let size = try #require(try Self.roundTrip(noise))
        #expect(try Self.roundTrip(noise, room: size) == size)
        #expect(try Self.roundTrip(noise, room: size - 1) == nil)
        #expect(try Self.roundTrip(noise, room: 1) == nil)
    }

    @Test func `Any bytes give integers or an error`() throws {
        var back = [Int64](repeating: 0, count: 256)
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<20_000 {
            let size = Int.random(in: 0...60, using: &random)
            var bytes = (0..<(size + FrameOfReference.padding)).map { _ in UInt8.random(in: 0...255, using: &random) }
            if size > 1, Bool.random(using: &random) { bytes[0] &= 0xFD }
            if size > 1, Bool.random(using: &random) { bytes[1] &= 7 }
            let count = Int.random(in: 0...256, using: &random)
            bytes.withUnsafeBytes { raw in
                back.withUnsafeMutableBufferPointer { buffer in
                    guard let base = buffer.baseAddress else { return }
                    try? FrameOfReference.read(
                        UnsafeRawBufferPointer(rebasing: raw[0..<size]), count: count, into: base)
                }
            }
        }
    }
}
