import Model
import Platform
import Testing

@testable import Remote

@Suite struct PushTurnsTests {
    @Test(arguments: [[1, 2, 3, 2, 3, 2], [3, 2], [1], [1, 99], [99, 1]] as [[UInt8]])
    func `no text is made of a bad series that no answer names`(_ refs: [UInt8]) throws {
        let long = String(repeating: "x", count: 100_000)
        let symbols = ["", "__name__", long, "b"].flatMap { WireWriter.text(4, $0) }
        let message = symbols + WireWriter.bytes(5, WireWriter.bytes(1, refs))
        try message.withUnsafeBufferPointer { bytes in
            var budget = PushBudget()
            var reader = try WriteRequestV2Reader(bytes, &budget)
            let series = try reader.read(try #require(reader.series.first), &budget)
            for isNamed in [true, false] {
                reader.describesErrors = isNamed
                let error = #expect(throws: WriteRequestV2Reader.BadSeries.self) {
                    try reader.labels(series, with: nil)
                }
                #expect(error?.reason.isEmpty == !isNamed && (error?.reason.utf8.count ?? 0) < 5000)
            }
        }
    }

    /// The beginning of a snappy body: its length when it is unpacked, as a varint.
    private static func body(unpacksTo size: Int) -> [UInt8] {
        var (rest, bytes) = (size, [UInt8]())
        while rest >= 128 {
            bytes.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    @Test func `small pushes have turns while large ones take all of theirs`() throws {
        let turns = PushTurns(count: 2, timeout: 1)
        let (small, large) = (Self.body(unpacksTo: 1 << 20), Self.body(unpacksTo: 1 << 20 + 1))
        var taken: [PushTurns.Turn] = []
        func takes(_ body: [UInt8]) -> Bool {
            guard let turn = turns.take(body) else { return false }
            taken.append(turn)
            return true
        }
        #expect(takes(large) && takes(large) && !takes(large))
        #expect(takes(small) && takes([]) && !takes(small))
        #expect(taken.map(\.isLarge) == [true, true, false, false])
        taken.removeFirst().end()
        #expect(takes(large) && !takes(large) && !takes(small))
    }

    @Test func `a turn that comes in time is taken`() throws {
        let turns = PushTurns(count: 1, timeout: 60_000)
        let turn = try #require(turns.take([]))
        let other = try #require(Thread.start("ends") { turn.end() })
        _ = try #require(turns.take([]))
        other.join()
    }
}
