/// The queries about files, and the threads that run them.
struct FileReadsState {
    /// A path by its bytes, because equal texts may have different bytes.
    struct Path: Hashable, Sendable {
        let text: String

        static func == (a: Path, b: Path) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }
        func hash(into hasher: inout Hasher) { for byte in text.utf8 { hasher.combine(byte) } }
    }

    struct Waiter: Sendable {
        let question: FileQuestion
        let path: Path
        let body: @Sendable (FileReads.Outcome) -> Void

        func fail(_ code: Int32) { body(.failure(FileError("read", path.text, code: code))) }
    }

    enum Added {
        case refused(FileError)
        /// A thread will run it.
        case waits
        case wakesThread, needsThread
    }

    enum Work {
        case ask(FileQuestion, Path)
        case idle, end
    }

    /// A query that is run once for several waiters.
    private struct Asking {
        let question: FileQuestion
        /// The waiters of the query in ``asked``.
        var ids: Set<Int>
    }

    /// The queries about one path.
    private struct Lane {
        /// The query that a thread is running, and its start in ms.
        var current: (asking: Asking, since: Int64)?
        var next: [Asking] = []

        mutating func forget(_ id: Int, _ question: FileQuestion) {
            if current?.asking.ids.remove(id) != nil { return }
            guard let index = next.firstIndex(where: { $0.question == question }) else { return }
            next[index].ids.remove(id)
            if next[index].ids.isEmpty { next.remove(at: index) }
        }
    }

    /// The number of threads that stay without work.
    private static let mostIdle = 2
    /// The time after which a running query does not count as ending soon, ms.
    private static let longAsking: Int64 = 1000

    private(set) var asked: [Int: Waiter] = [:]
    private(set) var threads = 0
    private(set) var idle = 0
    private var lanes: [Path: Lane] = [:]
    /// The paths that wait for a thread, from ``firstReady`` on.
    private var ready: [Path] = []
    private var firstReady = 0
    /// The ends of the waits, which are in order because all waits have the same length.
    ///
    /// Those before ``firstDeadline`` are over.
    private var deadlines: [(due: Int64, id: Int)] = []
    private var firstDeadline = 0
    /// The time when the next task wakes to end waits.
    private var alarm: Int64?
    private var lastID = 0
    private var timeout: Int64
    private let mostThreads: Int

    init(timeout: Int64, mostThreads: Int) {
        self.timeout = timeout
        self.mostThreads = mostThreads
    }

    // MARK: Questions

    mutating func add(
        _ question: FileQuestion, _ text: String, _ now: Int64, _ body: @escaping @Sendable (FileReads.Outcome) -> Void
    ) -> Added {
        let path = Path(text: text)
        let known = lanes[path]
        if let since = known?.current?.since, now &- since >= timeout {
            return .refused(FileError("read", text, code: FileError.slow))
        }
        if known?.current == nil, isCrowded(now) { return .refused(FileError("read", text, code: FileError.crowded)) }
        lastID &+= 1
        asked[lastID] = Waiter(question: question, path: path, body: body)
        deadlines.append((now &+ timeout, lastID))
        var lane = known ?? Lane()
        if let index = lane.next.firstIndex(where: { $0.question == question }) {
            lane.next[index].ids.insert(lastID)
        } else {
            lane.next.append(Asking(question: question, ids: [lastID]))
        }
        lanes[path] = lane
        if known != nil { return .waits }
        ready.append(path)
        if idle > 0 {
            idle -= 1
            return .wakesThread
        }
        guard threads < mostThreads else { return .waits }
        threads += 1
        return .needsThread
    }

    /// Whether there is neither a thread for another path nor one that will be free soon.
    private func isCrowded(_ now: Int64) -> Bool {
        guard idle == 0, threads >= mostThreads else { return false }
        let running = lanes.values.compactMap(\.current)
        // A thread that has just ended a query, or was just started, runs none.
        return running.count >= threads && running.allSatisfy { now &- $0.since >= Self.longAsking }
    }

    // MARK: Threads

    /// The next work of a thread.
    mutating func take(_ now: Int64) -> Work {
        while firstReady < ready.count {
            let path = ready[firstReady]
            firstReady += 1
            Self.trim(&ready, &firstReady)
            guard var lane = lanes[path] else { continue }
            if lane.next.isEmpty {
                // All waiters have given up.
                lanes[path] = nil
                continue
            }
            let asking = lane.next.removeFirst()
            lane.current = (asking, now)
            lanes[path] = lane
            return .ask(asking.question, path)
        }
        ready.removeAll()
        firstReady = 0
        if idle < Self.mostIdle {
            idle += 1
            return .idle
        }
        threads -= 1
        return .end
    }

    /// Ends the query about a path after its answer; returns its waiters.
    mutating func finish(_ path: Path) -> [Waiter] {
        guard var lane = lanes[path], let current = lane.current else { return [] }
        lane.current = nil
        lanes[path] = lane.next.isEmpty ? nil : lane
        if !lane.next.isEmpty { ready.append(path) }
        return current.asking.ids.compactMap { asked.removeValue(forKey: $0) }
    }

    /// Removes a thread that the system refused from the count; returns the waiters that no other thread will serve.
    mutating func threadRefused() -> [Waiter] {
        threads -= 1
        guard threads == 0 else { return [] }
        let lost = Array(asked.values)
        asked = [:]
        lanes = [:]
        ready = []
        firstReady = 0
        return lost
    }

    /// Removes the processed part of a queue, if that is most of it.
    private static func trim<Element>(_ queue: inout [Element], _ first: inout Int) {
        guard first > 64, first * 2 > queue.count else { return }
        queue.removeFirst(first)
        first = 0
    }

    // MARK: Timeouts

    mutating func hurry(_ now: Int64, _ timeout: Int64) {
        self.timeout = min(self.timeout, timeout)
        let end = now &+ timeout
        for index in deadlines.indices { deadlines[index].due = min(deadlines[index].due, end) }
    }

    /// The end of the next wait, if no task is going to end it.
    mutating func nextAlarm() -> Int64? {
        while firstDeadline < deadlines.count, asked[deadlines[firstDeadline].id] == nil { firstDeadline += 1 }
        Self.trim(&deadlines, &firstDeadline)
        guard firstDeadline < deadlines.count else { return nil }
        let due = deadlines[firstDeadline].due
        if let alarm, alarm <= due { return nil }
        alarm = due
        return due
    }

    /// Ends the waits that are over; returns their waiters.
    mutating func expire(_ now: Int64) -> [Waiter] {
        if let set = alarm, set <= now { alarm = nil }
        var late: [Waiter] = []
        while firstDeadline < deadlines.count, deadlines[firstDeadline].due <= now {
            let id = deadlines[firstDeadline].id
            firstDeadline += 1
            guard let waiter = asked.removeValue(forKey: id) else { continue }
            lanes[waiter.path]?.forget(id, waiter.question)
            late.append(waiter)
        }
        return late
    }
}
