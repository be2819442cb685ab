/// The start timestamps of a series: steps over time.
///
/// A counter has the same start timestamp until its next reset, so there are few steps; a delta has one for each
/// sample. The steps have times and not positions, so that samples may be left out without a change here.
public struct StartTimes: Sendable, Hashable {
    /// The start timestamp of the samples from a time on, until the next step.
    public struct Step: Sendable, Hashable {
        /// ms.
        public var time: Int64
        /// The start timestamp, ms; 0 if none is known.
        public var start: Int64

        public init(time: Int64, start: Int64) {
            self.time = time
            self.start = start
        }
    }

    /// The steps in order of time; neighbours differ.
    public private(set) var steps: [Step] = []

    public init() {}

    public var isEmpty: Bool { steps.isEmpty }

    /// The start timestamp of the newest samples; 0 if none is known.
    public var newest: Int64 { steps.last?.start ?? 0 }

    /// Sets `start` for all samples from `time` on.
    public mutating func append(_ start: Int64, from time: Int64) {
        while let last = steps.last, last.time >= time { steps.removeLast() }
        if start != newest { steps.append(Step(time: time, start: start)) }
    }

    /// Copies the steps of `other` for samples from `time` on.
    public mutating func append(_ other: StartTimes, from time: Int64) {
        guard !isEmpty || !other.isEmpty else { return }
        append(other.start(at: time), from: time)
        for step in other.steps[other.position(behind: time)...] { append(step.start, from: step.time) }
    }

    /// The steps for samples from `first` to `last`; empty if there are none.
    public func part(from first: Int64, to last: Int64) -> StartTimes {
        var part = StartTimes()
        guard !isEmpty else { return part }
        part.append(start(at: first), from: first)
        for step in steps[position(behind: first)...] {
            guard step.time <= last else { break }
            part.append(step.start, from: step.time)
        }
        return part
    }

    /// Sets `start` for a sample at `time`, before or after the last step, and for no other sample.
    public mutating func set(_ start: Int64, at time: Int64) {
        let before = self.start(at: time)
        guard start != before else { return }
        let rest = steps[position(behind: time)...]
        steps.removeAll { $0.time >= time }
        append(start, from: time)
        if rest.first?.time != time &+ 1 { append(before, from: time &+ 1) }
        for step in rest { append(step.start, from: step.time) }
    }

    /// The start timestamp of a sample at `time`, ms; 0 if none is known.
    public func start(at time: Int64) -> Int64 {
        let at = position(behind: time)
        return at > 0 ? steps[at - 1].start : 0
    }

    /// Removes steps that only samples before `time` need.
    public mutating func forget(before time: Int64) {
        let at = position(behind: time)
        guard at > 0 else { return }
        steps.removeFirst(steps[at - 1].start == 0 ? at : at - 1)
    }

    /// Removes all steps, and keeps the memory.
    public mutating func removeAll() { steps.removeAll(keepingCapacity: true) }

    /// The number of steps until `time`.
    private func position(behind time: Int64) -> Int {
        var (low, high) = (0, steps.count)
        while low < high {
            let middle = (low + high) / 2
            if steps[middle].time <= time { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
