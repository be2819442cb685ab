import HTTP
import Model
import Platform
import Remote
import Synchronization
import Telemetry
import TestSupport
import Testing

@Suite("Remote write 2.0")
struct RemoteWriteV2Tests {
    /// Builds a request with its table of symbols.
    private struct Request {
        private var symbols = [""]
        private var series: [UInt8] = []

        mutating func symbol(_ text: String) -> UInt64 {
            if let known = symbols.firstIndex(of: text) { return UInt64(known) }
            symbols.append(text)
            return UInt64(symbols.count - 1)
        }

        mutating func refs(_ labels: [(String, String)]) -> [UInt8] {
            WireWriter.bytes(
                1, labels.flatMap { WireWriter.varint(symbol($0.0)) + WireWriter.varint(symbol($0.1)) })
        }

        mutating func add(
            _ labels: [(String, String)], _ samples: [(Double, Int64)] = [], histogram: [UInt8]? = nil,
            exemplar: [(String, String)]? = nil, type: Int64 = 0, help: String = "", unit: String = "",
            starts: Bool = false
        ) {
            var body = refs(labels)
            for (value, time) in samples {
                let start = starts ? WireWriter.number(3, time - 500) : []
                body += WireWriter.bytes(2, WireWriter.double(1, value) + WireWriter.number(2, time) + start)
            }
            if let histogram { body += WireWriter.bytes(3, histogram) }
            if let exemplar {
                body += WireWriter.bytes(4, refs(exemplar) + WireWriter.double(2, 7) + WireWriter.number(3, 9))
            }
            let metadata =
                WireWriter.number(1, type) + WireWriter.number(3, Int64(symbol(help)))
                + WireWriter.number(4, Int64(symbol(unit)))
            add(raw: body + WireWriter.bytes(5, metadata))
        }

        mutating func add(raw: [UInt8]) { series += WireWriter.bytes(5, raw) }

        var bytes: [UInt8] { symbols.flatMap { WireWriter.text(4, $0) } + series }
    }

    private let store = RecordingStore()

    private func receiver(feature: Bool = false) -> RemoteWriteReceiver {
        var features = RemoteFeatures()
        features.typeAndUnitLabels = feature
        features.startTimes = feature
        return RemoteWriteReceiver(store: store, clock: SystemClock(), metrics: MetricRegistry(), features: features)
    }

    private func push(_ message: [UInt8], to receiver: RemoteWriteReceiver) -> HTTPResponse {
        receiver.handle(
            HTTPRequest(
                method: "POST", path: "/api/v1/write",
                headers: [
                    (name: "Content-Type", value: "application/x-protobuf;proto=io.prometheus.write.v2.Request")
                ], body: WireWriter.snappy(message)))
    }

    private func written(_ response: HTTPResponse) -> [String] {
        ["Samples", "Histograms", "Exemplars"].map { kind in
            response.headers.first { $0.name == "X-Prometheus-Remote-Write-\(kind)-Written" }?.value ?? "none"
        }
    }

