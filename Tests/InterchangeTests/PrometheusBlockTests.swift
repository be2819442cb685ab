import Foundation
import Glibc
import Model
import Platform
import TestSupport
import Testing

@testable import Encoding
@testable import Interchange

/// Blocks of Prometheus whose checksums are right and whose numbers are not.
@Suite struct PrometheusBlockTests {
    private static func chunk() -> [UInt8] {
        let times: [Int64] = [1000, 31_000, 61_000]
        let values: [Double] = [1, 2, 4]
        return times.withUnsafeBufferPointer { times in
            values.withUnsafeBufferPointer { [PrometheusChunk.xor] + PrometheusChunk.floats(times, $0) }
        }
    }

    private static func read(_ block: PrometheusBlockFiles) throws -> [(Labels, Int)] {
        let files = FaultyFileSystem()
        try block.write(files, "b")
        var result: [(Labels, Int)] = []
        try PrometheusBlock(files, "b").forEach { result.append(($0, $1.count)) }
        return result
    }

    @Test(arguments: [1, 2, 3] as [UInt8]) func `a block made of its parts is read`(version: UInt8) throws {
        var block = PrometheusBlockFiles.one(chunk: Self.chunk())
        block.version = version
        if version == 1 {
            // Symbols are named by where they lie: behind the header, the size and the number of symbols.
            var entry = PrometheusBytes()
            for number: UInt64 in [2, 14, 27, 23, 25, 1] { entry.varint(number) }
            entry.zigzag(1000)
            entry.varint(60_000)
            entry.varint(8)
            block.series = [entry.bytes]
        }
        let found = try Self.read(block)
        #expect(found.map(\.0) == [Labels([("__name__", "m"), ("a", "b")])])
        #expect(found.map(\.1) == [3])
    }

    /// Numbers that are too large for what they count, or that overflow where something is added to them.
    @Test func `no number of an index ends the process`() throws {
        let whole = PrometheusBlockFiles.one(chunk: Self.chunk())
        let largest = [UInt8](repeating: 0xFF, count: 9)
        let numbers: [[UInt8]] = [
            [0xFF, 0xFF, 0xFF, 0xFF], [0x7F, 0xFF, 0xFF, 0xFF], largest + [1], largest + [0],
            [0xFF, 0xFF, 0xFF, 0xFF, 7], [0x80, 0x80, 0x80, 0x80, 0x10], [0],
        ]
        let parts: [(String, WritableKeyPath<PrometheusBlockFiles, [UInt8]>)] = [
            ("symbols", \.symbols), ("series", \.series[0]), ("all", \.all[orEmpty: 0]),
            ("table", \.table[orEmpty: 0]), ("chunk", \.chunks[0]), ("tombstones", \.tombstones[orEmpty: 0]),
        ]
        var (refused, taken) = (0, 0)
        for version: UInt8 in 1...3 {
            for (name, part) in parts {
                let content = whole[keyPath: part]
                for at in 0...content.count {
                    for number in numbers {
                        for replaced in [0, 1, number.count] where at + replaced <= content.count {
                            var block = whole
                            block.version = version
                            block[keyPath: part].replaceSubrange(at..<(at + replaced), with: number)
                            do {
                                let found = try Self.read(block)
                                #expect(found.count <= 1, "\(name) at \(at): \(number)")
                                taken += 1
                            } catch { refused += 1 }
                        }
                    }
                }
            }
        }
        #expect(refused > 1000 && taken > 10)
    }

    @Test func `what the format has no room for is refused`() throws {
        #expect(try PrometheusBlockWriter.number(Int(UInt32.max), "series", "out") == UInt32.max)
        for count in [Int(UInt32.max) + 1, Int.max, -1] {
            #expect(throws: PrometheusBlockError.self) { try PrometheusBlockWriter.number(count, "series", "out") }
        }
    }
}

extension Optional where Wrapped == [UInt8] {
    /// The bytes, or none.
    fileprivate subscript(orEmpty _: Int) -> [UInt8] {
        get { self ?? [] }
        set { self = newValue }
    }
}
