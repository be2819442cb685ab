import TestSupport
import Testing

@testable import Storage

/// How far the clock is believed where data is deleted.
@Suite struct TrustedTimeTests {
    private static let hour: Int64 = 3_600_000
    private static let day: Int64 = 24 * hour
    private static let now: Int64 = 1_700_000_000_000

    /// A trusted time and both clocks.
    private struct Scene {
        var time: TrustedTime
        var wall: Int64
        var monotonic: Int64 = 5_000

        init(limit: Int64?, wall: Int64) {
            time = TrustedTime(limit: limit)
            self.wall = wall
            time.observe(wall: wall, monotonic: monotonic)
        }

        mutating func pass(_ span: Int64, step: Int64 = 1000) {
            var left = span
            while left > 0 {
                let part = min(step, left)
                wall += part
                monotonic += part
                left -= part
                time.observe(wall: wall, monotonic: monotonic)
            }
        }

        mutating func set(by step: Int64) {
            wall += step
            time.observe(wall: wall, monotonic: monotonic)
        }
    }

    @Test func `A clock that is 30 days ahead at the start is not believed`() {
        var scene = Scene(limit: Self.now, wall: Self.now + 30 * Self.day)
        scene.pass(60_000)
        #expect(scene.time.limit == Self.now + 60_000)
        scene.set(by: -30 * Self.day)
        scene.pass(20 * Self.hour, step: 60_000)
        #expect(scene.time.limit == Self.now + 60_000 + 20 * Self.hour)
    }

    @Test func `A host that was off for a month is believed after half a day`() {
        var scene = Scene(limit: Self.now, wall: Self.now + 30 * Self.day)
        scene.pass(12 * Self.hour - 60_000, step: 60_000)
        #expect(scene.time.limit == Self.now + 12 * Self.hour - 60_000)
        scene.pass(120_000, step: 60_000)
        #expect(scene.time.limit == scene.wall)
    }

    @Test func `A night of 16 hours is believed within a working day`() {
        var scene = Scene(limit: Self.now, wall: Self.now + 16 * Self.hour)
        scene.pass(6 * Self.hour, step: 60_000)
        #expect(scene.time.limit == scene.wall)
    }

    @Test func `A store of which nothing is known waits`() {
        var scene = Scene(limit: nil, wall: Self.now)
        scene.pass(11 * Self.hour, step: 60_000)
        #expect(scene.time.retentionTime(wall: scene.wall, newest: scene.wall) == nil)
        scene.pass(2 * Self.hour, step: 60_000)
        #expect(scene.time.retentionTime(wall: scene.wall, newest: scene.wall) == scene.wall)
    }

    @Test func `Random steps of the clock never move the trusted time faster than the monotonic clock`() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<200 {
            var scene = Scene(limit: Self.now, wall: Self.now + Int64.random(in: 0...60 * Self.day, using: &random))
            let began = scene.monotonic
            for _ in 0..<50 {
                scene.set(by: Int64.random(in: -40 * Self.day...40 * Self.day, using: &random))
                // Shorter than any wait that would make a clock believed.
                scene.pass(Int64.random(in: 1..<TrustedTime.shortestWait, using: &random), step: 30_000)
                #expect(scene.time.limit == Self.now + scene.monotonic - began || (scene.time.limit ?? 0) == scene.wall)
                if let limit = scene.time.limit { #expect(limit <= Self.now + scene.monotonic - began) }
            }
        }
    }

    @Test func `What lies in the future says nothing about the time`() {
        #expect(TrustedTime.newest([Self.now - 5, Self.now + 100 * Self.day], wall: Self.now) == Self.now - 5)
        #expect(TrustedTime.newest([Self.now + 1000], wall: Self.now) == Self.now + 1000)
        #expect(TrustedTime.newest([], wall: Self.now) == nil)
    }
}
