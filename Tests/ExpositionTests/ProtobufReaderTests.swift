import Exposition
import Model
import TestSupport
import Testing

/// Writes protobuf fields for tests.
struct WireText {
    var bytes: [UInt8] = []

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
    mutating func integer(_ field: UInt64, _ value: UInt64) {
        varint(field << 3)
        varint(value)
    }
    mutating func signed(_ field: UInt64, _ value: Int64) {
        integer(field, UInt64(bitPattern: value << 1 ^ value >> 63))
    }
    mutating func double(_ field: UInt64, _ value: Double) {
        varint(field << 3 | 1)
        for i in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt64(i)))) }
    }
    mutating func message(_ field: UInt64, _ body: (inout WireText) -> Void) {
        var inner = WireText()
        body(&inner)
        varint(field << 3 | 2)
        varint(UInt64(inner.bytes.count))
        bytes += inner.bytes
    }
    mutating func string(_ field: UInt64, _ text: String) { message(field) { $0.bytes = Array(text.utf8) } }
    mutating func label(_ name: String, _ value: String) {
        message(1) {
            $0.string(1, name)
            $0.string(2, value)
        }
    }

    /// One delimited metric family.
    static func family(_ name: String, _ type: UInt64, help: String = "", _ metrics: (inout WireText) -> Void)
        -> [UInt8]
    {
        var family = WireText()
        family.string(1, name)
        family.string(2, help)
        family.integer(3, type)
        metrics(&family)
        var page = WireText()
        page.varint(UInt64(family.bytes.count))
        return page.bytes + family.bytes
    }
}

@Suite("Protobuf reader")
struct ProtobufReaderTests {
    /// The samples of a page as `series value`, and the message of its mistake.
    private static func samples(of page: [UInt8]) -> (samples: [String], error: String) {
        page.withUnsafeBufferPointer { page in
            var reader = ProtobufReader(page, choice: .init(native: false, classicToo: true))
            var samples: [String] = []
            func take() {
                samples += reader.samples.map {
                    String(decoding: reader.text[$0.series], as: UTF8.self) + " \($0.number.value)"
                }
            }
            do throws(ExpositionError) {
                while try reader.next() { take() }
                return (samples, "")
            } catch {
                take()
                return (samples, error.message)
            }
        }
    }

    @Test("a family without metrics does not count, whatever else it says")
    func emptyFamilies() {
        let good = WireText.family("g", 1) { $0.message(4) { $0.message(2) { $0.double(1, 3) } } }
        for family in [
            WireText.family("", 1) { _ in }, WireText.family("a", 9) { _ in },
            WireText.family("a", 1) { $0.message(2) { $0.bytes = [0xFF] } },
        ] { #expect(Self.samples(of: family + good) == (["{\"g\"} 3.0"], "")) }
    }

    @Test("a metric without the value of its family's type counts as zero")
    func missingValue() {
        let page = WireText.family("c", 0) {
            $0.message(4) { $0.message(2) { $0.double(1, 3) } }
            $0.message(4) { $0.message(3) { $0.double(1, 4) } }
            $0.message(4) { _ in }
        }
        #expect(Self.samples(of: page) == (["{\"c\"} 0.0", "{\"c\"} 4.0", "{\"c\"} 0.0"], ""))
        let histogram = WireText.family("h", 4) { $0.message(4) { $0.message(3) { $0.double(1, 4) } } }
        #expect(
            Self.samples(of: histogram)
                == (["{\"h_count\"} 0.0", "{\"h_sum\"} 0.0", "{\"h_bucket\",\"le\"=\"+Inf\"} 0.0"], ""))
    }

    @Test("a mistake leaves the samples before it")
    func mistakes() {
        func page(_ bad: (inout WireText) -> Void) -> [UInt8] {
            WireText.family("g", 1) {
                $0.message(4) { $0.message(2) { $0.double(1, 3) } }
                $0.message(4, bad)
            }
        }
        for (bad, message) in [
            ({ $0.label("", "x") }, "invalid label name: "),
            ({ $0.message(1) { $0.message(2) { $0.bytes = [0xFF] } } }, "proto: invalid UTF-8"),
            ({ $0.bytes = [0x0F] }, "proto: illegal wireType 7"),
        ] as [((inout WireText) -> Void, String)] {
            let (samples, error) = Self.samples(of: page(bad))
            #expect(samples == ["{\"g\"} 3.0"], "\(message)")
            #expect(error.hasPrefix(message), "\(error)")
        }
    }

