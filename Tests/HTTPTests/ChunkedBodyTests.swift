import TestSupport
import Testing

@testable import HTTP

@Suite("Chunked bodies")
struct ChunkedBodyTests {
    /// The body, or the mistake, if the bytes come in pieces of random size.
    static func read(_ bytes: [UInt8], _ random: inout SeededRandom) -> (
        body: [UInt8], problem: String?, isComplete: Bool
    ) {
        var (chunks, body, position) = (ChunkedBody(), [UInt8](), 0)
        while position < bytes.count {
            let count = min(bytes.count - position, Int(random.next() % 9) + 1)
            let problem = bytes[position..<position + count].withUnsafeBytes { piece in
                chunks.receive(piece) { body.append(contentsOf: $0) }
            }
            if let problem { return (body, problem, false) }
            position += count
        }
        return (body, nil, chunks.isComplete)
    }

    @Test(
        "the pieces in which bytes arrive do not matter, every cut is incomplete, and no damage traps",
        arguments: [UInt64(1), 2, 3])
    func pieces(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<300 {
            var (body, bytes) = ([UInt8](), [UInt8]())
            for _ in 0..<random.next() % 5 {
                let chunk = (0..<random.next() % 40 + 1).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                body += chunk
                bytes += Array(String(chunk.count, radix: 16).utf8) + [0x0D, 0x0A] + chunk + [0x0D, 0x0A]
            }
            bytes += Array("0\r\n\r\n".utf8)
            let whole = Self.read(bytes, &random)
            #expect(whole.body == body && whole.problem == nil && whole.isComplete, "seed \(seed)")
            let cut = Array(bytes.prefix(Int(random.next() % UInt64(bytes.count - 2))))
            #expect(!Self.read(cut, &random).isComplete, "seed \(seed)")
            for _ in 0..<4 {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            #expect(Self.read(bytes, &random).body.count <= bytes.count)
        }
    }

    @Test(
        "mistakes have the words of Go's reader",
        arguments: [
            ("2\nab\r\n", "chunked line ends with bare LF"), ("\r\n", "empty hex number for chunk length"),
            ("x\r\n", "invalid byte in chunk length"), ("11111111111111111\r\n", "http chunk length too large"),
            ("1\r\nab\r\n", "malformed chunked encoding"), ("1\r\na\n", "malformed chunked encoding"),
        ])
    func mistakes(_ text: String, _ problem: String) {
        var random = SeededRandom(seed: 1)
        #expect(Self.read(Array(text.utf8), &random).problem == problem)
    }
}
