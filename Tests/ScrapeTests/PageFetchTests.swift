import Config
import Discovery
import Encoding
import Glibc
import HTTP
import Model
import Platform
@testable import Scrape
import Synchronization
import Telemetry
import TestSupport
import Testing

/// Scrapes of servers that misbehave.
@Suite("Page fetches", .serialized)
struct PageFetchTests {
    /// A manager that scrapes what a raw server answers.
    final class Rig {
        let server: RawServer
        let store = ArrayStore()
        let manager: ScrapeManager
        let registry = MetricRegistry()

        init(_ job: String = "", interval: String = "1d", timeout: String = "20s") throws {
            let box = Box()
            server = try #require(RawServer { _ in box.answer.withLock { $0 } })
            manager = ScrapeManager(store: store, clock: SystemClock(), metrics: registry)
            self.box = box
            let text = """
                scrape_configs:
                  - job_name: test
                    scrape_interval: \(interval)
                    scrape_timeout: \(timeout)
                    static_configs: [{targets: ["127.0.0.1:\(server.port)"], labels: {instance: here}}]
                \(job)
                """
            manager.apply(try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml"))
        }

        private final class Box: Sendable {
            let answer = Mutex<RawServer.Reaction>(.hang)
        }
        private let box: Box

        func answer(_ reaction: RawServer.Reaction) { box.answer.withLock { $0 = reaction } }

        func scrape(_ reaction: RawServer.Reaction) -> (up: Double?, error: String) {
            box.answer.withLock { $0 = reaction }
            let clock = SystemClock()
            let now = clock.now()
            while clock.now() == now {}
            manager.scrapeNow()
            return (
                store.values(#"up{instance="here", job="test"}"#).last ?? nil, manager.targets().first?.lastError ?? ""
            )
        }

        deinit {
            manager.shutdown()
            server.stop()
        }
    }

    static func answer(
        _ body: [UInt8], encoding: String? = nil, type: String = "text/plain"
    ) -> RawServer.Reaction {
        var head = "HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\n"
        if let encoding { head += "Content-Encoding: \(encoding)\r\n" }
        head += "Content-Length: \(body.count)\r\n\r\n"
        return .send(Array(head.utf8) + body)
    }

    @Test(
        "of an answer that is not 200 the body is not read to its end", arguments: ["500 No", "404 Gone", "302 There"])
    func unwantedBodies(_ status: String) throws {
        // The server announces more than it sends and closes nothing: who wants the body waits for the timeout.
        let rig = try Rig("    body_size_limit: 100MB", timeout: "20s")
        let location = status.hasPrefix("302") ? "Location: /metrics\r\n" : ""
        let body = String(repeating: "x", count: 1 << 20)
        let result = rig.scrape(.text("HTTP/1.1 \(status)\r\n\(location)Content-Length: 99999999\r\n\r\n" + body))
        #expect(result.up == 0)
        #expect(
            result.error.contains(
                status.hasPrefix("302") ? "stopped after 10 redirects" : "server returned HTTP status \(status)"),
            "\(result.error)")
    }

    @Test(
        "headers that cannot be sent fail the scrape, and their values are not shown",
        arguments: [
            #"authorization: {credentials: "SEC\r\nX: y"}"#, #"authorization: {type: "SEC\nX", credentials: a}"#,
            #"http_headers: {X: {secrets: ["SEC\nRET"]}}"#, #"http_headers: {X: {values: ["SEC\0"]}}"#,
            #"http_headers: {"SEC T": {values: [a]}}"#,
        ])
    func headers(_ keys: String) throws {
        let rig = try Rig("    " + keys)
        let result = rig.scrape(.text("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\na 1\n"))
        #expect(result.up == 0)
        #expect(result.error.contains("net/http: invalid header field"), "\(result.error)")
        #expect(keys.contains("SEC T") || !result.error.contains("SEC"))
        #expect(rig.server.requestCount == 0)
    }

