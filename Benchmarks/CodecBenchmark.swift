import CReference
import Encoding
import Platform

/// Speed and size of the codecs of sealed chunks.
enum CodecBenchmark {
    static func run(_ kind: SyntheticSeries.Kind, _ clock: some Clock) {
        let (chunks, samples, rounds) = (200, 480, 5)
        var source = SyntheticSeries(seed: 1)
        let series = (0..<chunks).map { _ in source.values(kind, samples) }
        var encoder = ChunkEncoder()
        var encoded = series.map { _ in [UInt8]() }
        let total = Double(chunks * samples * rounds)
        let encodeStart = clock.monotonic()
        for _ in 0..<rounds {
            for i in 0..<chunks {
                encoded[i].removeAll(keepingCapacity: true)
                series[i].withUnsafeBufferPointer { encoder.encode($0, to: &encoded[i]) }
            }
        }
        let encodeTime = Double(clock.monotonic() - encodeStart) / total
        let target = UnsafeMutablePointer<Double>.allocate(capacity: samples)
        defer { target.deallocate() }
        let decodeStart = clock.monotonic()
        for _ in 0..<rounds {
            for i in 0..<chunks {
                encoded[i].withUnsafeBytes { raw in
                    var reader = ByteReader(raw)
                    do throws(DecodeError) {
                        try ValueChunk.read(&reader, count: samples, into: target)
                    } catch { print(error) }
                }
                if target[samples - 1].bitPattern != series[i][samples - 1].bitPattern { print("not equal") }
            }
        }
        let decodeTime = Double(clock.monotonic() - decodeStart) / total
        let reference = referenceTime(encoded, series, rounds, clock)
        let bytes = encoded.reduce(0) { $0 + $1.count }
        printRow(kind.rawValue, [Double(bytes) / Double(chunks * samples), encodeTime, decodeTime, reference])
    }

    /// Nanoseconds per sample of the same decoders in C; 0 for constants, which have none.
    private static func referenceTime(
        _ encoded: [[UInt8]], _ series: [[Double]], _ rounds: Int, _ clock: some Clock
    ) -> Double {
        let samples = series.first?.count ?? 0
        let target = UnsafeMutablePointer<Double>.allocate(capacity: samples)
        defer { target.deallocate() }
        // The C decoders read ahead.
        let padded = encoded.map { $0 + [UInt8](repeating: 0, count: 16) }
        var done = 0
        let start = clock.monotonic()
        for _ in 0..<rounds {
            for (i, bytes) in padded.enumerated() {
                let isRight = bytes.withUnsafeBufferPointer { buffer -> Bool in
                    guard let base = buffer.baseAddress else { return false }
                    let size = encoded[i].count - 1
                    switch bytes[0] {
                    case ValueChunk.packed: return reference_decimals(base + 1, size, samples, target) != 0
                    case ValueChunk.xor: return reference_xor(base + 1, size, samples, target) != 0
                    default: return false
                    }
                }
                guard isRight else { continue }
                done += samples
                if target[samples - 1].bitPattern != series[i][samples - 1].bitPattern { print("not equal in C") }
            }
        }
        return done == 0 ? 0 : Double(clock.monotonic() - start) / Double(done)
    }
}
