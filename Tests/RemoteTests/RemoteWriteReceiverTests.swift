import Glibc
import HTTP
import Model
import Platform
import Remote
import Synchronization
import Telemetry
import TestSupport
import Testing

/// A store that remembers what it was given.
final class RecordingStore: SampleStore {
    struct State {
        var series: [Labels] = []
        var samples: [(Labels, Int64, Double)] = []
        var histograms: [(Labels, FloatHistogram)] = []
        var starts: [Int64] = []
        var metadata: [String: MetricMetadata] = [:]
        var resolved = 0
        var rejectsNext: SampleRejection?
        var isClosed = false
        /// The error of commits.
        var failure: (any Error)?
        /// The number of exemplars.
        var exemplars = 0
        /// The most series; more do not fit.
        var mostSeries = Int.max
    }
    struct Closed: Error {}
    let state = Mutex(State())

    func openGroup(_ name: String) -> SeriesGroup { SeriesGroup(raw: 1) }
    func closeGroup(_ group: SeriesGroup) {}

    func resolve(_ labels: Labels, in group: SeriesGroup) throws -> SeriesRef {
        try state.withLock { state in
            state.resolved += 1
            guard state.series.count < state.mostSeries else { throw StoreFull(description: "limit reached: 2 series") }
            state.series.append(labels)
            return SeriesRef(raw: UInt64(state.series.count))
        }
    }

    func find(_ labels: Labels) -> SeriesRef? {
        state.withLock { $0.series.firstIndex(of: labels) }.map { SeriesRef(raw: UInt64($0) + 1) }
    }

    func commit(_ batch: borrowing SampleBatch, in group: SeriesGroup, durability: Durability) throws -> CommitOutcome {
        let batch = copy batch
        return try state.withLock { state in
            if state.isClosed { throw Closed() }
            if let failure = state.failure { throw failure }
            var outcome = CommitOutcome()
            if let reason = state.rejectsNext {
                state.rejectsNext = nil
                outcome.rejected = batch.refs.indices.map { ($0, reason) }
                return outcome
            }
            let histograms = Dictionary(uniqueKeysWithValues: batch.histograms.map { ($0.index, $0.histogram) })
            for i in batch.refs.indices {
                let labels = state.series[Int(batch.refs[i].raw) - 1]
                if let histogram = histograms[i] {
                    state.histograms.append((labels, histogram))
                } else {
                    state.samples.append((labels, batch.timestamps[i], batch.values[i]))
                }
            }
            state.starts += batch.starts.map(\.start)
            state.exemplars += batch.exemplars.count
            outcome.appended = batch.count
            return outcome
        }
    }

    func setMetadata(_ metadata: [(metric: String, metadata: MetricMetadata)], in group: SeriesGroup) {
        state.withLock { for entry in metadata { $0.metadata[entry.metric] = entry.metadata } }
    }
}

/// Writes protobuf and snappy as a sender does.
enum WireWriter {
    static func varint(_ value: UInt64) -> [UInt8] {
        var (rest, out) = (value, [UInt8]())
        while rest >= 0x80 {
            out.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return out + [UInt8(rest)]
    }
    static func bytes(_ field: Int, _ content: [UInt8]) -> [UInt8] {
        varint(UInt64(field << 3 | 2)) + varint(UInt64(content.count)) + content
    }
    static func text(_ field: Int, _ text: String) -> [UInt8] { bytes(field, Array(text.utf8)) }
    static func double(_ field: Int, _ value: Double) -> [UInt8] {
        [UInt8(field << 3 | 1)] + (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt64($0))) }
    }
    static func number(_ field: Int, _ value: Int64) -> [UInt8] {
        varint(UInt64(field << 3)) + varint(UInt64(bitPattern: value))
    }
    static func series(_ labels: [(String, String)], _ samples: [(Double, Int64)]) -> [UInt8] {
        bytes(
            1,
            labels.flatMap { bytes(1, text(1, $0.0) + text(2, $0.1)) }
                + samples.flatMap { bytes(2, double(1, $0.0) + number(2, $0.1)) })
    }
    /// The message with up to four bytes changed or taken out.
    static func mutated(_ message: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var bytes = message
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            if Bool.random(using: &random) {
                bytes[at] = UInt8.random(in: 0...255, using: &random)
            } else {
                bytes.remove(at: at)
            }
        }
        return bytes
    }
    /// Snappy's block format with literals only.
    static func snappy(_ message: [UInt8]) -> [UInt8] {
        var out = varint(UInt64(message.count))
        for start in stride(from: 0, to: message.count, by: 60) {
            let part = message[start..<min(start + 60, message.count)]
            out.append(UInt8((part.count - 1) << 2))
            out += part
        }
        return out
    }
}