    @Test("samples, histograms, exemplars and metadata arrive, and the answer counts them")
    func arrives() {
        var request = Request()
        request.add(
            [("__name__", "a_total"), ("job", "x")], [(1.5, 1000), (2.5, 2000)], exemplar: [("trace", "1")], type: 1,
            help: "Help.", unit: "bytes")
        request.add(
            [("__name__", "h")],
            histogram: WireWriter.number(1, 5) + WireWriter.number(6, 5) + WireWriter.number(15, 77))
        let receiver = receiver()
        let answer = push(request.bytes, to: receiver)
        #expect(answer.status == 204)
        #expect(written(answer) == ["2", "1", "1"])
        #expect(push(request.bytes, to: receiver).status == 204)
        store.state.withLock { state in
            #expect(state.resolved == 2)
            #expect(
                state.samples.map(\.0)
                    == [Labels](repeating: Labels([("__name__", "a_total"), ("job", "x")]), count: 4))
            #expect(state.samples.map(\.1) == [1000, 2000, 1000, 2000])
            #expect(state.histograms.first?.1.count == 5)
            #expect(state.metadata == ["a_total": MetricMetadata(type: .counter, help: "Help.", unit: "bytes")])
        }
    }

    @Test("metadata and exemplars of a known series are stored if its samples are refused; a new series is not made")
    func refusedSamples() {
        let receiver = receiver()
        var known = Request()
        known.add([("__name__", "a")], [(1, 1000)], type: 1, help: "Old.")
        #expect(push(known.bytes, to: receiver).status == 204)
        var request = Request()
        for name in ["a", "new"] {
            request.add([("__name__", name)], [(1, .max)], exemplar: [("t", "1")], type: 2, help: "New.")
        }
        for _ in 0..<2 {
            let answer = push(request.bytes, to: receiver)
            #expect(answer.status == 400)
            #expect(written(answer) == ["0", "0", "1"])
        }
        store.state.withLock { state in
            #expect(state.series.map(\.metricName) == ["a"])
            #expect(state.samples.count == 1)
            #expect(state.metadata == ["a": MetricMetadata(type: .gauge, help: "New.", unit: "")])
        }
    }

    @Test("type and unit become labels where they are wanted, in the place of those that were sent")
    func typeAndUnit() {
        var request = Request()
        let sent = [("__name__", "a"), ("__type__", "mine"), ("__unit__", "mine")]
        request.add(sent, [(1, 1)], type: 1, unit: "bytes")
        request.add(sent, [(2, 1)], type: 2)
        request.add(sent, [(3, 1)], unit: "seconds")
        request.add(sent, [(4, 1)])
        request.add([("__name__", "a"), ("b", "c")], [(5, 1)], type: 7)
        #expect(push(request.bytes, to: receiver(feature: true)).status == 204)
        store.state.withLock { state in
            #expect(
                state.samples.map { $0.0.metricDescription } == [
                    #"a{__type__="counter", __unit__="bytes"}"#, #"a{__type__="gauge"}"#, #"a{__unit__="seconds"}"#,
                    #"a{__type__="mine", __unit__="mine"}"#, #"a{__type__="stateset", b="c"}"#,
                ])
            state.samples = []
        }
        #expect(push(request.bytes, to: receiver()).status == 204)
        store.state.withLock { state in
            #expect(state.samples.first?.0 == Labels(sent))
            #expect(state.samples.last?.0 == Labels([("__name__", "a"), ("b", "c")]))
        }
    }

    @Test("start timestamps are kept where they are stored")
    func starts() {
        var request = Request()
        request.add([("__name__", "a")], [(1, 1000), (2, 2000)], starts: true)
        request.add([("__name__", "b")], [(1, 1000)])
        request.add([("__name__", "h")], histogram: WireWriter.number(15, 77) + WireWriter.number(17, 66))
        #expect(push(request.bytes, to: receiver()).status == 204)
        #expect(store.state.withLock { $0.starts } == [])
        #expect(push(request.bytes, to: receiver(feature: true)).status == 204)
        #expect(store.state.withLock { $0.starts } == [500, 1500, 66])
    }

    @Test("bad series are named, the others are stored")
    func partial() {
        var request = Request()
        request.add([("job", "x")], [(1, 1)])
        request.add([("__name__", "a"), ("b", "c"), ("b", "d")], [(1, 1)])
        request.add(raw: WireWriter.bytes(1, [1]))
        request.add(raw: WireWriter.bytes(1, [1, 99]))
        request.add([("__name__", "late")], [(1, SystemClock().now() + 3_600_000), (2, 1)])
        request.add([("__name__", "ok")], [(7, 1)])
        let answer = push(request.bytes, to: receiver())
        #expect(answer.status == 400)
        #expect(written(answer) == ["2", "0", "0"])
        let lines = String(decoding: answer.body, as: UTF8.self).split(separator: "\n")
        #expect(
            lines == [
                #"invalid metric name or labels, got {job="x"}"#,
                #"invalid labels for series, labels {__name__="a", b="c", b="d"}, duplicated label b"#,
                "parsing labels for series [1]: invalid labelRefs length 1",
                "parsing labels for series [1 99]: labelRefs 1 (name) = 99 (value) outside of symbols table (size 10)",
                #"out of bounds: timestamp is too far in the future for series {__name__="late"}"#,
            ])
        store.state.withLock { #expect($0.samples.map(\.2) == [2, 7]) }
    }

    @Test("what the store refuses is named with its series and not counted as written")
    func refused() {
        var request = Request()
        request.add([("__name__", "a")], [(1, 1000)])
        store.state.withLock { $0.rejectsNext = .outOfOrder }
        let answer = push(request.bytes, to: receiver())
        #expect(answer.status == 400)
        #expect(String(decoding: answer.body, as: UTF8.self) == "out of order sample for series {__name__=\"a\"}\n")
        #expect(written(answer) == ["0", "0", "0"])
    }

    @Test("a swept series is resolved again with its type, and its samples are not lost")
    func swept() {
        var request = Request()
        request.add([("__name__", "a")], [(1, 1000)], type: 2)
        let receiver = receiver(feature: true)
        #expect(push(request.bytes, to: receiver).status == 204)
        store.state.withLock { $0.rejectsNext = .unknownSeries }
        #expect(push(request.bytes, to: receiver).status == 204)
        store.state.withLock { state in
            #expect(state.samples.map { $0.0.metricDescription } == [#"a{__type__="gauge"}"#, #"a{__type__="gauge"}"#])
            #expect(state.resolved == 2)
        }
    }

    @Test("mutated messages never crash the reader")
    func mutations() {
        var request = Request()
        request.add([("__name__", "a"), ("job", "x")], [(1.5, 1000)], exemplar: [("t", "1")], type: 1, unit: "s")
        request.add([("__name__", "h")], histogram: WireWriter.number(1, 5) + WireWriter.number(15, 77))
        let (seed, receiver) = (request.bytes, receiver(feature: true))
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<5000 {
            #expect([204, 400].contains(push(WireWriter.mutated(seed, &random), to: receiver).status))
        }
    }

    @Test("the error of a series shows the first of its labels, and nothing is made of the rest")
    func longLabels() {
        let value = String(repeating: "x", count: 100_000)
        let pairs = (0..<100_000).map { _ in (name: "label", value: value) }
        // 10 GB, if all were quoted.
        let text = LabelText.list(pairs, limit: 2048)
        #expect(text.utf8.count < 8192 && text.hasPrefix("{label=\"xx"))
        let labels = Labels((0..<50).map { ("l\($0)", value) })
        #expect(LabelText.list(labels, limit: 2048).utf8.count < 8192)
        #expect(LabelText.list(labels, limit: .max) == labels.description)
        #expect(LabelText.cut("aéb", 2) == "a\u{FFFD}" && LabelText.cut("aéb", 3) == "aé")
    }
}
