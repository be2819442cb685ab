import Model

/// The start timestamps of a chunk's samples, after its values: the number of steps, then for each the zigzag distance
/// of its time from the previous step, and of its start timestamp from its time.
public enum StartSteps {
    /// A flag in the first byte of a chunk: start timestamps follow its values.
    static let flag: UInt8 = 0x20

    /// Appends the start timestamps of the samples to a complete chunk.
    public static func append(_ starts: StartTimes, to chunk: inout ChunkParts) {
        guard !starts.isEmpty, !chunk.bytes.isEmpty else { return }
        chunk.bytes[0] |= flag
        chunk.bytes.appendVarint(starts.steps.count)
        var before: Int64 = 0
        for step in starts.steps {
            chunk.bytes.appendZigzag(step.time &- before)
            chunk.bytes.appendZigzag(step.start &- step.time)
            before = step.time
        }
    }

    /// Reads them after the values of a chunk with the first byte `header`; empty if there are none.
    public static func read(_ header: UInt8, _ reader: inout ByteReader) throws(DecodeError) -> StartTimes {
        var starts = StartTimes()
        guard header & flag != 0 else { return starts }
        var time: Int64 = 0
        for i in 0..<(try reader.count(reader.remaining)) {
            let next = time &+ (try reader.zigzag())
            guard i == 0 || next > time else { throw DecodeError(expected: "a later step", offset: reader.offset) }
            time = next
            starts.append(time &+ (try reader.zigzag()), from: time)
        }
        return starts
    }
}
