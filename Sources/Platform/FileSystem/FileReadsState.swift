/// The queries about files.
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
        case needsThread(Path)
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

    /// The time after which a running query does not count as ending soon, ms.
    private static let longAsking: Int64 = 1000

    private(set) var asked: [Int: Waiter] = [:]
    private var lanes: [Path: Lane] = [:]
    /// The number of queries that threads are running.
    private var running = 0
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
        return known == nil ? .needsThread(path) : .waits
    }

    /// Whether there is neither a thread for another path nor one that will be free soon.
    private func isCrowded(_ now: Int64) -> Bool {
        // A thread that has just ended a query, or was just started, runs none.
        guard running >= mostThreads else { return false }
        return lanes.values.compactMap(\.current).allSatisfy { now &- $0.since >= Self.longAsking }
    }

    // MARK: Threads

    /// Begins the next query about a path; nil if all waiters have given up.
    mutating func take(_ path: Path, _ now: Int64) -> FileQuestion? {
        guard var lane = lanes[path], !lane.next.isEmpty else {
            lanes[path] = nil
            return nil
        }
        let asking = lane.next.removeFirst()
        lane.current = (asking, now)
        running += 1
        lanes[path] = lane
        return asking.question
    }

    /// Ends the query about a path after its answer; returns its waiters, and whether there is a next query.
    mutating func finish(_ path: Path) -> (waiters: [Waiter], isLeft: Bool) {
        guard var lane = lanes[path], let current = lane.current else { return ([], false) }
        lane.current = nil
        running -= 1
        lanes[path] = lane.next.isEmpty ? nil : lane
        return (current.asking.ids.compactMap { asked.removeValue(forKey: $0) }, !lane.next.isEmpty)
    }

    /// Removes the queries about a path for which the system has no thread; returns their waiters.
    mutating func refuse(_ path: Path) -> [Waiter] {
        let lane = lanes.removeValue(forKey: path)
        return lane?.next.flatMap(\.ids).compactMap { asked.removeValue(forKey: $0) } ?? []
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
