import CCurl
import Config
import Platform
import Synchronization
import TestSupport
import Testing

@testable import HTTP

/// Answers that cost much for what they say.
@Suite("Costly answers")
struct CostlyAnswerTests {
    static let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    private static func many(_ text: String, _ count: Int = 100_000) -> String {
        String(repeating: text, count: count)
    }

    /// What an answer does without end, and what is said about it.
    enum Kind: CaseIterable, Sendable {
        case trailers, trailerLine, extensions, interim, headers, headerOfInterim

        var answer: String {
            switch self {
            case .trailers: chunked + "0\r\n" + many("T: x\r\n")
            case .trailerLine: chunked + "0\r\nT: " + many("x")
            case .extensions: chunked + many("1;" + many("e", 1000) + "\r\n#\r\n", 1000)
            case .interim: many("HTTP/1.1 103 Early Hints\r\n\r\n")
            case .headers: "HTTP/1.1 200 OK\r\n" + many("X: y\r\n")
            case .headerOfInterim: "HTTP/1.1 103 Early Hints\r\n" + many("X: y\r\n")
            }
        }

        var problem: String {
            switch self {
            // The line is too long for curl.
            case .trailerLine: ""
            case .trailers: "suspiciously long trailer"
            case .extensions: "too much non-data"
            case .interim: "too many 1xx informational responses"
            case .headers, .headerOfInterim: "response headers exceeded"
            }
        }
    }

    @Test("what never ends is given up after a bounded number of bytes, not at the deadline", arguments: Kind.allCases)
    func endless(_ kind: Kind) async throws {
        let answer = Array(kind.answer.utf8)
        let server = try #require(RawServer { _ in .send(answer) })
        defer { server.stop() }
        let reason = await HTTPClientTests.reason(server.url, timeout: 600_000)
        #expect(!reason.isEmpty && reason.contains(kind.problem), "\(reason)")
    }

