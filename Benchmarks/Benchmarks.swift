import Glibc
import Platform

/// Prints nanoseconds per sample and bytes per sample of codecs and blocks; build it with `-c release`.
@main
struct Benchmarks {
    static func main() throws {
        let clock = ProcessClock()
        if CommandLine.arguments.count > 1, CommandLine.arguments[1] == "head" {
            let series = CommandLine.arguments.count > 2 ? Int(CommandLine.arguments[2]) ?? 100_000 : 100_000
            return try HeadBenchmark.run(clock, series: series, scrapes: 240)
        }
        print("codec, 480 samples per chunk       bytes/sample   encode ns   decode ns   same in C")
        for kind in SyntheticSeries.Kind.allCases { CodecBenchmark.run(kind, clock) }
        print()
        try BlockBenchmark.run(clock)
    }
}

/// Writes a row with numbers in columns.
func printRow(_ name: String, _ numbers: [Double]) {
    func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
    let name = name + String(repeating: " ", count: max(0, 34 - name.count))
    print(name + numbers.map { padded(fixed($0), 12) }.joined())
}

/// A number with three decimals.
func fixed(_ value: Double) -> String {
    let scaled = Int((value * 1000 + 0.5).rounded(.down))
    let fraction = String(scaled % 1000)
    return "\(scaled / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
}

/// The processor time of this process, so that neighbours on the machine do not count.
final class ProcessClock: Clock {
    func now() -> Int64 { monotonic() / 1_000_000 }

    func monotonic() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    func sleep(until deadline: Int64) async throws {}
}