    /// A page of many megabytes, as sent or unpacked, that never ends.
    private static func endless(_ isPacked: Bool) throws -> [UInt8] {
        let line = Array("# \(String(repeating: "x", count: 1021))\n".utf8)
        let page = [UInt8]((0..<6 << 10).map { _ in line }.joined())
        var head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        guard isPacked else { return Array((head + "Content-Length: 99999999\r\n\r\n").utf8) + page }
        let body = try Gzip.compress(page + page + page)
        head += "Content-Encoding: gzip\r\nContent-Length: \(body.count)\r\n\r\n"
        return Array(head.utf8) + body
    }

    @Test("a target with a small page never fails for those whose pages do not end")
    func endlessNeighbours() throws {
        var options = ScrapeOptions()
        let bodies = ByteBudget(limit: 20 << 20, takesFromLargest: true)
        options.bodies = bodies
        let isFull = Mutex(false)
        let (endless, bomb) = (try Self.endless(false), try Self.endless(true))
        let page = String(repeating: "# a comment of a page that is not large\n", count: 1000) + "a 1\n"
        let server = try #require(
            RawServer { request in
                if request.startLine.contains("/endless") { return .send(endless) }
                // Two that have stalled hold most of it, for a day; there is no room for the third.
                while !isFull.withLock({ isFull in
                    if bodies.inUse > bodies.limit / 2 { isFull = true }
                    return isFull
                }) { usleep(1000) }
                return request.startLine.contains("/bomb") ? .send(bomb) : Self.answer(Array(page.utf8))
            })
        defer { server.stop() }
        let manager = ScrapeManager(
            store: ArrayStore(), clock: SystemClock(), metrics: MetricRegistry(), options: options)
        let targets = ["/endless", "/endless2", "/endless3", "/small", "/small2", "/bomb"].map {
            "{targets: ['127.0.0.1:\(server.port)'], labels: {__metrics_path__: \($0)}}"
        }
        let text = """
            scrape_configs:
              - {job_name: test, scrape_interval: 1d, scrape_timeout: 1d, static_configs: [\(targets.joined(separator: ", "))]}
            """
        manager.apply(try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml"))
        let scraping = Thread.start("scrape") { manager.scrapeNow() }
        func status(_ path: String) -> TargetStatus? { manager.targets().first { $0.url.hasSuffix(path) } }
        func ended() -> [String] { ["/endless", "/endless2", "/endless3"].filter { status($0)?.health == .down } }
        while ["/small", "/small2", "/bomb"].contains(where: { status($0)?.health == .unknown }) || ended().isEmpty {
            usleep(1000)
        }
        for path in ["/small", "/small2"] {
            #expect(status(path)?.health == .up, "\(status(path)?.lastError ?? "")")
        }
        let reason = "the bodies of all targets may take 20 MiB together, and this one takes the most"
        for path in ended() { #expect(status(path)?.lastError == reason, "\(path)") }
        // It may be unpacked when one of the others has ended and given its memory back.
        let packed = status("/bomb")
        #expect(packed?.lastError == reason || packed?.health == .up, "\(packed?.lastError ?? "")")
        manager.shutdown()
        scraping?.join()
    }

    @Test("the end waits for no target that hangs, whether it was up before, down, or never scraped")
    func hangingAtTheEnd() throws {
        let page = PageFetchTests.answer(Array("a 1\n".utf8))
        let failing = RawServer.Reaction.closing("HTTP/1.1 500 Bad\r\nContent-Length: 0\r\n\r\n")
        for (before, up, requests) in [(nil, nil, 0), (failing, 0, 1), (page, 1, 2)]
            as [(RawServer.Reaction?, Double?, Int)]
        {
            let rig = try Rig(timeout: "1d")
            if let before { #expect(rig.scrape(before).up == up) }
            rig.answer(.hang)
            // Only the one that was up is asked once more.
            rig.manager.shutdown(finalScrapeOfLoopback: true)
            #expect(rig.server.requestCount == requests)
        }
        // A scrape that is under way is given up.
        let rig = try Rig(timeout: "1d")
        rig.answer(.hang)
        let manager = rig.manager
        let scraping = Thread.start("scrape") { manager.scrapeNow() }
        while rig.server.requestCount == 0 { usleep(1000) }
        rig.manager.shutdown(finalScrapeOfLoopback: true)
        scraping?.join()
        while rig.server.openConnections > 0 { usleep(1000) }
    }

    @Test("a page that came in its time is not late because it waits for a worker")
    func waitingPage() throws {
        let page = [UInt8](repeating: UInt8(ascii: "#"), count: 4 << 20) + Array("\na 1\n".utf8)
        let packed = try Gzip.compress(page)
        let server = try #require(RawServer { _ in Self.answer(packed, encoding: "gzip") })
        defer { server.stop() }
        let text = "scrape_configs: [{job_name: test, scrape_interval: 1m, scrape_timeout: 10s}]"
        let config = try #require(
            try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml").scrapeConfigs.first)
        var pool = ScrapePool(
            ScrapeSettings(config, ScrapeOptions()), store: ArrayStore(), metrics: ScrapeMetrics(MetricRegistry()))
        let address = Label(name: "__address__", value: "127.0.0.1:\(server.port)")
        _ = pool.sync([TargetGroup(source: "test", targets: [[address]])], now: 0)
        let target = try #require(pool.targets.values.first)
        let clock = StandingClock(1_000_000)
        let budget = ByteBudget(limit: 64 << 20)
        let arrived = TimedSemaphore(value: 0)
        let fetch = Mutex<PageFetch?>(nil)
        let loop = try #require(
            ScrapeLoop(clock: clock, seed: 0, budget: budget))
        loop.start { work in
            if case .page(let found) = work { fetch.withLock { $0 = found } }
            arrived.signal()
        }
        defer { loop.stop() }
        loop.send([.scrapeNow(target, {})])
        arrived.wait()
        let found = try #require(fetch.withLock { $0 })
        clock.advance(60_000)
        var decoder = PageDecoder(clock: clock, budget: budget, largest: .max)
        guard case .page = decoder.decode(found) else {
            Issue.record("not read")
            return
        }
        #expect(decoder.size(found) == page.count)
        decoder.finish()
        // What took all of its time to come has none left for that.
        found.arrive(.max)
        var late = PageDecoder(clock: SystemClock(), budget: budget, largest: .max)
        guard case .failed(let reason) = late.decode(found) else {
            Issue.record("read")
            return
        }
        #expect(reason.description == "context deadline exceeded")
    }

    /// A store to which every new series costs time.
    private final class SlowStore: SampleStore {
        let stored = ArrayStore()
        let resolved = Atomic(0)

        func openGroup(_ name: String) -> SeriesGroup { stored.openGroup(name) }
        func closeGroup(_ group: SeriesGroup) { stored.closeGroup(group) }
        func find(_ labels: Labels) -> SeriesRef? { stored.find(labels) }
        func resolve(_ labels: Labels, in group: SeriesGroup) throws -> SeriesRef {
            resolved.wrappingAdd(1, ordering: .relaxed)
            usleep(1000)
            return try stored.resolve(labels, in: group)
        }
        func commit(
            _ batch: borrowing SampleBatch, in group: SeriesGroup, durability: Durability
        ) throws -> CommitOutcome { try stored.commit(batch, in: group, durability: durability) }
        func setMetadata(_ metadata: [(metric: String, metadata: MetricMetadata)], in group: SeriesGroup) {}
    }

    @Test("the end cuts off pages that are being read and those that wait, and stores nothing of them")
    func pagesAtTheEnd() throws {
        // Minutes of work for each page.
        let page = (0..<200_000).map { "a{i=\"\($0)\"} 1\n" }.joined()
        let server = try #require(RawServer { _ in Self.answer(Array(page.utf8)) })
        defer { server.stop() }
        let store = SlowStore()
        let manager = ScrapeManager(store: store, clock: SystemClock(), metrics: MetricRegistry())
        let targets = (0..<6).map { "{targets: ['127.0.0.1:\(server.port)'], labels: {i: '\($0)'}}" }
        let text = """
            scrape_configs:
              - {job_name: test, scrape_interval: 1d, static_configs: [\(targets.joined(separator: ", "))]}
            """
        manager.apply(try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml"))
        let scraping = Thread.start("scrape") { manager.scrapeNow() }
        while store.resolved.load(ordering: .relaxed) < 1000 { usleep(1000) }
        manager.shutdown()
        scraping?.join()
        #expect(store.resolved.load(ordering: .relaxed) < 200_000)
        #expect(store.stored.state.withLock { $0.commits } == [])
    }

    @Test("a gzip page that is cut anywhere is never stored")
    func truncated() throws {
        let rig = try Rig()
        let page = (0..<300).map { "a{x=\"\($0)\"} \($0 * 7919).25\n" }.joined()
        let whole = try Gzip.compress(Array(page.utf8))
        #expect(rig.scrape(Self.answer(whole, encoding: "gzip")).up == 1)
        for count in stride(from: 0, to: whole.count, by: 7) {
            let cut = Array(whole.prefix(count))
            let result = rig.scrape(Self.answer(cut, encoding: "gzip"))
            #expect(result.up == 0, "cut at \(count)")
            #expect(result.error == (count == 0 ? "EOF" : "unexpected EOF"))
            // Without a length the stream's own end is the only sign.
            let head = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n"
            #expect(rig.scrape(.sendAndClose(Array(head.utf8) + cut)).up == 0, "cut at \(count)")
        }
        #expect(rig.scrape(Self.answer(whole, encoding: "gzip")).up == 1)
    }

    @Test("framings of gzip and other codings are read as Go reads them")
    func codings() throws {
        let rig = try Rig()
        let (a, b) = (try Gzip.compress(Array("a 1\n".utf8)), try Gzip.compress(Array("b 2\n".utf8)))
        let unread = #"expected a valid start token, got "\x1f" ("INVALID") while parsing: "\x1f""#
        let cases: [(body: [UInt8], encoding: String, up: Double, error: String)] = [
            (a + b, "gzip", 1, ""), (a, "x-gzip", 0, unread), (a, "GZIP", 0, unread),
            (try Gzip.compress([]), "gzip", 1, ""),
            ([], "gzip", 0, "EOF"), (a + [1, 2], "gzip", 0, "unexpected EOF"),
            (a + Array("0123456789".utf8), "gzip", 0, "gzip: invalid header"),
            (Array("a 1\nb 2\n a 3".utf8), "gzip", 0, "gzip: invalid header"),
            (Array("a 1\n".utf8), "br", 1, ""), (Array("a 1\n".utf8), "identity", 1, ""), ([], "br", 1, ""),
            ([], "identity", 1, ""), (Array("a 1\n".utf8), "deflate", 1, ""),
        ]
        for (body, encoding, up, error) in cases {
            let result = rig.scrape(Self.answer(body, encoding: encoding))
            #expect(result.up == up && result.error == error, "\(encoding) \(body.count): \(result)")
        }
        let nothing = try Gzip.compress([])
        for type in [
            "text/plain", "application/openmetrics-text", "application/vnd.google.protobuf", "text/html", "x", "",
        ] {
            #expect(rig.scrape(Self.answer([], type: type)).up == 1, "\(type)")
            #expect(rig.scrape(Self.answer(nothing, encoding: "gzip", type: type)).up == 1, "\(type)")
        }
    }

    @Test("a page that ends early fails in Go's words, and status 300 is an answer like others")
    func endings() throws {
        let rig = try Rig()
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        #expect(rig.scrape(.closing(head + "Content-Length: 99\r\n\r\na 1\n")).error == "unexpected EOF")
        #expect(
            rig.scrape(.closing(head + "Transfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n")).error == "unexpected EOF")
        let loop = rig.scrape(.closing("HTTP/1.1 302 F\r\nLocation: /metrics\r\nContent-Length: 0\r\n\r\n")).error
        #expect(loop == "Get \"http://127.0.0.1:\(rig.server.port)/metrics\": stopped after 10 redirects")
        #expect(
            rig.scrape(.closing("HTTP/1.1 300 Many\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")).error
                == "server returned HTTP status 300 Many")
        #expect(rig.scrape(Self.answer(Array("a 1\n".utf8))).up == 1)
    }

