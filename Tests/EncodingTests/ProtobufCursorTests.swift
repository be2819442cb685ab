import Encoding
import TestSupport
import Testing

/// A message read byte by byte, with nothing of ``ProtobufCursor``.
private struct SlowMessage: Equatable {
    struct Field: Equatable {
        var number: Int
        var content: ProtobufCursor.Content
    }

    var fields: [Field] = []
    /// What ends the reading before the end of the message.
    var failure: ProtobufError?

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 &* 256 &+ UInt64($1) }
    }

    /// The varint at the beginning of `bytes`, and what is behind it.
    static func varint(_ bytes: ArraySlice<UInt8>) throws -> (UInt64, ArraySlice<UInt8>) {
        let size = (bytes.firstIndex { $0 < 0x80 } ?? bytes.endIndex) - bytes.startIndex + 1
        if size > 10, bytes.count >= 10 { throw ProtobufError(bytes.startIndex + 10, .longVarint) }
        guard size <= bytes.count else { throw ProtobufError(bytes.endIndex, .unfinished("varint")) }
        let value = bytes.prefix(size).reversed().reduce(UInt64(0)) { $0 &* 128 &+ UInt64($1 & 0x7F) }
        return (value, bytes.dropFirst(size))
    }

    init(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        do {
            while !rest.isEmpty {
                let key: UInt64
                (key, rest) = try Self.varint(rest)
                guard (1..<(1 << 29)).contains(key / 8) else {
                    throw ProtobufError(rest.startIndex, .fieldNumber(key / 8))
                }
                let content: ProtobufCursor.Content
                switch key % 8 {
                case 0:
                    let value: UInt64
                    (value, rest) = try Self.varint(rest)
                    content = .varint(value)
                case 1, 5:
                    let size = key % 8 == 1 ? 8 : 4
                    guard rest.count >= size else {
                        throw ProtobufError(rest.startIndex, .unfinished(size == 8 ? "fixed64" : "fixed32"))
                    }
                    let value = Self.number(rest.prefix(size))
                    content = size == 8 ? .fixed64(value) : .fixed32(UInt32(value))
                    rest = rest.dropFirst(size)
                case 2:
                    let size: UInt64
                    (size, rest) = try Self.varint(rest)
                    guard size <= rest.count else { throw ProtobufError(rest.startIndex, .lengthBeyondEnd) }
                    content = .bytes(rest.startIndex..<(rest.startIndex + Int(size)))
                    rest = rest.dropFirst(Int(size))
                default: throw ProtobufError(rest.startIndex, .unknownWireType(key % 8))
                }
                fields.append(Field(number: Int(key / 8), content: content))
            }
        } catch {
            failure = error as? ProtobufError
        }
    }

    /// The same with the cursor.
    init(cursor bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ known: ProtobufFields = .any) {
        var cursor = ProtobufCursor(bytes, range, known)
        do throws(ProtobufError) {
            while let (number, content) = try cursor.next() { fields.append(Field(number: number, content: content)) }
        } catch {
            failure = error
        }
    }

    init(cursor bytes: [UInt8], _ known: ProtobufFields = .any) {
        self = bytes.withUnsafeBufferPointer { SlowMessage(cursor: $0, 0..<bytes.count, known) }
    }
}

extension ProtobufError {
    fileprivate init(_ offset: Int, _ cause: Cause) { self.init(offset: offset, cause: cause) }
}

@Suite struct ProtobufCursorTests {
    /// The one field of a message.
    private static func field(_ bytes: [UInt8]) -> ProtobufCursor.Content? {
        let message = SlowMessage(cursor: bytes)
        return message.failure == nil && message.fields.count == 1 ? message.fields.first?.content : nil
    }