    @Test("a few trailers, extensions, interim answers and chunks of one byte are read")
    func fine() async throws {
        let text =
            Self.many("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 5) + Self.chunked
            + Self.many("1;name=value\r\n#\r\n", 5000) + "0\r\n" + Self.many("T: x\r\n", 1000) + "\r\n"
        let server = try #require(RawServer { _ in .text(text) })
        defer { server.stop() }
        for _ in 0..<2 {
            let answer = try await HTTPClient().send(ClientRequest(url: server.url, timeout: 600_000))
            #expect(answer.body == Array(repeating: UInt8(ascii: "#"), count: 5000))
        }
    }

    @Test("an answer that is complete at its deadline or later has failed")
    func late() throws {
        let transfer = try #require(Transfer(RequestOptions(.init())))
        for (now, kind) in [(99, nil), (100, .timeout), (101, .timeout)] as [(Int64, TransferFailure.Kind?)] {
            transfer.prepare(TransferRequest(url: try #require(URLParts("http://a/")), deadline: 100))
            #expect(!transfer.finish(CURLE_OK, now: now))
            #expect(transfer.failure?.kind == kind)
        }
    }

    @Test("many costly answers share a loop by turns: no round is long, all get on, and small ones pass them")
    func turns() throws {
        let costly = Array((Self.chunked + Self.many("1\r\n#\r\n", 400_000)).utf8)
        let server = try #require(
            RawServer { $0.startLine.contains("/small") ? HTTPClientTests.ok("fine") : .send(costly) })
        defer { server.stop() }
        let clock = SystemClock()
        let loop = try #require(TransferLoop("test", clock: clock, maxRunning: 64))
        let transfers = try (0..<12).map { _ in
            let transfer = try #require(Transfer(RequestOptions(.init())))
            let url = try #require(URLParts(server.url + "/costly"))
            transfer.prepare(TransferRequest(url: url, deadline: clock.monotonic() + 600_000_000_000))
            return transfer
        }
        let seen = Mutex<(rounds: Int, most: Int, stopped: Bool)>((0, 0, false))
        let (allCostly, end) = (TimedSemaphore(value: 0), TimedSemaphore(value: 0))
        loop.start { active in
            // The first pieces come together.
            if transfers.allSatisfy({ $0.load.cost > LoopRound.freeCost }) {
                if seen.withLock({ $0.rounds }) == 0 { allCostly.signal() }
                seen.withLock { seen in
                    if seen.rounds > 0 { seen.most = max(seen.most, active.round.cost) }
                    seen.rounds += 1
                    seen.stopped = seen.stopped || active.round.hasStopped
                }
            }
            // Each gets several pieces, of 64 KiB at most.
            if transfers.allSatisfy({ $0.load.cost > 10 << 20 || $0.failure != nil }) { end.signal() }
            return 60_000
        }
        for transfer in transfers { loop.submit(transfer) }
        #expect(allCostly.wait(milliseconds: 120_000))
        let small = try #require(Transfer(RequestOptions(.init())))
        small.prepare(
            TransferRequest(
                url: try #require(URLParts(server.url + "/small")), deadline: clock.monotonic() + 600_000_000_000))
        let isServed = TimedSemaphore(value: 0)
        small.onEnd = { _ in isServed.signal() }
        loop.submit(small)
        #expect(isServed.wait(milliseconds: 120_000))
        #expect(small.failure == nil)
        #expect(end.wait(milliseconds: 120_000))
        loop.stop()
        let piece = (64 << 10) * (1 + LoopRound.chunkCost / 6)
        let (_, most, stopped) = seen.withLock { $0 }
        #expect(stopped)
        // A turn is what is read at once, and some may run beside the one whose turn it is.
        #expect(most <= 3 * piece, "\(most) of \(transfers.count * piece)")
        #expect(transfers.allSatisfy { $0.failure?.kind == .cancelled })
    }

    /// A frame of HTTP/2.
    private static func frame(_ type: UInt8, _ flags: UInt8, stream: UInt8, _ bytes: [UInt8] = []) -> [UInt8] {
        let count = bytes.count
        return [UInt8(count >> 16 & 0xFF), UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF), type, flags, 0, 0, 0, stream]
            + bytes
    }

    @Test("answers over HTTP/2 have their turns, too, and come whole")
    func secondVersion() throws {
        let piece = Self.frame(0, 0, stream: 1, [UInt8](repeating: 0x23, count: 16 << 10))
        // Settings, their receipt, a head with status 200, the body, its end.
        let answer =
            Self.frame(4, 0, stream: 0) + Self.frame(4, 1, stream: 0) + Self.frame(1, 4, stream: 1, [0x88])
            + Array(repeatElement(piece, count: 400).joined()) + Self.frame(0, 1, stream: 1)
        let server = try #require(
            try TLSServer(names: "IP:127.0.0.1", arguments: ["-alpn", "h2"], answer: answer), "needs openssl")
        let clock = SystemClock()
        let loop = try #require(TransferLoop("test", clock: clock, maxRunning: 4))
        let isStopped = Mutex(false)
        loop.start { active in
            if active.round.hasStopped { isStopped.withLock { $0 = true } }
            return 60_000
        }
        defer { loop.stop() }
        let options = RequestOptions(try HTTPClientTests.config("tls_config: {insecure_skip_verify: true}"))
        let credentials = try #require(options.readyCredentials)
        let transfer = try #require(Transfer(options))
        let end = TimedSemaphore(value: 0)
        repeat {
            // Until the server listens.
            var request = TransferRequest(
                url: try #require(URLParts("https://127.0.0.1:\(server.port)/")),
                deadline: clock.monotonic() + 600_000_000_000)
            request.credentials = credentials
            transfer.prepare(request)
            transfer.onEnd = { _ in end.signal() }
            loop.submit(transfer)
            #expect(end.wait(milliseconds: 120_000))
        } while transfer.failure?.description.contains("connection refused") == true
        #expect(transfer.failure == nil && !transfer.head.isVersion1)
        #expect(transfer.body.count == 400 * 16 << 10)
        #expect(isStopped.withLock { $0 })
    }

    @Test("an answer that is stopped ends at its deadline")
    func stoppedToTheEnd() async throws {
        let costly = Array((Self.chunked + Self.many("1\r\n#\r\n", 400_000)).utf8)
        let server = try #require(RawServer { _ in .send(costly) })
        defer { server.stop() }
        let client = HTTPClient()
        let reasons = await withTaskGroup(of: String.self) { group in
            for _ in 0..<6 {
                group.addTask {
                    do throws(HTTPClientError) {
                        _ = try await client.send(ClientRequest(url: server.url, timeout: 1000))
                        return ""
                    } catch {
                        return error.reason
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(reasons == Array(repeating: "context deadline exceeded", count: 6))
    }
}
