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
        let bytes = encoded.reduce(0) { $0 + $1.count }
        printRow(kind.rawValue, [Double(bytes) / Double(chunks * samples), encodeTime, decodeTime])
    }
}