@Suite("Remote write receiver")
struct RemoteWriteReceiverTests {
    private let store = RecordingStore()
    private let receiver: RemoteWriteReceiver

    init() { receiver = RemoteWriteReceiver(store: store, clock: SystemClock(), metrics: MetricRegistry()) }

    private func push(_ message: [UInt8], headers: [(String, String)] = []) -> HTTPResponse {
        receiver.handle(
            HTTPRequest(
                method: "POST", path: "/api/v1/write", headers: headers.map { (name: $0.0, value: $0.1) },
                body: WireWriter.snappy(message)))
    }

    @Test("samples arrive with their series, and a steady sender resolves nothing again")
    func samples() {
        let message =
            WireWriter.series([("__name__", "a"), ("job", "x")], [(1.5, 1000), (2.5, 2000)])
            + WireWriter.series([("__name__", "b")], [(-1, -5)])
        #expect(push(message).status == 204)
        #expect(push(message).status == 204)
        store.state.withLock { state in
            #expect(state.resolved == 2)
            #expect(state.samples.count == 6)
            #expect(state.samples[0].0 == Labels([("__name__", "a"), ("job", "x")]))
            #expect(state.samples[1].1 == 2000)
            #expect(state.samples[2].2 == -1 && state.samples[2].1 == -5)
        }
    }

