import Synchronization
import TestSupport
import Testing

@testable import Telemetry

@Suite("Log")
struct LogTests {
    private final class Lines: Sendable {
        let texts = Mutex<[String]>([])
        let time = Atomic<Int64>(0)
        var all: [String] { texts.withLock { $0 } }
        func clear() { texts.withLock { $0 = [] } }

        /// Runs `body` with the limits of repeated messages, at ``time``.
        func listen(_ body: () -> Void) {
            Log.$listener.withValue({ [self] line in texts.withLock { $0.append(line) } }) {
                Log.$repeats.withValue(
                    LogRepeats(now: { [self] in time.load(ordering: .relaxed) }), operation: body)
            }
        }
    }

    @Test("a line is short, whatever is logged, and has the beginning and the end of each text")
    func longTexts() {
        let lines = Lines()
        for part in ["x", "é", "€", "😀", "e\u{301}", "\0", "\"", "a€"] {
            for count in [1000, 1024, 1025, 1100, 900_000] {
                let text = "begin" + String(repeating: part, count: count) + "end"
                let cut = Log.cut(text)
                #expect(cut.utf8.count <= Log.longest)
                #expect(!cut.contains("\u{FFFD}"))
                guard text.utf8.count > Log.longest else {
                    #expect(cut == text)
                    continue
                }
                let parts = cut.split(separator: "…")
                let left = Int(parts[1].drop { !$0.isNumber }.prefix { $0.isNumber })
                #expect(parts.count == 3 && text.hasPrefix(parts[0]) && text.hasSuffix(parts[2]))
                #expect(left == text.utf8.count - parts[0].utf8.count - parts[2].utf8.count)
                lines.listen {
                    Log("test").warn(text, ["a": text])
                    Log("test").warn("m", about: [text], ["a": text])
                }
            }
        }
        #expect(lines.all.allSatisfy { $0.utf8.count < 2 * 6 * Log.longest + 200 })
        #expect(lines.all.count > 40)
    }

    @Test("a message is logged once a minute about each subject, with the number of those left out")
    func repeats() {
        let lines = Lines()
        lines.listen {
            for second in 0..<121 {
                lines.time.store(Int64(second) * 1000, ordering: .relaxed)
                Log("test").warn("m", about: ["a"], ["t": "\(second)"])
                Log("test").error("other", about: ["a"], [:])
                // Another component has limits of its own.
                if second == 0 { Log("test2").info("m", about: ["a"], [:]) }
            }
        }
        let warnings = lines.all.filter { $0.contains("level=WARN") }.map { line in
            line.firstRange(of: "msg=m ").map { String(line[$0.upperBound...]) }
        }
        #expect(warnings == ["t=0", "t=60 not_logged=59", "t=120 not_logged=59"])
        #expect(lines.all.count { $0.contains("level=ERROR") } == 3)
        #expect(lines.all.count { $0.contains("test2") } == 1)
    }

    @Test("subjects that change all the time do not fill the log, and are not remembered")
    func manySubjects() {
        var limit = RepeatLimit()
        var random = SeededRandom(seed: SeededRandom.runSeed)
        var times: [Int64] = []
        var (calls, leftOut, now) = (0, 0, Int64(0))
        var last: [Int: Int64] = [:]
        for _ in 0..<200_000 {
            now += Int64.random(in: 0...5, using: &random)
            let kinds = Bool.random(using: &random) ? 5 : 100_000
            let subject = Int.random(in: 0..<kinds, using: &random)
            calls += 1
            guard let number = limit.admit(subject, at: now) else { continue }
            leftOut += number
            times.append(now)
            if let last = last[subject] { #expect(now - last >= RepeatLimit.span) }
            last[subject] = now
        }
        // Within any minute there are at most as many messages as subjects may have.
        for index in times.indices.dropFirst(RepeatLimit.mostSubjects) {
            #expect(times[index] - times[index - RepeatLimit.mostSubjects] >= RepeatLimit.span)
        }
        #expect(times.count >= Int(now / RepeatLimit.span) * RepeatLimit.mostSubjects)
        // Each message was logged, or is counted by one that was logged later.
        #expect(leftOut + times.count <= calls && calls - leftOut - times.count < 100_000)
        #expect(Mirror(reflecting: limit).children.contains { ($0.value as? [Int: Int64])?.count ?? 1_000 <= 60 })
    }
}
