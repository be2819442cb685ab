/// Values like those of a node_exporter on a busy host.
struct SyntheticSeries {
    enum Kind: String, CaseIterable {
        case constant, slowInteger, counter, cpuSeconds, memoryPages, duration, ratio
    }

    /// Out of 100 series, how many are of each kind (performance study §3.2).
    static let mixture: [(Kind, Int)] = [
        (.constant, 52), (.slowInteger, 20), (.counter, 9), (.cpuSeconds, 7), (.memoryPages, 5), (.duration, 6),
        (.ratio, 1),
    ]

    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func random() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func values(_ kind: Kind, _ count: Int) -> [Double] {
        var level = Int64(random() % 10_000_000)
        let pace = Int64(random() % 400 + 20)
        return (0..<count).map { _ in
            let r = Int64(random() % 1_000_000)
            switch kind {
            case .constant: return Double(level)
            case .slowInteger:
                if r % 8 == 0 { level += r % 5 - 1 }
                return Double(level)
            case .counter:
                level += pace * 15 + r % (pace * 6)
                return Double(level)
            case .cpuSeconds:
                level += 1400 + r % 90
                return Double(level) / 100
            case .memoryPages:
                level += r % 601 - 300
                return Double(level) * 4096
            case .duration: return Double(2_000_000 + r % 260_000) / 1e9
            case .ratio: return Double(r) / 777_777
            }
        }
    }
}
