import Synchronization

/// Times of chunks that were decoded for one set of series; series that were sampled together share them.
///
/// For several threads at once.
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

    private let known = Mutex(Known())
    /// Most times that are kept, 1 MiB; those that come later are decoded each time.
    private static let capacity = 1 << 17

    /// Writes the times of a chunk; false if they are not known.
    func copy(_ chunk: ChunkRef, to times: UnsafeMutablePointer<Int64>) -> Bool {
        guard let stream = known.withLock({ $0.streams[Place(chunk)] }), stream.first == chunk.minTime,
            stream.last == chunk.maxTime
        else { return false }
        stream.withUnsafeBufferPointer { if let base = $0.baseAddress { times.update(from: base, count: $0.count) } }
        return true
    }

    /// Keeps the times of a chunk, if there is room.
    func keep(_ chunk: ChunkRef, _ times: UnsafeMutablePointer<Int64>) {
        let count = Int(chunk.count)
        known.withLock { known in
            guard known.size + count <= Self.capacity, known.streams[Place(chunk)] == nil else { return }
            known.streams[Place(chunk)] = Array(UnsafeBufferPointer(start: times, count: count))
            known.size += count
        }
    }
}
