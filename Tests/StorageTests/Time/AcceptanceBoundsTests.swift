import Model
import TestSupport
import Testing

@testable import Storage

/// Which times are taken, and what becomes of those that are not.
@Suite struct AcceptanceBoundsTests {
    private static let hour: Int64 = 3_600_000
    private static let now: Int64 = 1_700_000_000_000

    private struct Scene {
        let directory: TemporaryFolder
        let clock: SteppingClock
        let store: TimeSeriesStore

        init(window: Int64 = 0, retention: Int64 = 15 * 24 * hour) throws {
            directory = try TemporaryFolder()
            clock = SteppingClock(now: AcceptanceBoundsTests.now)
            store = try TimeSeriesStore.open(
                options: StoreOptions(
                    directory: directory.path, retentionTime: retention, outOfOrderWindow: window, retentionWait: 0,
                    runsInBackground: false), clock: clock)
        }

        /// Pushes a sample of each series; returns why the first was refused.
        @discardableResult
        func push(_ samples: [(name: String, time: Int64)]) throws -> [SampleRejection] {
            let group = store.openGroup("push")
            var batch = SampleBatch()
            for (name, time) in samples {
                batch.append(
                    try store.resolve(TimeSeriesStoreTests.labels(["__name__": name]), in: group), 1, at: time)
            }
            return try store.commit(batch, in: group, durability: .written).rejected.map(\.reason)
        }
    }

    @Test func `New series far behind the newest sample are refused before they are acknowledged`() throws {
        for (window, reason) in [(Int64(0), SampleRejection.outOfBounds), (2 * Self.hour, .tooOld)] {
            let scene = try Scene(window: window)
            #expect(try scene.push([("now", Self.now)]) == [])
            let old: [Int64] = [
                3 * Self.hour, 10 * Self.hour, 20 * 24 * Self.hour, 60 * 24 * Self.hour, Self.now, Self.now - 1000,
            ]
            for (n, age) in old.enumerated() {
                #expect(try scene.push([("old\(n)", Self.now - age)]) == [reason])
            }
            #expect(try scene.push([("least", .min)]) == [reason])
            #expect(try scene.push([("hour", Self.now - Self.hour)]) == [])
            #expect(try scene.push([("more", Self.now - Self.hour - 1)]) == (window == 0 ? [reason] : []))
            let counts = scene.store.rejectedCounts.filter { $0.reason == reason }
            #expect(counts.reduce(0) { $0 + $1.count } == (window == 0 ? 8 : 7))
            // What was acknowledged is there after maintenanceLock.
            scene.store.runMaintenance()
            let names = try scene.store.labelValues(
                "__name__", SelectRequest(matchers: [], minTime: .min, maxTime: .max))
            #expect(Set(names).isSuperset(of: ["now", "hour"]))
            try scene.store.close()
        }
    }

    @Test func `The least time there is is out of bounds in an empty store, too`() throws {
        let scene = try Scene(retention: 0)
        #expect(try scene.push([("m", .min)]) == [.outOfBounds])
    }

    @Test func `One push with odd times makes no thousand blocks`() throws {
        let scene = try Scene()
        let odd = (0..<1499).map { (name: "odd\($0)", time: Self.now - Int64($0) * 6 * Self.hour) }
        #expect(try scene.push(odd).count == 1498)
        for _ in 0..<3 {
            scene.clock.pass(4 * Self.hour)
            try scene.push([("now", scene.clock.now())])
            scene.store.runMaintenance()
        }
        #expect(scene.store.blocks.count < 5)
        // The series that were refused do not stay either.
        #expect(scene.store.headSeries < 10)
    }

    @Test func `History that is pushed oldest first is taken by an empty store, however old`() throws {
        let scene = try Scene(retention: 0)
        let start = Self.now - 400 * 24 * Self.hour
        for minute in stride(from: Int64(0), to: 48 * 60, by: 30) {
            // Series by series within a request.
            for s in 0..<3 {
                let samples = (0..<30).map { (name: "m\(s)", time: start + (minute + Int64($0)) * 60_000) }
                #expect(try scene.push(samples) == [])
            }
            if minute % 300 == 0 { scene.store.runMaintenance() }
        }
        try scene.store.close()
    }

    @Test func `A sample of the future does not refuse those of now`() throws {
        let scene = try Scene()
        try scene.push([("now", Self.now)])
        scene.clock.set(by: 30 * 24 * Self.hour)
        try scene.push([("wrong", scene.clock.now())])
        scene.clock.set(by: -30 * 24 * Self.hour)
        #expect(try scene.push([("new", Self.now), ("now", Self.now + 1000)]) == [])
        // The one that has a sample of the future goes on, too.
        #expect(try scene.push([("wrong", Self.now + 1000)]) == [])
    }
}
