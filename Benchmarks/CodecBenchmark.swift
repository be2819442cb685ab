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
        var encoded = series.map { _ in ChunkParts() }
        let total = Double(chunks * samples * rounds)
        let encodeStart = clock.monotonic()
        for _ in 0..<rounds {
            for i in 0..<chunks {
                encoded[i].removeAll()
                series[i].withUnsafeBufferPointer { encoder.encode($0, to: &encoded[i]) }
            }
        }
        let encodeTime = Double(clock.monotonic() - encodeStart) / total
        // As in a frame: the place of the bits in the chunk, and what is read ahead behind them.
        let frames = encoded.map { chunk -> (bytes: [UInt8], bits: [UInt8]) in
            var frame: (bytes: [UInt8], bits: [UInt8]) = ([], [])
            chunk.append(to: &frame.bytes, bits: &frame.bits)
            frame.bits += [UInt8](repeating: 0, count: PackedIntegers.padding)
            return frame
        }
        let target = UnsafeMutablePointer<Double>.allocate(capacity: samples)
        defer { target.deallocate() }
        let decodeStart = clock.monotonic()
        for _ in 0..<rounds {
            for i in 0..<chunks {
                frames[i].bytes.withUnsafeBytes { raw in
                    frames[i].bits.withUnsafeBytes { bits in
                        var reader = ByteReader(raw)
                        do throws(DecodeError) {
                            try ValueChunk.read(&reader, bits: bits, count: samples, into: target)
                        } catch { print(error) }
                    }
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
        _ encoded: [ChunkParts], _ series: [[Double]], _ rounds: Int, _ clock: some Clock
    ) -> Double {
        let samples = series.first?.count ?? 0
        let target = UnsafeMutablePointer<Double>.allocate(capacity: samples)
        defer { target.deallocate() }
        // The C decoders read ahead.
        let padded = encoded.map { (bytes: $0.bytes, bits: $0.bits + [UInt8](repeating: 0, count: 16)) }
        var done = 0
        let start = clock.monotonic()
        for _ in 0..<rounds {
            for (i, chunk) in padded.enumerated() {
                let isRight = chunk.bits.withUnsafeBufferPointer { bits -> Bool in
                    guard let raw = bits.baseAddress else { return false }
                    let size = chunk.bytes.count - 1
                    let payload = Array(chunk.bytes.dropFirst())
                    switch chunk.bytes[0] {
                    case ValueChunk.packed: return reference_decimals(payload, size, raw, samples, target) != 0
                    case ValueChunk.xor: return reference_xor(raw, encoded[i].bits.count, samples, target) != 0
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
