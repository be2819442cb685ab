/// The decoded times of chunks for one set of series; series that were sampled together share them.
///
/// Several threads may use it at once.
final class TimeStreams: Sendable {
    private struct Place: Hashable {
        var frame: UInt32
        var offset: UInt32
        var count: Int32

        init(_ chunk: ChunkRef) { (frame, offset, count) = (chunk.timesFrame, chunk.timesOffset, chunk.count) }
    }

    private struct Known {
        var streams: [Place: [Int64]] = [:]
        var size = 0
    }

    private let known = Guarded(Known())
    /// The most times that are kept, 1 MiB; the times of further chunks are decoded each time.
    private static let capacity = 1 << 17

    /// Copies the times of a chunk to `times`; returns false if they are not kept.
    func copy(_ chunk: ChunkRef, to times: UnsafeMutablePointer<Int64>) -> Bool {
        guard let stream = known.withLock({ $0.streams[Place(chunk)] }), stream.first == chunk.minTime,
            stream.last == chunk.maxTime
        else { return false }
        stream.withUnsafeBufferPointer { if let base = $0.baseAddress { times.update(from: base, count: $0.count) } }
        return true
    }

    /// Keeps the times of a chunk, if the capacity suffices.
    func keep(_ chunk: ChunkRef, _ times: UnsafeMutablePointer<Int64>) {
        let count = Int(chunk.count)
        known.withLock { known in
            guard known.size + count <= Self.capacity, known.streams[Place(chunk)] == nil else { return }
            known.streams[Place(chunk)] = Array(UnsafeBufferPointer(start: times, count: count))
            known.size += count
        }
    }
}
