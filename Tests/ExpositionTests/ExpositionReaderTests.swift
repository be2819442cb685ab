import Exposition
import Model
import TestSupport
import Testing

/// One sample line as tests compare it.
struct Line: Equatable, CustomStringConvertible {
    var labels: [String]
    var value: Double
    var time: Int64?

    var description: String { "\(labels) \(value) \(time.map { "\($0)" } ?? "")" }

    static func == (a: Line, b: Line) -> Bool {
        a.labels == b.labels && a.value.bitPattern == b.value.bitPattern && a.time == b.time
    }
}

/// Reads a whole page.
///
/// - Parameter hint: Gives the expected length and hash of each series.
func readPage(
    _ text: [UInt8], isOpenMetrics: Bool = false, hint: (Int) -> (Int, UInt64) = { _ in (0, 0) },
    onSeries: (Int, UInt64) -> Void = { _, _ in }
) -> Result<[Line], ExpositionError> {
    guard let guarded = GuardedPage(capacity: text.count) else {
        return .failure(ExpositionError("no memory", line: 0, column: 0))
    }
    return guarded.with(text) { page in
        do throws(ExpositionError) {
            var reader = ExpositionReader(page, isOpenMetrics: isOpenMetrics, seed: 1)
            var labels = SeriesText()
            var lines: [Line] = []
            while true {
                let (length, hash) = hint(lines.count)
                let entry = try reader.next(expectedLength: length, hash: hash)
                if entry == .end { return .success(lines) }
                guard entry == .series else {
                    _ = reader.metadataNameText + reader.metadataHelpText + reader.metadataRawText
                    continue
                }
                _ = try reader.readExemplar(&labels)
                try reader.readLabels(&labels)
                let name = labels.metricName.map { labels.string($0) } ?? ""
                lines.append(
                    Line(
                        labels: ["__name__=\(name)"]
                            + labels.pairs.map { "\(labels.string($0.name))=\(labels.string($0.value))" },
                        value: reader.number.value, time: reader.hasTimestamp ? reader.timestamp : nil))
                onSeries(reader.seriesEnd - reader.seriesStart, reader.seriesHash)
            }
        } catch {
            return .failure(error)
        }
    }
}

@Suite("Exposition reader")
struct ExpositionReaderTests {
    static func lines(_ text: String, openMetrics: Bool = false) -> [Line]? {
        try? readPage(Array(text.utf8), isOpenMetrics: openMetrics).get()
    }

