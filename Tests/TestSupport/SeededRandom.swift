import Glibc

/// Random numbers that are the same for the same seed.
///
/// Algorithm: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// The seed of the tests that want other numbers in each run: `MARTLET_SEED` of the environment, or a fresh number.
    ///
    /// It is printed once, when a test first asks for it: whoever sees a failure can repeat the run.
    public static let runSeed: UInt64 = {
        guard let given = getenv("MARTLET_SEED") else {
            let seed = UInt64.random(in: 0 ... .max)
            print("MARTLET_SEED=\(seed)")
            return seed
        }
        let text = String(cString: given)
        guard let seed = UInt64(text) else { preconditionFailure("MARTLET_SEED is not a number: \(text)") }
        print("MARTLET_SEED=\(seed)")
        return seed
    }()
}
