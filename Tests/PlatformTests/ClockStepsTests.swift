import Platform
import Testing

/// Steps of the wall clock against the monotonic clock.
@Suite struct ClockStepsTests {
    @Test func `A step is told once, with its length; slow drift is none`() {
        var steps = ClockSteps()
        var (wall, monotonic): (Int64, Int64) = (1_700_000_000_000, 77_000_000_000)
        #expect(steps.observe(wall: wall, monotonic: monotonic) == nil)
        for step: Int64 in [-300_000, -3_600_000, 600_000, 2_592_000_000, -500, 500] {
            for _ in 0..<100 {
                // 100 ms of drift in each look.
                (wall, monotonic) = (wall + 1100, monotonic + 1_000_000_000)
                #expect(steps.observe(wall: wall, monotonic: monotonic) == nil)
            }
            wall += step
            #expect(steps.observe(wall: wall, monotonic: monotonic) == step)
        }
        #expect(steps.count == 6)
    }

    @Test func `Times at the ends of their range do not trap`() {
        var steps = ClockSteps()
        for wall in [Int64.min, .max, 0, .min, .max] {
            _ = steps.observe(wall: wall, monotonic: .max)
            _ = steps.observe(wall: wall, monotonic: .min)
        }
    }
}