    @Test("quotes are escaped in the help texts of OpenMetrics only")
    func helpText() throws {
        let page = Array(#"# HELP a x\"y\\\n\z"#.utf8) + Array("\n# EOF\n".utf8)
        for (isOpenMetrics, expected) in [(true, "x\"y\\\n\\z"), (false, "x\\\"y\\\n\\z")] {
            let help = try page.withUnsafeBufferPointer { page throws in
                var reader = ExpositionReader(page, isOpenMetrics: isOpenMetrics, seed: 1)
                _ = try reader.next(expectedLength: 0, hash: 0)
                return reader.metadataHelpText
            }
            #expect(help == expected)
        }
    }

    @Test(
        "a quoted text ends on its line in OpenMetrics, and where its quote is in the other format",
        arguments: [
            "a{x=\"p\nq\"} 1\n", "a{x=\"p\\\nq\"} 1\n", "{\"a\nb\",x=\"1\"} 1\n", "a{\"x\ny\"=\"1\"} 1\n",
            "a{x=\"\n\"} 1\n", "a_total 1 # {x=\"p\nq\"} 1\n", "a_total 1 # {\"x\ny\"=\"q\"} 1\n",
        ])
    func breakInQuotes(_ page: String) throws {
        #expect(throws: ExpositionError.self) {
            try readPage(Array((page + "# EOF\n").utf8), isOpenMetrics: true).get()
        }
        if !page.contains("#") { #expect(try readPage(Array(page.utf8)).get().count == 1) }
    }

    @Test(
        "lines of Prometheus text",
        arguments: [
            ("a 1\n", ["__name__=a"], 1, nil), ("a 1", ["__name__=a"], 1, nil),
            (" \ta \t 1 \t 123 \n", ["__name__=a"], 1, 123), ("a{} 1\n", ["__name__=a"], 1, nil),
            ("a{x=\"1\"} 2\n", ["__name__=a", "x=1"], 2, nil), ("a{x=\"1\"}2\n", ["__name__=a", "x=1"], 2, nil),
            ("a { x = \"1\" , y=\"2\", } 2\n", ["__name__=a", "x=1", "y=2"], 2, nil),
            ("a{x=\"1\"y=\"2\"} 2\n", ["__name__=a", "x=1", "y=2"], 2, nil),
            ("a{x=\"q\\\"b\\\\n\\nz\\t}\"} 2\n", ["__name__=a", "x=q\"b\\n\nz\\t}"], 2, nil),
            ("{\"m.y\",\"l.x\"=\"1\"} 2\n", ["__name__=m.y", "l.x=1"], 2, nil),
            ("{x=\"1\",\"m.y\"} 2\n", ["__name__=m.y", "x=1"], 2, nil),
            ("# HELP b x\n# TYPE b gauge\n\n#comment\n# COMMENT\n:b_:c 1e3\n", ["__name__=:b_:c"], 1000, nil),
            ("a{x=\"line\nbreak\"} 1\n", ["__name__=a", "x=line\nbreak"], 1, nil),
            ("a{x=\"\"} 1\n", ["__name__=a", "x="], 1, nil),
        ] as [(String, [String], Double, Int64?)])
    func text(_ page: String, _ labels: [String], _ value: Double, _ time: Int64?) {
        #expect(Self.lines(page) == [Line(labels: labels, value: value, time: time)])
    }

    @Test(
        "mistakes in Prometheus text say where they are",
        arguments: [
            ("a\n", "expected value after metric, got \"\\n\" (\"INVALID\") while parsing: \"a\\n\"", 1, 2),
            ("a 1\nb {x=\"1\"\n", "expected label name, got", 2, 0),
            ("a 1 -5\n", "expected timestamp or new record, got \"-\" (\"INVALID\") while parsing: \"a 1 -\"", 1, 5),
            ("a{x=1} 2\n", "expected label value, got \"1\"", 1, 5), ("1a 2\n", "expected a valid start token", 1, 1),
            ("{x=\"1\"} 2\n", "metric name not set", 1, 0), ("{\"a\",\"b\"} 2\n", "metric name already set", 1, 0),
            ("# TYPE a foo\n", "invalid metric type \"foo\"", 1, 10), ("a{\"x\"=\"1\n", "expected label value", 1, 0),
            ("a 1 2 3\n", "expected next entry after timestamp", 1, 7),
            ("a -1e400\n", "strconv.ParseFloat: parsing \"-1e400\": value out of range", 1, 3),
            ("a 0x1\n", "strconv.ParseFloat: parsing \"0x1\": invalid syntax", 1, 3),
        ] as [(String, String, Int, Int)])
    func mistakes(_ page: String, _ message: String, _ line: Int, _ column: Int) {
        guard case .failure(let error) = readPage(Array(page.utf8)) else {
            Issue.record("accepted \(page)")
            return
        }
        #expect(error.message.hasPrefix(message), "\(error.message)")
        #expect(error.line == line)
        if column > 0 { #expect(error.column == column, "\(error.located)") }
    }

    @Test("label values that are not UTF-8 are refused")
    func invalidUTF8() {
        guard case .failure(let error) = readPage(Array("a{x=\"".utf8) + [0xFF] + Array("\"} 1\n".utf8)) else {
            Issue.record("accepted")
            return
        }
        #expect(error.message.hasPrefix("invalid UTF-8 label value"))
    }

    @Test("OpenMetrics is read as leniently as Prometheus does")
    func openMetrics() {
        let page = "# TYPE a counter\n# UNIT a \na_total{x=\"1\",} 1 1.5 # {y=\"z\"} 2 3\nb 2\nb 1\n# EOF\n"
        #expect(
            Self.lines(page, openMetrics: true) == [
                Line(labels: ["__name__=a_total", "x=1"], value: 1, time: 1500),
                Line(labels: ["__name__=b"], value: 2), Line(labels: ["__name__=b"], value: 1),
            ])
        for bad in ["a 1\n", "a 1\n# EOF\na 1\n", "a  1\n# EOF\n", "\n# EOF\n", "a 1# EOF\n", "#EOF\n"] {
            #expect(Self.lines(bad, openMetrics: true) == nil, "\(bad)")
        }
    }

    /// A page of random series, some with odd characters, times and blanks.
    static func randomPage(_ random: inout SeededRandom, _ count: Int) -> [String] {
        (0..<count).map { i in
            let name =
                ["http_requests_total", "a", "go_gc_duration_seconds", "x:y"].randomElement(using: &random) ?? "a"
            let values = ["", "1", "a b", "q\\\"uote", "br{a}ce", "back\\\\slash", "ünï", "/api/v1/query_range"]
            let labels = (0..<Int.random(in: 0...4, using: &random)).map { j in
                "l\(j)=\"\(values.randomElement(using: &random) ?? "")\(i)\""
            }
            let series = name + (labels.isEmpty ? "_\(i)" : "{\(labels.joined(separator: ","))}")
            let number = ["1", "0.25", "NaN", "+Inf", "1.7976931348623157e+308", "-3", "1e-9"].randomElement(
                using: &random)
            let time = Int.random(in: 0..<5, using: &random) == 0 ? " 1700000000000" : ""
            return "\(series) \(number ?? "1")\(time)\n"
        }
    }

    @Test("hints, right or wrong, never change what is read", arguments: [UInt64(11), 12, 13, 14])
    func hints(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<50 {
            var lines = Self.randomPage(&random, 30)
            var known: [(Int, UInt64)] = []
            let first = try readPage(Array(lines.joined().utf8), onSeries: { known.append(($0, $1)) }).get()
            if Bool.random(using: &random) { lines.shuffle(using: &random) }
            if Bool.random(using: &random) { lines.remove(at: 3) }
            if Bool.random(using: &random) { lines.insert("brand_new{x=\"y\"} 7\n", at: 9) }
            let page = Array(lines.joined().utf8)
            let plain = try readPage(page).get()
            let hinted = try readPage(page, hint: { known[$0 % known.count] }).get()
            #expect(plain == hinted, "seed \(seed)")
            #expect(first.count == 30)
        }
    }

    @Test("damaged pages are read or refused, never more", arguments: [UInt64(21), 22, 23])
    func damaged(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let interesting = Array("{}\"\\,=# \n\t0.eE+-_aN\u{0}".utf8) + [0xFF, 0x80]
        for round in 0..<1500 {
            let isOpenMetrics = round % 2 == 0
            var page = Array(Self.randomPage(&random, 5).joined().utf8)
            page =
                Array("# TYPE a histogram\n# HELP a \\\\x\n".utf8) + page + Array("a 1 # {x=\"y\"} 1 1\n# EOF\n".utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) where page.count > 1 {
                let at = Int.random(in: 0..<page.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: page[at] = interesting.randomElement(using: &random) ?? 0
                case 1: page.remove(at: at)
                case 2: page.insert(interesting.randomElement(using: &random) ?? 0, at: at)
                default: page.removeLast(min(at, page.count - 1))
                }
            }
            if case .failure(let error) = readPage(page, isOpenMetrics: isOpenMetrics) {
                #expect(!error.message.isEmpty && error.line > 0 && error.column > 0, "seed \(seed): \(error.located)")
            }
            _ = try? OpenMetricsValidator.validate(page)
        }
    }
}
