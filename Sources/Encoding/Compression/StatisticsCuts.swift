import Glibc

/// Decides at which of consecutive chunks an entropy coder begins with new statistics.
///
/// A table of code lengths costs some dozens of bytes, and is good for chunks with the same distribution. Chunks are
/// added to the current run as long as the run with one table is smaller than with two.
public struct StatisticsCuts: ~Copyable {
    /// The approximate bytes of a table and of the beginning of a block.
    private static let tableCost: Float = 60
    /// Shorter chunks never begin a run: their statistics are not reliable.
    private static let minSize = 96
    private var run = [UInt32](repeating: 0, count: 256)
    private var chunk = [UInt32](repeating: 0, count: 256)
    private let logarithms: [Float]

    public init() {
        logarithms = (0..<4096).map { $0 == 0 ? 0 : log2f(Float($0)) }
    }

    /// The offsets in `bytes` at which new statistics begin, ascending; `ends` are those of the chunks.
    public mutating func find(_ bytes: UnsafeRawBufferPointer, ends: [Int]) -> [Int] {
        var cuts: [Int] = []
        for i in 0..<256 { run[i] = 0 }
        var runSize = 0
        var start = 0
        for end in ends where end <= bytes.count {
            count(bytes, start..<end)
            let size = end &- start
            if size >= Self.minSize, runSize > 0 {
                let apart = cost(run, runSize) + cost(chunk, size) + Self.tableCost
                for i in 0..<256 { run[i] &+= chunk[i] }
                if cost(run, runSize &+ size) > apart {
                    cuts.append(start)
                    swap(&run, &chunk)
                    runSize = size
                } else {
                    runSize &+= size
                }
            } else {
                for i in 0..<256 { run[i] &+= chunk[i] }
                runSize &+= size
            }
            start = end
        }
        return cuts
    }

    private mutating func count(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        for i in 0..<256 { chunk[i] = 0 }
        chunk.withUnsafeMutableBufferPointer { counts in
            for i in range { counts[Int(bytes[i])] &+= 1 }
        }
    }

    /// The bytes of `size` symbols of this distribution.
    private func cost(_ counts: [UInt32], _ size: Int) -> Float {
        var sum = Float(size) * logarithm(UInt32(truncatingIfNeeded: size))
        for i in 0..<256 where counts[i] > 0 { sum -= Float(counts[i]) * logarithm(counts[i]) }
        return sum / 8
    }

    @inline(__always)
    private func logarithm(_ value: UInt32) -> Float {
        let drop = UInt32(max(20 &- value.leadingZeroBitCount, 0))
        return logarithms[Int(value &>> drop)] + Float(drop)
    }
}