    @Test("mistakes of the wire format have the words of Go's decoders")
    func wireFormat() {
        let long = [UInt8](repeating: 0x80, count: 11)
        for (bytes, message) in [
            ([0x80], "proto: unexpected EOF"),
            (long, "proto: wrong varint"),
            ([0x12, 0x05, 0x00], "proto: unexpected EOF"),
            ([0x39, 0x00], "proto: unexpected EOF"),
            ([0x3D, 0x00], "proto: unexpected EOF"),
            ([0x3B], "proto: illegal wireType 3"),
            ([0x3C], "proto: illegal wireType 4"),
            ([0x00, 0x00], "proto: illegal tag 0"),
        ] as [([UInt8], String)] {
            let page = WireText.family("g", 1) { $0.message(4) { $0.message(2) { $0.bytes = bytes } } }
            #expect(Self.samples(of: page) == ([], message), "\(bytes)")
        }
        for (page, message) in [
            ([0x80], "proto: unexpected EOF"), (long, "proto: wrong varint"), ([5, 0], "proto: unexpected EOF"),
        ] { #expect(Self.samples(of: page) == ([], message), "\(page)") }
    }

    @Test("packed numbers of a histogram that are cut make the page bad")
    func packedNumbers() {
        for (number, bytes) in [
            (10, [0x80]), (13, [0x80]), (11, [0, 0, 0]), (14, [0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ] as [(UInt64, [UInt8])] {
            let page = WireText.family("h", 4) {
                $0.message(4) { $0.message(7) { $0.message(number) { $0.bytes = bytes } } }
            }
            #expect(Self.samples(of: page) == ([], "proto: unexpected EOF"), "\(number)")
        }
    }

    @Test("a known field of another wire type counts as zero or empty")
    func otherWireType() {
        let page = WireText.family("g", 1) {
            $0.message(4) {
                $0.integer(1, 5)
                $0.message(2) { $0.integer(1, 3) }
            }
            $0.message(4) { $0.double(2, 3) }
        }
        #expect(Self.samples(of: page).error == "invalid label name: ")
        let gauge = WireText.family("g", 1) {
            $0.message(4) { $0.message(2) { $0.integer(1, 3) } }
            $0.message(4) { $0.double(2, 3) }
        }
        #expect(Self.samples(of: gauge) == (["{\"g\"} 0.0", "{\"g\"} 0.0"], ""))
    }

    /// A family with both forms of a histogram.
    static let both = WireText.family("h", 4) { family in
        family.message(4) { metric in
            metric.label("x", "1")
            metric.message(7) { h in
                h.integer(1, 6)
                h.double(2, 12.5)
                h.message(3) {
                    $0.integer(1, 4)
                    $0.double(2, 1)
                }
                h.signed(5, 1)
                h.double(6, 0.001)
                h.integer(7, 1)
                h.message(12) {
                    $0.signed(1, -1)
                    $0.integer(2, 2)
                }
                h.message(12) {
                    $0.signed(1, 2)
                    $0.integer(2, 1)
                }
                h.message(13) { packed in
                    for delta: Int64 in [2, -2, 3] { packed.varint(UInt64(bitPattern: delta << 1 ^ delta >> 63)) }
                }
            }
        }
    }

    static func read(
        _ page: [UInt8], _ choice: HistogramChoice = .init(native: true, classicToo: false)
    ) throws -> [(text: String, sample: ProtobufReader.Sample)] {
        let result = try #require(GuardedPage(capacity: page.count)).with(page) {
            page -> Result<[(text: String, sample: ProtobufReader.Sample)], ExpositionError> in
            var reader = ProtobufReader(page, choice: choice)
            var all: [(text: String, sample: ProtobufReader.Sample)] = []
            do throws(ExpositionError) {
                while try reader.next() {
                    all += reader.samples.map { (String(decoding: reader.text[$0.series], as: UTF8.self), $0) }
                }
                return .success(all)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    @Test("counters with labels, times and exemplars")
    func counter() throws {
        let page = WireText.family("a_total", 0) { family in
            family.message(4) { metric in
                metric.label("x", "q\"\\\n")
                metric.message(3) {
                    $0.double(1, 2.5)
                    $0.message(2) {
                        $0.label("id", "7")
                        $0.double(2, 1)
                        $0.message(3) { $0.integer(1, 5) }
                    }
                }
                metric.integer(6, 1234)
            }
        }
        let sample = try #require(try Self.read(page).first)
        #expect(sample.text == "{\"a_total\",\"x\"=\"q\\\"\\\\\\n\"}")
        #expect(sample.sample.number.value == 2.5)
        #expect((sample.sample.number.mantissa, sample.sample.number.scale) == (25, 1))
        #expect(sample.sample.timestamp == 1234)
        #expect(sample.sample.exemplars.first?.labels == Labels([("id", "7")]))
        #expect(sample.sample.exemplars.first?.timestamp == 5000)
    }

    @Test("a native histogram is compacted, a classic one has +Inf")
    func histograms() throws {
        let native = try Self.read(Self.both)
        #expect(native.map(\.text) == ["{\"h\",\"x\"=\"1\"}"])
        let h = try #require(native.first?.sample.histogram)
        #expect(h.schema == 1 && h.count == 6 && h.sum == 12.5 && h.zeroCount == 1 && h.zeroThreshold == 0.001)
        #expect(h.positiveSpans == [.init(offset: -1, length: 1), .init(offset: 3, length: 1)])
        #expect(h.positiveBuckets == [2, 3])
        let classic = try Self.read(Self.both, .init(native: false, classicToo: false))
        #expect(
            classic.map(\.text) == [
                "{\"h_count\",\"x\"=\"1\"}", "{\"h_sum\",\"x\"=\"1\"}", "{\"h_bucket\",\"x\"=\"1\",\"le\"=\"1.0\"}",
                "{\"h_bucket\",\"x\"=\"1\",\"le\"=\"+Inf\"}",
            ])
        #expect(classic.map(\.sample.number.value) == [6, 12.5, 4, 6])
        #expect(try Self.read(Self.both, .init(native: true, classicToo: true)).count == 5)
    }

    @Test("too many buckets lower the resolution, and then fail")
    func bucketLimit() throws {
        let reduced = try Self.read(Self.both, .init(native: true, classicToo: false, schemaMax: 0))
        let h = try #require(reduced.first?.sample.histogram)
        #expect(h.schema == 0)
        #expect(h.positiveSpans == [.init(offset: 0, length: 1), .init(offset: 1, length: 1)])
        #expect(h.positiveBuckets == [2, 3])
        #expect(try Self.read(Self.both, .init(native: true, classicToo: false, bucketLimit: 2)).count == 1)
        #expect {
            try Self.read(Self.both, .init(native: true, classicToo: false, bucketLimit: 1))
        } throws: {
            "\($0)" == "histogram bucket limit exceeded"
        }
    }

    @Test("damaged pages are refused, never more", arguments: [UInt64(31), 32])
    func damaged(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<3000 {
            var page = Self.both + WireText.family("g", 1) { $0.message(4) { $0.message(2) { $0.double(1, 1) } } }
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let at = Int.random(in: 0..<page.count, using: &random)
                page[at] = UInt8(truncatingIfNeeded: random.next())
            }
            if Bool.random(using: &random) { page.removeLast(Int.random(in: 0..<page.count, using: &random)) }
            _ = try? Self.read(page, .init(native: true, classicToo: true, schemaMax: 3, bucketLimit: 2))
        }
    }

    @Test("spans that do not fit say so")
    func spans() {
        let page = WireText.family("h", 4) { family in
            family.message(4) { metric in
                metric.message(7) { h in
                    h.integer(1, 1)
                    h.message(12) { $0.integer(2, 2) }
                    h.signed(13, 1)
                }
            }
        }
        #expect {
            try Self.read(page)
        } throws: {
            "\($0)" == "histogram \"h\": positive side: spans require 2 buckets, have 1"
        }
    }
}
