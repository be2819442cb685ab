import Synchronization

/// The windows in which the head may have samples: a limited number.
///
/// Each window has a spill file and becomes a part of a block. Without a limit, one request with odd timestamps could
/// make thousands of both.
final class HeadWindows: Sendable {
    /// The most windows, besides those of the present time: 768, or a quarter of the files that may be open.
    let most: Int
    private let known = Mutex<Set<Int64>>([])
    private let generation = Atomic<UInt32>(1)

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
        known.withLock { known in
            if known.contains(end) { return .known }
            guard isPresent || known.count < most else { return .refused }
            known.insert(end)
            return .added
        }
    }

    /// The number of windows.
    var count: Int { known.withLock { $0.count } }

    /// Replaces the windows by those in which the head has samples.
    ///
    /// A window of a batch that is being committed may be missing in `ends`; its next batch adds it again.
    func replace(_ ends: [Int64]) {
        known.withLock { $0 = Set(ends) }
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