    @Test func `the examples of the specification are read`() throws {
        #expect(Self.field([0x08, 0x96, 0x01]) == .varint(150))
        #expect(Self.field([0x12, 0x07] + Array("testing".utf8)) == .bytes(2..<9))
        #expect(Self.field([0x1A, 0x03, 0x08, 0x96, 0x01]) == .bytes(2..<5))
        #expect(Self.field([0x08, 0xFE] + [UInt8](repeating: 0xFF, count: 8) + [0x01]) == .varint(.max - 1))
        let packed: [UInt8] = [0x32, 0x06, 0x03, 0x8E, 0x02, 0x9E, 0xA7, 0x05]
        let numbers = try packed.withUnsafeBufferPointer { buffer in
            var cursor = ProtobufCursor(buffer, 0..<buffer.count)
            var numbers: [UInt64] = []
            while let (_, content) = try cursor.next() { try cursor.varints(content) { numbers.append($0) } }
            return numbers
        }
        #expect(numbers == [3, 270, 86942])
        for (value, coded) in [
            (0, 0), (-1, 1), (1, 2), (-2, 3), (0x7FFF_FFFF, 0xFFFF_FFFE), (-0x8000_0000, 0xFFFF_FFFF),
        ] as [(Int64, UInt64)] {
            #expect(ProtobufCursor.Content.varint(coded).zigzag == value)
            #expect(Zigzag.encode(value) == coded)
        }
    }

    @Test func `each mistake is named with its place`() {
        let eleven = [UInt8](repeating: 0x80, count: 10) + [0]
        let cases: [([UInt8], Int, ProtobufError.Cause, String)] = [
            ([0x80], 1, .unfinished("varint"), "unfinished varint"),
            ([0x08], 1, .unfinished("varint"), "unfinished varint"),
            (eleven, 10, .longVarint, "varint of more than 10 bytes"),
            ([0x08] + eleven, 11, .longVarint, "varint of more than 10 bytes"),
            ([0x12] + eleven, 11, .longVarint, "varint of more than 10 bytes"),
            ([0x09] + [UInt8](repeating: 1, count: 7), 1, .unfinished("fixed64"), "unfinished fixed64"),
            ([0x0D, 1, 2, 3], 1, .unfinished("fixed32"), "unfinished fixed32"),
            ([0x0A, 0x02, 0x00], 2, .lengthBeyondEnd, "length beyond the message"),
            ([0x0A] + [UInt8](repeating: 0xFF, count: 9) + [1], 11, .lengthBeyondEnd, "length beyond the message"),
            ([0x00, 0x00], 1, .fieldNumber(0), "invalid field number"),
            ([0x80, 0x80, 0x80, 0x80, 0x10, 0], 5, .fieldNumber(1 << 29), "invalid field number"),
            ([0x0B, 0x0C], 1, .unknownWireType(3), "unknown wire type 3"),
            ([0x0C], 1, .unknownWireType(4), "unknown wire type 4"),
            ([0x0E], 1, .unknownWireType(6), "unknown wire type 6"),
            ([0x0F], 1, .unknownWireType(7), "unknown wire type 7"),
        ]
        for (bytes, offset, cause, text) in cases {
            let message = SlowMessage(cursor: bytes)
            #expect(message.failure == ProtobufError(offset, cause), "\(bytes)")
            #expect(message.failure?.description == "protobuf: \(text) at byte \(offset)")
            // A field before it is read all the same.
            #expect(SlowMessage(cursor: [0x10, 0x01] + bytes).fields == [.init(number: 2, content: .varint(1))])
        }
        #expect(Self.field([0xF8, 0xFF, 0xFF, 0xFF, 0x0F, 7]) == .varint(7), "the largest field number is no mistake")
    }

    @Test func `bits of a varint beyond 64 are cut off`() {
        #expect(Self.field([0x08] + [UInt8](repeating: 0xFF, count: 9) + [0x7F]) == .varint(.max))
        #expect(Self.field([0x08] + [UInt8](repeating: 0x80, count: 9) + [0x02]) == .varint(0))
    }

