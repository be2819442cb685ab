import Model
import Synchronization

/// The windows in which the head may have samples: a limited number.
///
/// Each window has a spill file and becomes a part of a block. Without a limit, one request with odd timestamps could
/// make thousands of both.
final class HeadWindows: Sendable {
    /// The most windows, besides those of the present time: 768, or a quarter of the files that may be open.
    let most: Int
    private let state = Mutex(State())
    private let generation = Atomic<UInt32>(1)

    private struct State {
        var known: Set<Int64> = []
        /// The windows of a push that was refused, and the time until which places are kept for it, ns.
        var awaited: (ends: Set<Int64>, until: Int64)?
    }

    /// The time for which places are kept for a push that was refused, ns: its sender sends it again meanwhile.
    static let longestWait: Int64 = 10_000_000_000

    /// The windows that may be in the head although all complete ones became blocks: those of the newest times.
    ///
    /// A push with the most windows does not wait for them.
    private static let incomplete = 4

    init(openFiles: Int = .max) { most = Self.most(openFiles: openFiles) }

    static func most(openFiles: Int) -> Int { min(768, max(8, openFiles / 4)) }

    /// Changes whenever windows may have been removed: a window that was admitted before must be admitted again.
    var current: UInt32 { generation.load(ordering: .acquiring) }

    /// The result of the question for a window.
    enum Admission {
        case known, added, refused
    }

    /// Adds a window, by its end, unless the head has the most windows already.
    ///
    /// - Parameter isPresent: Whether the window is one of the present time, which is always added.
    func admit(_ end: Int64, isPresent: Bool) -> Admission {
        state.withLock { state in
            if state.known.contains(end) { return .known }
            guard isPresent || state.known.count < most else { return .refused }
            state.known.insert(end)
            return .added
        }
    }

    /// The result of the question for the windows of a push.
    enum PushAdmission {
        case all, some, none
    }

    /// Adds all windows of a push, by their ends, or none.
    ///
    /// A push of which a part is stored would need the windows of this part again each time that it is sent, although
    /// they are blocks by then; several senders would never find enough places. For the same reason, places are kept
    /// for a push that was refused. A push with more than the most windows is stored in part.
    ///
    /// - Parameter now: The time of the monotonic clock, ns.
    func admit(_ ends: Set<Int64>, now: Int64) -> PushAdmission {
        state.withLock { state in
            if let awaited = state.awaited, now >= awaited.until { state.awaited = nil }
            let isAwaited = state.awaited?.ends == ends
            let added = ends.subtracting(state.known)
            var kept: Set<Int64> = []
            if !isAwaited, let awaited = state.awaited {
                kept = awaited.ends.subtracting(state.known).subtracting(added)
            }
            let places = most &+ Self.incomplete &- state.known.count &- kept.count
            if added.isEmpty || added.count <= places {
                state.known.formUnion(added)
                if isAwaited { state.awaited = nil }
                return .all
            }
            if ends.count > most, places >= most / 2 { return .some }
            if state.awaited == nil, ends.count <= most { state.awaited = (ends, now &+ Self.longestWait) }
            return .none
        }
    }

    /// Whether places are kept for a push at this time of the monotonic clock, ns.
    func isAwaited(_ now: Int64) -> Bool { state.withLock { $0.awaited.map { now < $0.until } ?? false } }

    /// The number of windows.
    var count: Int { state.withLock { $0.known.count } }

    /// Replaces the windows by those in which the head has samples.
    ///
    /// A window of a batch that is being committed may be missing in `ends`; its next batch adds it again.
    func replace(_ ends: [Int64]) {
        state.withLock { $0.known = Set(ends) }
        generation.wrappingAdd(1, ordering: .releasing)
    }
}

/// The window that a group's last sample was in: a check without a lock for almost all samples.
struct AdmittedWindow {
    /// The first time, and the first time after the window, ms.
    private var times: Range<Int64> = 0..<0
    private var generation: UInt32 = 0
    /// Whether samples of this time are admitted; asks the head's list if it is in another window than the last time.
    ///
    /// - Parameters:
    ///   - presentFrom: Windows that end after this time are those of the present.
    ///   - added: Counts the windows that were not in the head's list.
    @inline(__always)
    mutating func admits(_ time: Int64, _ head: Head, presentFrom: Int64, _ added: inout Int) -> Bool {
        let current = head.admittedWindows.current
        if generation == current, times.contains(time) { return true }
        return admits(windowOf: time, head, current, presentFrom: presentFrom, &added)
    }

    @inline(never)
    private mutating func admits(
        windowOf time: Int64, _ head: Head, _ current: UInt32, presentFrom: Int64, _ added: inout Int
    ) -> Bool {
        let end = head.windowEnd(time)
        switch head.admittedWindows.admit(end, isPresent: end > presentFrom) {
        case .known: break
        case .added: added &+= 1
        case .refused: return false
        }
        generation = current
        let (start, overflow) = end.subtractingReportingOverflow(head.blockDuration)
        times = (overflow ? .min : start)..<max(end, overflow ? .min : start)
        return true
    }
}

extension Head {
    /// The windows, by their ends, of samples of a push that are before the windows of the present.
    func oldWindows(_ batch: borrowing SampleBatch, _ bounds: AcceptanceBounds) -> Set<Int64> {
        var ends: Set<Int64> = []
        var last = 0..<(0 as Int64)
        func add(_ time: Int64) {
            guard time < bounds.presentFrom, time >= bounds.earliest, !last.contains(time) else { return }
            let end = windowEnd(time)
            guard end <= bounds.presentFrom else { return }
            last = time..<end
            ends.insert(end)
        }
        if batch.timestamps.count == batch.refs.count {
            for time in batch.timestamps { add(time) }
        } else {
            add(batch.timestamp)
        }
        return ends
    }

    /// Admits the windows of a push together, or refuses all its samples.
    func admitWindows(_ batch: borrowing SampleBatch, _ bounds: inout AcceptanceBounds, now: () -> Int64) {
        guard bounds.maySendAgain else { return }
        let ends = oldWindows(batch, bounds)
        guard !ends.isEmpty else { return }
        switch admittedWindows.admit(ends, now: now()) {
        case .all: bounds.presentFrom = .min
        case .some: break
        case .none: bounds.refuseAll()
        }
    }
}
