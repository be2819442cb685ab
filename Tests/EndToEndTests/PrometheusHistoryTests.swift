import Foundation
import TestSupport
import Testing

/// Histories of pushes and deletions in a real Prometheus, whose directory is imported.
///
/// A sample must be in the import if Prometheus answers it before it stops or after it starts again. Only one that was
/// deleted and not pushed again may be missing, and must not be there if Prometheus did not answer it before it stopped.
///
/// Prometheus can store several values of a time, of which it answers any, depending on the range of the query: also one
/// that was deleted before another one was pushed. The import must have one that Prometheus answered, or the last one.
@Suite(
    "Deletions in a real Prometheus before the import", .serialized,
    .enabled(if: PrometheusPeer.isInstalled, "needs Debian's prometheus"))
struct PrometheusHistoryTests {
    /// Blocks of ten minutes make a short history compact as often as a long one.
    private static let flags = ["--storage.tsdb.min-block-duration=10m"]
    private static let series = 6

    private static func labels(_ number: Int) -> [(String, String)] { [("__name__", "m"), ("s", "\(number)")] }

    /// What happened to each sample, in the order of the steps.
    private struct History {
        let probe: HTTPProbe
        let base: Int64
        var now: Int64
        var random: SeededRandom
        var step = 0
        var pushed: [Int: [Int64: Int]] = [:]
        var values: [Int: [Int64: Double]] = [:]
        var deletions: [(series: Set<Int>, times: ClosedRange<Int64>, step: Int)] = []

        init(_ probe: HTTPProbe, base: Int64, seed: UInt64) {
            (self.probe, self.base, now, random) = (probe, base, base, SeededRandom(seed: seed))
        }

        func isDeleted(_ number: Int, _ time: Int64) -> Bool {
            deletions.contains {
                $0.series.contains(number) && $0.times.contains(time) && $0.step > pushed[number]?[time] ?? -1
            }
        }

        mutating func number(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &random) }

        mutating func push(_ list: [(number: Int, times: [Int64])]) throws {
            step += 1
            var push = RemoteWritePush()
            for (number, times) in list where !times.isEmpty {
                for time in times {
                    pushed[number, default: [:]][time] = step
                    values[number, default: [:]][time] = Double(step) + Double(time % 1000) / 1000
                }
                push.append(labels(number), times.map { ($0, .float(values[number]?[$0] ?? .nan)) })
            }
            let answer = try #require(push.send(probe))
            try #require(answer.status == 204, "\(answer.text)")
        }

        mutating func pushForward(_ span: Int64) throws {
            var list: [(number: Int, times: [Int64])] = []
            for number in 0..<series where number == 0 || self.number(0...9) < 7 {
                let first = now + 1 + Int64(number)
                let distance = self.number(1000...20_000)
                list.append((number, Array(stride(from: first, through: now + span, by: Int(distance)))))
            }
            now += span
            try push(list)
        }

        /// Pushes new late samples, or again what was deleted.
        mutating func pushLate() throws {
            let number = Int(self.number(1...Int64(series - 1)))
            if number % 2 == 0, let old = deletions.randomElement(using: &random) {
                // Prometheus refuses another value for the newest sample.
                let newest = pushed[number]?.keys.max()
                let again = (pushed[number] ?? [:]).keys
                    .filter { old.times.contains($0) && isDeleted(number, $0) && $0 != newest }
                try push([(number, Array(again.sorted().prefix(100)))])
            } else {
                let times = Set((0..<self.number(1...100)).map { _ in self.number(base...now) })
                    .filter { pushed[number]?[$0] == nil }
                try push([(number, times.sorted())])
            }
        }

        mutating func delete(_ chosen: Set<Int>, _ times: ClosedRange<Int64>) throws {
            step += 1
            let selector = #"m{s=~"\#(chosen.sorted().map { "\($0)" }.joined(separator: "|"))"}"#
            func seconds(_ time: Int64) -> String { "\(time / 1000).\(String(time % 1000 + 1000).dropFirst())" }
            let answer = probe.post(
                "/api/v1/admin/tsdb/delete_series?match[]=" + HTTPProbe.escape(selector)
                    + "&start=\(seconds(times.lowerBound))&end=\(seconds(times.upperBound))", form: [])
            try #require(answer?.status == 204, "\(answer?.text ?? "")")
            deletions.append((chosen, times, step))
        }