    @Test("a bomb ends at the limit, and a large page is read by the worker for large pages")
    func large() throws {
        let rig = try Rig("    body_size_limit: 20MB")
        let bomb = try Gzip.compress([UInt8](repeating: 0x0A, count: 64 << 20))
        #expect(rig.scrape(Self.answer(bomb, encoding: "gzip")).error == "body size limit exceeded")
        let page = [UInt8](repeating: 0x0A, count: 12 << 20) + Array("a 7\n".utf8)
        #expect(rig.scrape(Self.answer(page)).up == 1)
        #expect(rig.scrape(Self.answer(try Gzip.compress(page), encoding: "gzip")).up == 1)
        #expect(rig.store.values(#"a{instance="here", job="test"}"#).last == 7)
        #expect(rig.manager.targets().first?.bodySize == page.count)
    }

    @Test("with a timeout of the whole interval, every interval has its sample of up")
    func fullTimeout() throws {
        let rig = try Rig(interval: "1s", timeout: "1s")
        let series = #"up{instance="here", job="test"}"#
        let clock = SystemClock()
        let end = clock.monotonic() + 60_000_000_000
        while rig.store.values(series).count < 6, clock.monotonic() < end { usleep(20_000) }
        let times = rig.store.samples[series]?.map(\.time) ?? []
        #expect(times.count >= 6)
        let distances = zip(times, times.dropFirst()).map { $1 - $0 }
        // Without the turn that waits every distance would be two intervals or more.
        #expect(distances.filter { $0 >= 1900 }.count <= 1, "\(distances)")
    }

