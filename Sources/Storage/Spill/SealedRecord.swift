import Encoding
import Model

/// A sealed chunk as read from its spill file.
struct SealedRecord {
    var codec: UInt8
    /// The values, if they are floats.
    var view: ChunkView
    /// The bytes, if they are native histograms.
    var payload: UnsafeRawBufferPointer

    /// The form of sealed integers, in addition to the forms of open chunks: ``FrameOfReference`` of the mantissas.
    ///
    /// An open chunk encodes each value when it is added; of a sealed chunk, all values are known.
    static let packed: UInt8 = 4
    private static let codecMask: UInt8 = 7

    /// Writes a chunk of integers as ``packed`` to `target`, which may be the memory of its words.
    ///
    /// - Returns: The number of bytes; nil if the chunk stays as it is, because the bytes do not fit or not all values
    ///   are integers.
    static func pack(_ view: ChunkView, to target: UnsafeMutableRawBufferPointer) -> Int? {
        guard view.codec == SeriesState.integer, view.scale >= 0, view.scale <= Decimal.maxScale else { return nil }
        return withUnsafeTemporaryAllocation(of: Double.self, capacity: HeadChunk.capacity) { values in
            withUnsafeTemporaryAllocation(of: Int64.self, capacity: HeadChunk.capacity) { mantissas in
                guard view.count <= HeadChunk.capacity, view.decode(into: values) else {
                    return nil
                }
                for i in 0..<view.count {
                    // Stale markers are not decimals.
                    guard let mantissa = Decimal.mantissa(values[i], view.scale) else { return nil }
                    mantissas[i] = mantissa
                }
                return FrameOfReference.write(
                    UnsafeBufferPointer(rebasing: mantissas[0..<view.count]), to: target)
            }
        }
    }

    /// Reads and checks the record of a chunk.
    ///
    /// - Throws: `StorageError.damaged` if the record is damaged, `FileError` if the system cannot read it now.
    static func withRecord<R>(_ chunk: SealedChunk, _ file: SpillFile, _ body: (SealedRecord) throws -> R) throws -> R {
        let length = Int(chunk.length)
        // The four bytes of the checksum are first, so that the bits are aligned; the bytes at the end are for the
        // reader of bits.
        return try withUnsafeTemporaryAllocation(byteCount: length &+ 4 &+ 16, alignment: 8) { buffer in
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
            guard length >= Head.recordHeader, try file.read(at: chunk.offset, length, into: buffer),
                let base = buffer.baseAddress
            else { throw StorageError.damaged("\(file.path): record at \(chunk.offset)") }
            let content = base + 4
            let codec = content.load(as: UInt8.self) & codecMask
            let bits = Int(UInt16(littleEndian: content.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
            let payload = content + Head.recordHeader
            var constant = 0.0
            if codec == SeriesState.constant {
                guard length >= Head.recordHeader &+ 8 else { throw StorageError.damaged(file.path) }
                constant = Double(
                    bitPattern: UInt64(littleEndian: payload.loadUnaligned(as: UInt64.self)))
            } else if codec != SeriesState.histogram {
                guard (bits &+ 7) >> 3 <= length &- Head.recordHeader else { throw StorageError.damaged(file.path) }
            }
            let view = ChunkView(
                codec: codec, scale: content.load(fromByteOffset: 1, as: Int8.self), count: Int(chunk.count),
                bits: bits, constant: constant,
                // The bytes at the end are included.
                words: UnsafeBufferPointer(
                    start: UnsafePointer(payload.assumingMemoryBound(to: UInt32.self)),
                    count: (length &- Head.recordHeader &+ 16) / 4))
            return try body(
                SealedRecord(
                    codec: codec, view: view,
                    payload: UnsafeRawBufferPointer(start: payload, count: length &- Head.recordHeader)))
        }
    }

    /// Appends all samples of a chunk.
    static func append(
        _ chunk: SealedChunk, _ file: SpillFile, _ times: [Int64], to columns: inout SampleColumns
    ) throws {
        let (first, count) = (Int(chunk.first), Int(chunk.count))
        guard first &+ count <= times.count else { throw StorageError.damaged("\(file.path): times of a chunk") }
        try withRecord(chunk, file) { record in
            if record.codec == SeriesState.histogram {
                var reader = ByteReader(record.payload)
                for i in first..<(first &+ count) {
                    do throws(DecodeError) {
                        if try reader.byte() == 0 {
                            columns.append(times[i], Staleness.marker)
                        } else if let histogram = try HistogramBytes.read(&reader) {
                            columns.append(times[i], histogram)
                        }
                    } catch { throw StorageError.damaged("\(file.path): \(error)") }
                }
                return
            }
            columns.reserve(count)
            let target = UnsafeMutableBufferPointer(start: columns.values + columns.count, count: count)
            guard record.view.decode(into: target) else {
                throw StorageError.damaged("\(file.path): record at \(chunk.offset)")
            }
            for i in 0..<count { columns.timestamps[columns.count &+ i] = times[first &+ i] }
            columns.count &+= count
        }
    }

    /// Reads and checks the times of the run of a chunk.
    static func times(_ chunk: SealedChunk, _ file: SpillFile) throws -> [Int64] {
        let most = 14 + 256 * 4
        return try withUnsafeTemporaryAllocation(byteCount: most, alignment: 8) { buffer -> [Int64] in
            // The record has the number of times, on which the size of the checked bytes depends; so it is read first.
            guard try file.peek(at: chunk.timesOffset, 2, into: buffer) else { throw StorageError.damaged(file.path) }
            let count = Int(UInt16(littleEndian: buffer.loadUnaligned(fromByteOffset: 4, as: UInt16.self)))
            let size = 10 + count * 4
            guard count <= 256, try file.read(at: chunk.timesOffset, size, into: buffer) else {
                throw StorageError.damaged("\(file.path): times at \(chunk.timesOffset)")
            }
            var reader = ByteReader(UnsafeRawBufferPointer(buffer), at: 6)
            let base = Int64(bitPattern: try reader.u64())
            var times: [Int64] = []
            times.reserveCapacity(count)
            for _ in 0..<count { times.append(base &+ Int64(try reader.u32())) }
            return times
        }
    }
}