        mutating func deleteSomething() throws {
            let from = number(base...now)
            let span = [1000, 100_000, 10_000_000][Int(number(0...2))]
            let chosen = (1..<series).filter { _ in number(0...1) == 0 }
            if !chosen.isEmpty { try delete(Set(chosen), from...(from + Int64(span))) }
        }
    }

    /// The samples of an answer, by series.
    private func samples(_ probe: HTTPProbe, at time: Int64) throws -> [Int: [Int64: String]] {
        var result: [Int: [Int64: String]] = [:]
        for (labels, list) in try PrometheusPeer.everything(probe, at: time) {
            guard let number = labels.split(separator: "=").last.flatMap({ Int($0) }) else { continue }
            for sample in list {
                let words = sample.split(separator: " ")
                guard words.count == 2, let time = Double(words[0]) else { continue }
                result[number, default: [:]][Int64((time * 1000).rounded())] = String(words[1])
            }
        }
        return result
    }

    /// Stops Prometheus, imports its directory, and compares what the three answer.
    private func check(
        _ history: History, _ prometheus: Daemon, _ data: String, _ folder: Folder, isKilled: Bool
    ) throws -> [Int: [Int64: String]] {
        let end = history.now + 3_600_000
        let live = try samples(prometheus.probe, at: end)
        if isKilled { prometheus.kill9() } else { prometheus.terminate() }
        let copy = data + "-copy"
        try FileManager.default.copyItem(atPath: data, toPath: copy)
        let restarted = try PrometheusPeer.start(copy, folder, Self.flags)
        try #require(restarted.waitReady(), "\(restarted.logText)")
        let again = try samples(restarted.probe, at: end)
        restarted.kill9()

        let store = data + "-store"
        let arguments = ["tsdb", "import", data, "--storage.tsdb.path=\(store)"]
        let taken = try PrometheusPeer.run(Daemon.martlet, arguments, in: folder)
        try #require(taken.status == 0, "\(taken.text)")
        let repeated = try PrometheusPeer.run(Daemon.martlet, arguments, in: folder)
        #expect(repeated.text.contains(" 0 of them new"), "\(repeated.text)")
        let port = LoopbackSocket.freePort()
        let config = try folder.write("martlet.yml", "global: {}\n")
        let daemon = try Daemon(
            Daemon.martlet,
            [
                "--config.file=\(config)", "--storage.tsdb.path=\(store)", "--web.listen-address=127.0.0.1:\(port)",
                "--storage.tsdb.retention.time=10y",
            ], port: port, folder: folder.url)
        try #require(daemon.waitReady(), "\(daemon.logText)")
        let found = try samples(daemon.probe, at: end)
        daemon.kill9()
        for number in 0..<Self.series {
            let own = found[number] ?? [:]
            let times = Set(live[number, default: [:]].keys).union(again[number, default: [:]].keys)
            let lost = times.filter { own[$0] == nil && !history.isDeleted(number, $0) }.sorted()
            let back = own.keys.filter { live[number]?[$0] == nil && history.isDeleted(number, $0) }.sorted()
            let wrong = own.filter { time, value in
                let answers = [live[number]?[time], again[number]?[time]].compactMap { $0 }
                return !answers.isEmpty && !answers.contains(value) && Double(value) != history.values[number]?[time]
            }.keys.sorted()
            #expect(lost.isEmpty && back.isEmpty, "\(number): lost \(lost), back \(back); \(taken.text)")
            #expect(wrong.isEmpty, "\(number): other values at \(wrong)")
        }
        try FileManager.default.removeItem(atPath: copy)
        return found
    }

    private func start(_ data: String, _ folder: Folder) throws -> Daemon {
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        let prometheus = try PrometheusPeer.start(data, folder, Self.flags)
        try #require(prometheus.waitReady(), "\(prometheus.logText)")
        return prometheus
    }

    /// The time of the first samples of a history, 0…599 s after the beginning of a block.
    private static func base(_ offset: Int64) -> Int64 {
        let now = Int64(Date().timeIntervalSince1970)
        return (now - now % 600 + offset) * 1000 - 5 * 3_600_000
    }

    @Test func `right values that were pushed late, after wrong ones were deleted, are imported`() throws {
        let folder = try Folder()
        let data = folder.url.path + "/prometheus"
        let prometheus = try start(data, folder)
        var history = History(prometheus.probe, base: Self.base(0), seed: 1)
        let base = history.base
        history.now = base + 300_000
        try history.push([(1, (0..<300).map { base + $0 * 1000 })])
        try history.delete([1], (base + 100_000)...(base + 200_000))
        try history.push([(1, (110..<190).map { base + $0 * 1000 + ($0 % 2) })])
        let found = try check(history, prometheus, data, folder, isKilled: false)
        #expect(found[1]?.count == 279)
    }

    @Test(arguments: [false, true])
    func `what was deleted in blocks that are all merged does not come back from the log`(isKilled: Bool) throws {
        let folder = try Folder()
        let data = folder.url.path + "/prometheus"
        let prometheus = try start(data, folder)
        var history = History(prometheus.probe, base: Self.base(0), seed: 2)
        for _ in 0..<12 {
            try history.pushForward(300_000)
            for number in 1..<Self.series {
                try history.push([(number, (1...20).map { history.now - 290_000 + $0 * 14_000 + 501 })])
            }
            usleep(300_000)
        }
        try history.delete(Set(0..<Self.series), (history.base + 1_000_000)...history.now)
        try history.pushForward(100_000)
        _ = try check(history, prometheus, data, folder, isKilled: isKilled)
    }

    /// What Prometheus compacts at which step depends on where in a block the history begins.
    @Test(arguments: [(1, 120), (2, 30), (2, 225), (2, 330), (3, 200)] as [(UInt64, Int64)])
    func `any history of pushes and deletions is imported as Prometheus answers`(run: UInt64, offset: Int64) throws {
        let folder = try Folder()
        let data = folder.url.path + "/prometheus"
        let prometheus = try start(data, folder)
        var history = History(prometheus.probe, base: Self.base(offset), seed: 1 + run)
        for _ in 0..<40 {
            switch history.number(0...99) {
            case 0..<45: try history.pushForward([10_000, 100_000, 400_000][Int(history.number(0...2))])
            case 45..<75: try history.pushLate()
            case 75..<90: try history.deleteSomething()
            case 90..<93: _ = prometheus.probe.post("/api/v1/admin/tsdb/clean_tombstones", form: [])
            default: usleep(300_000)
            }
        }
        _ = try check(history, prometheus, data, folder, isKilled: run % 2 == 0)
    }
}
