/// The start timestamps of a series: steps over time.
///
/// A counter has the same start timestamp until its next reset, so there are few steps; a delta has one for each
/// sample. The steps have times and not positions, so that samples may be left out without a change here.
public struct StartTimes: Sendable, Hashable {
    /// The start timestamp of the samples from a time on, until the next step.
    public struct Step: Timed, Sendable, Hashable {
        /// ms.
        public var time: Int64
        /// The start timestamp, ms; 0 if none is known.
        public var start: Int64

        public init(time: Int64, start: Int64) {
            self.time = time
            self.start = start
        }
    }

    private var blocks = SortedBlocks<Step>()

    /// The steps in order of time; neighbours differ.
    public var steps: [Step] { blocks.elements }

    public init() {}

    public var isEmpty: Bool { blocks.isEmpty }

    /// The time of the first step, ms.
    public var firstTime: Int64? { blocks.first?.time }

    /// The start timestamp of the newest samples; 0 if none is known.
    public var newest: Int64 { blocks.newest?.start ?? 0 }

    /// Sets `start` for all samples from `time` on.
    public mutating func append(_ start: Int64, from time: Int64) {
        while let last = blocks.newest, last.time >= time { blocks.removeNewest() }
        if start != newest { blocks.append(Step(time: time, start: start)) }
    }

    /// Copies the steps of `other` for samples from `time` on.
    public mutating func append(_ other: StartTimes, from time: Int64) {
        guard !isEmpty || !other.isEmpty else { return }
        append(other.start(at: time), from: time)
        other.blocks.forEach(after: other.blocks.position(after: time)) { step in
            append(step.start, from: step.time)
            return true
        }
    }

    /// The steps for samples from `first` to `last`; empty if there are none.
    public func part(from first: Int64, to last: Int64) -> StartTimes {
        var part = StartTimes()
        guard !isEmpty else { return part }
        part.append(start(at: first), from: first)
        blocks.forEach(after: blocks.position(after: first)) { step in
            guard step.time <= last else { return false }
            part.append(step.start, from: step.time)
            return true
        }
        return part
    }

    /// Sets `start` for a sample at `time`, before or after the last step, and for no other sample.
    public mutating func set(_ start: Int64, at time: Int64) {
        let old = self.start(at: time)
        guard start != old else { return }
        var position = blocks.position(after: time)
        let next = blocks.element(after: position)
        if let own = blocks.element(before: position), own.time == time {
            blocks.remove(before: position)
            position = blocks.position(after: time)
        }
        // Only the sample at `time` changes, so the sample 1 ms later has the step that it had, or the old start.
        if time < .max {
            if let next, next.time == time + 1 {
                if next.start == start { blocks.remove(before: blocks.position(after: next.time)) }
            } else {
                blocks.insert(Step(time: time + 1, start: old), at: position)
            }
        }
        position = blocks.position(after: time)
        if start != blocks.element(before: position)?.start ?? 0 {
            blocks.insert(Step(time: time, start: start), at: position)
        }
    }

    /// The start timestamp of a sample at `time`, ms; 0 if none is known.
    public func start(at time: Int64) -> Int64 {
        if blocks.isEmpty { return 0 }
        return blocks.element(before: blocks.position(after: time))?.start ?? 0
    }

    /// Removes steps that only samples before `time` need.
    public mutating func forget(before time: Int64) {
        guard let own = blocks.element(before: blocks.position(after: time)) else { return }
        if own.start == 0 { return blocks.removeAll(until: own.time) }
        if own.time > .min { blocks.removeAll(until: own.time - 1) }
    }

    /// Removes all steps, and keeps the memory.
    public mutating func removeAll() { blocks.removeAll() }

    public static func == (a: StartTimes, b: StartTimes) -> Bool { a.steps == b.steps }

    public func hash(into hasher: inout Hasher) { hasher.combine(steps) }
}
