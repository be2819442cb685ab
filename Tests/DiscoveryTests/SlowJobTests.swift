import Config
import Discovery
import Model
import Platform
import Synchronization
import Telemetry
import Testing

@Suite("Jobs whose groups take long to use")
struct SlowJobTests {
    @Test("while a job's groups are being used, other jobs and a reload do not wait, and the newest groups follow")
    func slowJob() async throws {
        let (entered, go) = (TimedSemaphore(value: 0), TimedSemaphore(value: 0))
        let seen = Mutex<[String: [String]]>([:])
        let isFirst = Atomic(true)
        let manager = DiscoveryManager(name: "scrape", clock: SystemClock(), metrics: MetricRegistry()) { job, groups in
            if job == "slow", isFirst.exchange(false, ordering: .relaxed) {
                entered.signal()
                _ = go.wait(milliseconds: 60_000)
            }
            seen.withLock { $0[job, default: []].append(groups.first?.targets.first?.first?.value ?? "") }
        }
        @Sendable func jobs(_ target: String) -> [DiscoveryJob] {
            ["slow", "fast"].map { name in
                DiscoveryJob(name: name, staticConfigs: [TargetGroupConfig(targets: [target], labels: [])])
            }
        }
        let first = BlockingCall.task { manager.apply(jobs("1")) }
        #expect(entered.wait(milliseconds: 60_000))
        manager.apply(jobs("2"))
        manager.apply(jobs("3"))
        #expect(seen.withLock { $0["fast"]?.last } == "3")
        #expect(seen.withLock { $0["slow"] } == nil)
        go.signal()
        await first.value
        #expect(seen.withLock { $0["slow"] } == ["1", "3"])
        manager.shutdown()
    }
}
