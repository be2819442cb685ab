import JSON
import Model
import PromQL

/// The text of one point, `[time,"value"]`, written into memory of the caller.
enum PointText {
    /// The most bytes of a point.
    static let maxLength = startLength + FloatText.maxAPILength + 2
    /// The most bytes of the time and the characters around it.
    static let startLength = 32

    /// Writes a time in seconds, with milliseconds if there are any; returns the number of bytes.
    @inline(__always)
    static func writeTime(_ milliseconds: Int64, to target: UnsafeMutablePointer<UInt8>) -> Int {
        target[0] = UInt8(ascii: "-")
        var end = milliseconds < 0 ? 1 : 0
        let (seconds, rest) = milliseconds.magnitude.quotientAndRemainder(dividingBy: 1000)
        end &+= FloatText.writeInt(Int64(truncatingIfNeeded: seconds), to: target + end)
        guard rest != 0 else { return end }
        target[end] = UInt8(ascii: ".")
        target[end &+ 1] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest / 100)
        target[end &+ 2] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest / 10 % 10)
        target[end &+ 3] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
        return end &+ 4
    }

    /// Writes the text before the value.
    @inline(__always)
    static func writeStart(_ milliseconds: Int64, to target: UnsafeMutablePointer<UInt8>) -> Int {
        target[0] = UInt8(ascii: "[")
        let end = 1 &+ writeTime(milliseconds, to: target + 1)
        target[end] = UInt8(ascii: ",")
        target[end &+ 1] = UInt8(ascii: "\"")
        return end &+ 2
    }

    /// Writes the value and the text after it.
    @inline(__always)
    static func writeValue(_ value: Double, to target: UnsafeMutablePointer<UInt8>) -> Int {
        let end = FloatText.writeAPI(value, to: target)
        target[end] = UInt8(ascii: "\"")
        target[end &+ 1] = UInt8(ascii: "]")
        return end &+ 2
    }
}

/// The text before the value at each step of a range query.
///
/// It is the same for all series, so it is made once.
struct StepTexts {
    /// Slots of ``PointText/startLength`` bytes.
    private var bytes: [UInt8]
    private var lengths: [UInt8]
    private static let size = PointText.startLength

    init(start: Int64, step: Int64, count: Int) {
        bytes = [UInt8](repeating: 0, count: count * Self.size)
        lengths = [UInt8](repeating: 0, count: count)
        bytes.withUnsafeMutableBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return }
            for i in 0..<count {
                let end = PointText.writeStart(start &+ Int64(i) &* step, to: base + i * Self.size)
                lengths[i] = UInt8(truncatingIfNeeded: end)
            }
        }
    }

    /// Writes the floats among the values of all steps, separated by commas.
    func write(_ values: [Double], _ writer: inout JSONWriter) {
        let steps = min(values.count, lengths.count)
        let capacity = 8192
        // A full block is passed to the writer immediately, so there is always space for one more point and its comma.
        let most = capacity - PointText.maxLength - 1
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: capacity) { block in
            guard let base = block.baseAddress else { return }
            bytes.withUnsafeBufferPointer { bytes in
                guard let starts = bytes.baseAddress else { return }
                var end = 0
                /// The position of the text of `previous` in the block.
                var (previous, text, length) = (UInt64(0), 0, 0)
                var isFirst = true
                for i in 0..<steps where Column.isFloat(values[i]) {
                    if end > most {
                        writer.part(UnsafeBufferPointer(start: base, count: end))
                        (end, length) = (0, 0)
                    }
                    base[end] = UInt8(ascii: ",")
                    end &+= isFirst ? 0 : 1
                    isFirst = false
                    (base + end).update(from: starts + i &* Self.size, count: Self.size)
                    end &+= Int(lengths[i])
                    let pattern = values[i].bitPattern
                    if pattern == previous, length > 0 {
                        (base + end).update(from: base + text, count: length)
                    } else {
                        (previous, text) = (pattern, end)
                        length = PointText.writeValue(values[i], to: base + end)
                    }
                    end &+= length
                }
                writer.part(UnsafeBufferPointer(start: base, count: end))
            }
        }
    }
}