    @Test func `a known field has the wire type of its kind, an unknown one has any`() {
        let known = ProtobufFields.any.with(1, .varint).with(2, .fixed64).with(3, .bytes).with(4, .varints).with(
            20, .fixed64s)
        let allowed: [Int: Set<Int>] = [1: [0], 2: [1], 3: [2], 4: [0, 2], 20: [1, 2]]
        for number in 1...40 {
            for (wireType, content) in [0: [0], 1: [UInt8](repeating: 0, count: 8), 2: [0], 5: [0, 0, 0, 0]] {
                var bytes: [UInt8] = []
                bytes.appendVarint(number << 3 | wireType)
                let offset = bytes.count
                let failure = SlowMessage(cursor: bytes + content, known).failure
                let isAllowed = allowed[number]?.contains(wireType) ?? true
                #expect(
                    failure
                        == (isAllowed ? nil : ProtobufError(offset, .wrongWireType(UInt64(wireType), field: number))))
                if !isAllowed {
                    #expect(
                        failure?.description
                            == "protobuf: wrong wire type \(wireType) of field \(number) at byte \(offset)")
                }
                #expect(SlowMessage(cursor: bytes + content).failure == nil)
            }
        }
    }

    @Test func `a nested message ends where its length says, and a deep one costs nothing`() {
        // The inner field would be complete with the byte behind the message.
        let bytes: [UInt8] = [0x0A, 0x01, 0x08, 0x07]
        bytes.withUnsafeBufferPointer {
            #expect(SlowMessage(cursor: $0, 2..<3).failure == ProtobufError(3, .unfinished("varint")))
            #expect(SlowMessage(cursor: $0, 2..<9).fields == [.init(number: 1, content: .varint(7))])
            #expect(SlowMessage(cursor: $0, 9..<12) == SlowMessage([]))
        }
        var deep: [UInt8] = []
        for _ in 0..<2000 {
            var outer: [UInt8] = []
            outer.appendField(1, bytes: deep)
            deep = outer
        }
        #expect(SlowMessage(cursor: deep).fields.count == 1)
    }

    @Test func `messages of a stream have their lengths before them`() throws {
        try [UInt8]([2, 8, 1, 0, 1, 9, 5, 8]).withUnsafeBufferPointer { buffer in
            var cursor = ProtobufCursor(buffer, 0..<7)
            let ranges = [try cursor.message(), try cursor.message(), try cursor.message()]
            #expect(ranges == [1..<3, 4..<4, 5..<6])
            var failure: ProtobufError?
            do throws(ProtobufError) { _ = try cursor.message() } catch { failure = error }
            #expect(failure == ProtobufError(7, .lengthBeyondEnd))
            cursor = ProtobufCursor(buffer, 0..<3)
            let only = [try cursor.message(), try cursor.message()]
            #expect(only == [1..<3, nil])
        }
    }

    // MARK: Random messages

    /// Bytes that are often nearly a message.
    private static func bytes(_ random: inout SeededRandom) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 0...6, using: &random) {
            let number = Int.random(in: 1...22, using: &random)
            let value = random.next() >> UInt64.random(in: 0...63, using: &random)
            switch Int.random(in: 0...5, using: &random) {
            case 0: bytes.appendField(number, varint: value)
            case 1: bytes.appendField(number, double: Double(bitPattern: value))
            case 2: bytes.appendField(number, bytes: [UInt8](repeating: 0x88, count: Int(value % 40)))
            case 3: bytes.appendField(number, doubles: [Double](repeating: 1, count: Int(value % 4)))
            case 4: bytes += [UInt8(number) << 3 | 5, 1, 2, 3, 4]
            default: bytes.appendVarint(value)
            }
        }
        for _ in 0..<Int.random(in: 0...2, using: &random) where !bytes.isEmpty {
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8(truncatingIfNeeded: random.next())
        }
        if Bool.random(using: &random) { bytes.removeLast(Int.random(in: 0...bytes.count, using: &random)) }
        return bytes
    }

    @Test func `whatever the bytes are, the cursor reads what a slow reader does, and no byte behind them`() throws {
        let seed = SeededRandom.runSeed
        var random = SeededRandom(seed: seed)
        let page = try #require(GuardedPage(capacity: 4096))
        var failures: [String: Int] = [:]
        for round in 0..<20_000 {
            let bytes = Self.bytes(&random)
            // What is around a message does not count; often nothing is behind it, so that the memory ends there.
            let around = (0..<2).map { _ in
                (0..<Int.random(in: 0...12, using: &random)).map { _ in UInt8(truncatingIfNeeded: random.next() >> 7) }
            }
            let buffer = around[0] + bytes + (Bool.random(using: &random) ? around[1] : [])
            let range = around[0].count..<(around[0].count + bytes.count)
            let expected = SlowMessage(buffer[range])
            let found = page.with(buffer) { SlowMessage(cursor: $0, range) }
            #expect(found == expected, "seed \(seed), round \(round): \(bytes)")
            failures["\(expected.failure.map { "\($0.cause)".prefix(12) } ?? "none")", default: 0] += 1
        }
        // Every mistake occurred.
        #expect(failures.count >= 6 && failures.values.allSatisfy { $0 > 50 }, "seed \(seed): \(failures)")
    }

    @Test func `fields come back as they were written, and of a cut message the beginning`() {
        let seed = SeededRandom.runSeed
        var random = SeededRandom(seed: seed)
        for round in 0..<1000 {
            var (bytes, expected, ends) = ([UInt8](), [SlowMessage.Field](), [0])
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                let number = Int.random(in: 1..<(1 << Int.random(in: 1...29, using: &random)), using: &random)
                let value = random.next() >> UInt64.random(in: 0...63, using: &random)
                let content: ProtobufCursor.Content
                switch Int.random(in: 0...3, using: &random) {
                case 0:
                    bytes.appendField(number, varint: value)
                    content = .varint(value)
                case 1:
                    bytes.appendField(number, zigzag: Int64(bitPattern: value))
                    content = .varint(Zigzag.encode(Int64(bitPattern: value)))
                    #expect(content.zigzag == Int64(bitPattern: value))
                case 2:
                    bytes.appendField(number, double: Double(bitPattern: value))
                    content = .fixed64(value)
                default:
                    let size = Int(value % 300)
                    bytes.appendField(number, bytes: [UInt8](repeating: 7, count: size))
                    content = .bytes((bytes.count - size)..<bytes.count)
                }
                expected.append(.init(number: number, content: content))
                ends.append(bytes.count)
            }
            let whole = SlowMessage(cursor: bytes)
            #expect(whole.failure == nil && whole.fields == expected, "seed \(seed), round \(round)")
            let size = Int.random(in: 0..<bytes.count, using: &random)
            let cut = SlowMessage(cursor: Array(bytes.prefix(size)))
            #expect(cut.fields == Array(expected.prefix(ends.count { $0 <= size } - 1)), "seed \(seed), round \(round)")
            #expect((cut.failure == nil) == ends.contains(size), "seed \(seed), round \(round)")
        }
    }

    @Test func `repeated numbers are the same packed, one by one and mixed`() throws {
        let seed = SeededRandom.runSeed
        var random = SeededRandom(seed: seed)
        for round in 0..<500 {
            let values = (0..<Int.random(in: 0...30, using: &random)).map { _ in
                random.next() >> UInt64.random(in: 0...63, using: &random)
            }
            let doubles = values.map { Double(bitPattern: $0) }
            var bytes: [UInt8] = []
            var at = 0
            while at < values.count {
                let run = at..<(at + Int.random(in: 1...(values.count - at), using: &random))
                if run.count == 1 {
                    bytes.appendField(1, varint: values[at])
                    bytes.appendField(2, double: doubles[at])
                } else {
                    var packed: [UInt8] = []
                    for value in values[run] { packed.appendVarint(value) }
                    bytes.appendField(1, bytes: packed)
                    bytes.appendField(2, doubles: Array(doubles[run]))
                }
                at = run.upperBound
            }
            try bytes.withUnsafeBufferPointer { buffer in
                var cursor = ProtobufCursor(buffer, 0..<buffer.count)
                var (numbers, floats) = ([UInt64](), [Double]())
                while let (number, content) = try cursor.next() {
                    if number == 1 { try cursor.varints(content) { numbers.append($0) } }
                    if number == 2 { try cursor.doubles(content, to: &floats) }
                }
                #expect(numbers == values, "seed \(seed), round \(round)")
                #expect(floats.map(\.bitPattern) == values, "seed \(seed), round \(round)")
            }
        }
    }

    @Test func `packed numbers that are cut are a mistake`() throws {
        for size in 0...24 {
            var bytes: [UInt8] = []
            bytes.appendField(1, bytes: [UInt8](repeating: 0x81, count: size))
            try bytes.withUnsafeBufferPointer { buffer in
                var cursor = ProtobufCursor(buffer, 0..<buffer.count)
                let content = try #require(try cursor.next()).content
                var values: [Double] = []
                var failure: ProtobufError?
                do throws(ProtobufError) { try cursor.doubles(content, to: &values) } catch { failure = error }
                #expect(failure == (size % 8 == 0 ? nil : ProtobufError(buffer.count, .unfinished("packed numbers"))))
                #expect(values.count == (size % 8 == 0 ? size / 8 : 0))
                failure = nil
                do throws(ProtobufError) { try cursor.varints(content) { _ in } } catch { failure = error }
                #expect(
                    failure
                        == (size == 0
                            ? nil
                            : size < 10
                                ? ProtobufError(buffer.count, .unfinished("varint")) : ProtobufError(12, .longVarint)))
            }
        }
    }
}