    @Test("a swept series is resolved again and its samples are not lost")
    func swept() {
        let message = WireWriter.series([("__name__", "a")], [(1, 1000)])
        #expect(push(message).status == 204)
        store.state.withLock { $0.rejectsNext = .unknownSeries }
        #expect(push(message).status == 204)
        store.state.withLock { #expect($0.samples.count == 2 && $0.resolved == 2) }
    }

    @Test("what the store refuses is a 400 with Prometheus's words")
    func refused() {
        store.state.withLock { $0.rejectsNext = .outOfOrder }
        let answer = push(WireWriter.series([("__name__", "a")], [(1, 1000)]))
        #expect(answer.status == 400)
        #expect(String(decoding: answer.body, as: UTF8.self) == "out of order sample\n")
    }

    @Test("a store that fails is a 500, and one that is closed while the server ends a 503")
    func closed() {
        store.state.withLock { $0.isClosed = true }
        var request = HTTPRequest(
            method: "POST", path: "/api/v1/write",
            body: WireWriter.snappy(WireWriter.series([("__name__", "a")], [(1, 1000)])))
        let cancellation = Cancellation()
        request.cancellation = cancellation
        #expect(receiver.handle(request).status == 500)
        cancellation.cancel()
        let answer = receiver.handle(request)
        #expect(answer.status == 503 && answer.headers.contains { $0.name == "Retry-After" })
    }

    @Test(
        "a store that is busy or has no space is a 503 that says when to come again",
        arguments: [
            (StoreBusy(description: "later"), "later\n"),
            (
                FileError("write", "wal/1", code: ENOSPC),
                "samples cannot be stored: write wal/1: no space left on device\n"
            ),
            (FileError("sync", "wal/1", code: EDQUOT), "samples cannot be stored: sync wal/1: disk quota exceeded\n"),
        ] as [(any Error, String)])
    func busy(failure: any Error, text: String) {
        store.state.withLock { $0.failure = failure }
        let answer = receiver.handle(
            HTTPRequest(
                method: "POST", path: "/api/v1/write",
                body: WireWriter.snappy(WireWriter.series([("__name__", "a")], [(1, 1000)]))))
        #expect(answer.status == 503 && answer.headers.contains { $0.name == "Retry-After" && $0.value == "5" })
        #expect(String(decoding: answer.body, as: UTF8.self) == text)
    }

    @Test("series without a name or with a label twice are skipped, the others stored")
    func invalidLabels() {
        let message =
            WireWriter.series([("job", "x")], [(1, 1)])
            + WireWriter.series([("__name__", "a"), ("b", "c"), ("b", "d")], [(1, 1)])
            + WireWriter.series([("__name__", "ok")], [(7, 1)])
        #expect(push(message).status == 204)
        store.state.withLock { #expect($0.samples.map(\.2) == [7]) }
    }

    @Test("bytes that are no label make the body invalid, also after a label that makes its series invalid")
    func brokenLabel() {
        // The name of the label is longer than the label.
        let broken = WireWriter.bytes(1, [0x0A, 100, 0x78])
        let sample = WireWriter.bytes(2, WireWriter.double(1, 1) + WireWriter.number(2, 1))
        for first in [[("__name__", "a")], [("__name__", "")], [("__name__", "a"), ("b", "1"), ("b", "2")]] {
            let labels = first.flatMap { WireWriter.bytes(1, WireWriter.text(1, $0.0) + WireWriter.text(2, $0.1)) }
            let message =
                WireWriter.bytes(1, labels + broken + sample) + WireWriter.series([("__name__", "good")], [(7, 1)])
            #expect(push(message).status == 400, "\(first)")
            store.state.withLock { #expect($0.samples.isEmpty) }
        }
    }

    @Test("native histograms and metadata arrive")
    func histograms() {
        let span = WireWriter.number(1, 2) + WireWriter.number(2, 2)
        let histogram =
            WireWriter.number(1, 5) + WireWriter.double(3, 9.5) + WireWriter.number(4, 2) + WireWriter.number(6, 1)
            + WireWriter.bytes(11, span) + WireWriter.bytes(12, WireWriter.varint(4) + WireWriter.varint(0))
            + WireWriter.number(15, 77)
        let message =
            WireWriter.bytes(
                1,
                WireWriter.bytes(1, WireWriter.text(1, "__name__") + WireWriter.text(2, "h"))
                    + WireWriter.bytes(4, histogram))
            + WireWriter.bytes(3, WireWriter.number(1, 3) + WireWriter.text(2, "h") + WireWriter.text(4, "Help."))
        #expect(push(message).status == 204)
        store.state.withLock { state in
            let stored = state.histograms.first?.1
            #expect(stored?.positiveBuckets == [2, 2])
            #expect(stored?.positiveSpans.first?.offset == 1)
            #expect(stored?.count == 5 && stored?.zeroCount == 1 && stored?.schema == 1)
            #expect(state.metadata["h"] == MetricMetadata(type: .histogram, help: "Help."))
        }
    }

    @Test("other encodings and messages are refused")
    func mediaTypes() {
        #expect(push([], headers: [("Content-Encoding", "gzip")]).status == 415)
        #expect(
            push([], headers: [("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Other")]).status
                == 415)
        #expect(receiver.handle(HTTPRequest(method: "POST", path: "", body: [1, 2, 3])).status == 400)
    }

    @Test("a sample far in the future is refused")
    func future() {
        let answer = push(WireWriter.series([("__name__", "a")], [(1, SystemClock().now() + 3_600_000)]))
        #expect(answer.status == 400)
    }

    @Test("mutated messages never crash the reader")
    func mutations() {
        let seed =
            WireWriter.series([("__name__", "a"), ("job", "x")], [(1.5, 1000)])
            + WireWriter.bytes(3, WireWriter.number(1, 3) + WireWriter.text(2, "h"))
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<5000 {
            let status = push(WireWriter.mutated(seed, &random)).status
            #expect([204, 400].contains(status))
        }
    }
}
