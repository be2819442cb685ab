import Glibc
import TestSupport
import Testing

/// The random numbers of the tests themselves.
@Suite("Seeded random numbers")
struct SeededRandomTests {
    @Test("equal seeds give equal numbers, the published ones")
    func published() {
        var random = SeededRandom(seed: 1_234_567)
        #expect(
            (0..<3).map { _ in random.next() } == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
            ])
    }

    @Test("the environment gives the seed of a run")
    func environment() async {
        await #expect(processExitsWith: .success) {
            setenv("MARTLET_SEED", "18446744073709551615", 1)
            #expect(SeededRandom.runSeed == .max)
        }
    }

    @Test("without one a run has a fresh seed, which it keeps")
    func fresh() async {
        await #expect(processExitsWith: .success) {
            unsetenv("MARTLET_SEED")
            #expect(SeededRandom.runSeed == SeededRandom.runSeed)
        }
    }

    @Test("a seed that is not a number ends the run")
    func wrong() async {
        await #expect(processExitsWith: .failure) {
            setenv("MARTLET_SEED", "seven", 1)
            _ = SeededRandom.runSeed
        }
    }
}
