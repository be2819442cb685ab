import Encoding
import Testing

@Suite("Gzip decoder")
struct GzipDecoderTests {
    static func decode(_ bytes: [UInt8], limit: Int = .max) throws(GzipFailure) -> [UInt8] {
        var out: [UInt8] = []
        var failure: GzipFailure?
        bytes.withUnsafeBytes { bytes in
            do throws(GzipFailure) {
                try GzipDecoder().decode(bytes, into: &out) { $0 <= limit }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return out
    }

    static let page = (0..<400).map { "metric_\($0 % 37){label=\"\($0)\"} \($0 * 7919)\n" }.joined()

    @Test("every cut of a stream is an error, wherever it falls")
    func cuts() throws {
        let whole = try Gzip.compress(Array(Self.page.utf8))
        #expect(try Self.decode(whole) == Array(Self.page.utf8))
        for count in 0..<whole.count {
            let expected: GzipFailure = count == 0 ? .empty : .endsEarly
            #expect(throws: expected, "cut at \(count)") { try Self.decode(Array(whole.prefix(count))) }
        }
    }

    @Test("all members are read; anything else after one is an error")
    func members() throws {
        let (a, b) = (try Gzip.compress(Array("a 1\n".utf8)), try Gzip.compress(Array("b 2\n".utf8)))
        let nothing = try Gzip.compress([])
        #expect(try Self.decode(a + b) == Array("a 1\nb 2\n".utf8))
        #expect(try Self.decode(nothing + a + nothing) == Array("a 1\n".utf8))
        #expect(try Self.decode(nothing) == [])
        #expect(throws: GzipFailure.endsEarly) { try Self.decode(a + [0]) }
        #expect(throws: GzipFailure.invalidHeader) { try Self.decode(a + [UInt8](repeating: 0, count: 10)) }
        #expect(throws: GzipFailure.endsEarly) { try Self.decode(a + b.dropLast()) }
        #expect(throws: GzipFailure.invalidHeader) { try Self.decode(Array("not gzip at all".utf8)) }
    }

    @Test("whoever unpacks many empty parts is asked whether to go on", arguments: [false, true])
    func silence(_ isOneMember: Bool) throws {
        let nothing = try Gzip.compress([])
        // Empty stored blocks in one member, or empty members.
        let bytes =
            isOneMember
            ? nothing.prefix(10) + Array(repeatElement([0, 0, 0, 0xFF, 0xFF], count: 100_000).joined())
                + nothing.dropFirst(10)
            : Array(repeatElement(nothing, count: 25_000).joined())
        func asked(goesOn: Bool) -> (count: Int, failure: GzipFailure?) {
            var (out, count, failure) = ([UInt8](), 0, GzipFailure?.none)
            Array(bytes).withUnsafeBytes { bytes in
                do throws(GzipFailure) {
                    try GzipDecoder().decode(bytes, into: &out) { size in
                        count += 1
                        return goesOn && size == 0
                    }
                } catch {
                    failure = error
                }
            }
            return (count, failure)
        }
        let (count, failure) = asked(goesOn: true)
        #expect(failure == nil && count >= bytes.count >> 18, "\(count) times")
        #expect(asked(goesOn: false) == (1, .stopped))
    }

    @Test("optional fields of the header are skipped, and its checksum verified")
    func header() throws {
        let plain = try Gzip.compress(Array("a 1\n".utf8))
        var header = Array(plain.prefix(10))
        header[3] = 4 | 8 | 16
        let fields: [UInt8] = [3, 0, 1, 2, 3] + Array("name".utf8) + [0] + Array("comment".utf8) + [0]
        #expect(try Self.decode(header + fields + plain.dropFirst(10)) == Array("a 1\n".utf8))
        header[3] = 2
        #expect(throws: GzipFailure.invalidHeader) { try Self.decode(header + [1, 2] + plain.dropFirst(10)) }
    }

    @Test("a wrong checksum or length is an error, and so is damage inside")
    func trailer() throws {
        let whole = try Gzip.compress(Array(Self.page.utf8))
        for back in 1...8 {
            var bytes = whole
            bytes[bytes.count - back] ^= 1
            #expect(throws: GzipFailure.invalidChecksum) { try Self.decode(bytes) }
        }
        var undetected = 0
        for position in 10..<whole.count - 8 {
            var bytes = whole
            bytes[position] ^= 0x10
            // A few bits mean nothing: those that fill up the last byte.
            if let read = try? Self.decode(bytes), read != Array(Self.page.utf8) { undetected += 1 }
        }
        #expect(undetected == 0)
    }

    @Test("output stops where the caller says, and one decoder reads many streams")
    func bounds() throws {
        let bomb = try Gzip.compress([UInt8](repeating: 0, count: 10 << 20))
        #expect(throws: GzipFailure.stopped) { try Self.decode(bomb, limit: 1 << 20) }
        let decoder = GzipDecoder()
        let good = try Gzip.compress(Array("a 1\n".utf8))
        for _ in 0..<100 {
            var out: [UInt8] = []
            bomb.withUnsafeBytes { try? decoder.decode($0, into: &out) { $0 <= 100_000 } }
            out = []
            good.withUnsafeBytes { try? decoder.decode($0, into: &out) { _ in true } }
            #expect(out == Array("a 1\n".utf8))
        }
    }

    @Test("memory is asked for before the output grows, and little is taken if there is not more")
    func memory() throws {
        let size = 20 << 20
        let bomb = try Gzip.compress([UInt8](repeating: 0, count: size))
        for most in [size + size / 2, size + 2 << 20, size / 2, 0] {
            var out: [UInt8] = []
            var asked: [Int] = []
            func allows(_ bytes: Int) -> Bool {
                asked.append(bytes)
                return bytes <= most
            }
            let failure = bomb.withUnsafeBytes { bytes -> GzipFailure? in
                do throws(GzipFailure) {
                    try GzipDecoder().decode(bytes, into: &out, canAllocate: allows) { _ in true }
                    return nil
                } catch {
                    return error
                }
            }
            #expect((failure == .outOfMemory) == (most < size))
            // No more than what was allowed, but for what an allocation is rounded up by.
            #expect(out.capacity <= most + 1 << 16, "\(most): \(out.capacity)")
            #expect(asked.count < 100)
        }
    }
}