    @Test("the loop's lag is a metric")
    func lag() throws {
        let rig = try Rig()
        let names = rig.registry.families().map(\.name)
        #expect(names.contains("martlet_scrape_loop_lag_seconds"))
        #expect(names.contains("martlet_scrape_loop_missed_scrapes_total"))
    }
}

@Suite("Turns of targets")
struct TurnTests {
    @Test("one scrape at a time, one more may wait, further ones are left out")
    func turn() {
        let turn = TargetTurn()
        #expect(turn.take(due: 1000, waits: true) == .taken)
        #expect(turn.take(due: 2000, waits: false) == .missed)
        #expect(turn.take(due: 2000, waits: true) == .waiting)
        #expect(turn.take(due: 3000, waits: true) == .missed)
        #expect(turn.release() == 2000)
        #expect(turn.take(due: 3000, waits: true) == .taken)
        #expect(turn.release() == 0)
    }

    @Test("turns that are past are left out, and late ones keep most of their time")
    func times() {
        let turns = TargetTurns(interval: 1000)
        #expect(turns.next(after: 5000, now: 5001) == (6000, 0))
        #expect(turns.next(after: 5000, now: 8500) == (9000, 3))
        #expect(turns.timestamp(due: 5000, now: 5002) == 5000)
        #expect(turns.timestamp(due: 5000, now: 5003) == 5003)
        #expect(turns.timeout(1000, due: 5000, now: 5003) == 997)
        #expect(turns.timeout(1000, due: 5000, now: 9000) == 900)
    }

    @Test("many targets of one interval do not starve one of another")
    func fairness() {
        var queue = TurnQueue<String>()
        for i in 0..<5000 { queue.add("slow \(i)", due: Int64(i), interval: 30_000) }
        queue.add("fast", due: 9000, interval: 1000)
        let first = [queue.take(), queue.take(), queue.take()].compactMap { $0?.item }
        #expect(first == ["slow 0", "fast", "slow 1"])
        #expect(queue.count == 4998)
        var rest: [String] = []
        while let next = queue.take() { rest.append(next.item) }
        #expect(rest == (2..<5000).map { "slow \($0)" })
    }
}
