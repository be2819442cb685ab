/// The questions about files, and the threads that ask them.
struct FileReadsState {
    /// A path by its bytes; texts are equal that differ in them.
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
        /// A thread will come to it.
        case waits
        case wakesThread, needsThread
    }

    enum Work {
        case ask(FileQuestion, Path)
        case idle, end
    }

    /// What is asked once for all who wait for it.
    private struct Asking {
        let question: FileQuestion
        /// Of those in ``asked`` who wait.
        var ids: Set<Int>
    }

    /// The questions about one path.
    private struct Lane {
        /// What a thread is asking, since when in ms.
        var current: (asking: Asking, since: Int64)?
        var next: [Asking] = []

        mutating func forget(_ id: Int, _ question: FileQuestion) {
            if current?.asking.ids.remove(id) != nil { return }
            guard let index = next.firstIndex(where: { $0.question == question }) else { return }
            next[index].ids.remove(id)
            if next[index].ids.isEmpty { next.remove(at: index) }
        }
    }

    /// Threads that stay without work.
    private static let mostIdle = 2
    /// Threads that have been asking for this long do not count as ones that will be free soon, ms.
    private static let longAsking: Int64 = 1000

    private(set) var asked: [Int: Waiter] = [:]
    private(set) var threads = 0
    private(set) var idle = 0
    private var lanes: [Path: Lane] = [:]
    /// Paths that wait for a thread, from ``firstReady`` on.
    private var ready: [Path] = []
    private var firstReady = 0
    /// When waits end, in order, because all are equally long.
    ///
    /// Those before ``firstDeadline`` are over.
    private var deadlines: [(due: Int64, id: Int)] = []
    private var firstDeadline = 0
    /// When the next task wakes that ends waits.
    private var alarm: Int64?
    private var lastID = 0
    private var patience: Int64
    private let mostThreads: Int

    init(patience: Int64, mostThreads: Int) {
        self.patience = patience
        self.mostThreads = mostThreads
    }

    // MARK: Questions

    mutating func add(
        _ question: FileQuestion, _ text: String, _ now: Int64, _ body: @escaping @Sendable (FileReads.Outcome) -> Void
    ) -> Added {
        let path = Path(text: text)
        let known = lanes[path]
        if let since = known?.current?.since, now &- since >= patience {
            return .refused(FileError("read", text, code: FileError.slow))
        }
        if known?.current == nil, isCrowded(now) { return .refused(FileError("read", text, code: FileError.crowded)) }
        lastID &+= 1
        asked[lastID] = Waiter(question: question, path: path, body: body)
        deadlines.append((now &+ patience, lastID))
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
        return lanes.values.allSatisfy { $0.current.map { now &- $0.since >= Self.longAsking } ?? true }
    }

    // MARK: Threads

    /// What a thread does next.
    mutating func take(_ now: Int64) -> Work {
        while firstReady < ready.count {
            let path = ready[firstReady]
            firstReady += 1
            Self.trim(&ready, &firstReady)
            guard var lane = lanes[path] else { continue }
            if lane.next.isEmpty {
                // All who asked have given up.
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

    /// Ends the question about a path that has been answered; those who waited for it.
    mutating func finish(_ path: Path) -> [Waiter] {
        guard var lane = lanes[path], let current = lane.current else { return [] }
        lane.current = nil
        lanes[path] = lane.next.isEmpty ? nil : lane
        if !lane.next.isEmpty { ready.append(path) }
        return current.asking.ids.compactMap { asked.removeValue(forKey: $0) }
    }

    /// Takes back a thread that the system refused; those whom no other thread will serve.
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

    /// Removes what a queue has behind it, if that is most of it.
    private static func trim<Element>(_ queue: inout [Element], _ first: inout Int) {
        guard first > 64, first * 2 > queue.count else { return }
        queue.removeFirst(first)
        first = 0
    }

    // MARK: Patience

    mutating func hurry(_ now: Int64, _ patience: Int64) {
        self.patience = min(self.patience, patience)
        let end = now &+ patience
        for index in deadlines.indices { deadlines[index].due = min(deadlines[index].due, end) }
    }

    /// When the next wait ends, if nobody is going to end it.
    mutating func nextAlarm() -> Int64? {
        while firstDeadline < deadlines.count, asked[deadlines[firstDeadline].id] == nil { firstDeadline += 1 }
        Self.trim(&deadlines, &firstDeadline)
        guard firstDeadline < deadlines.count else { return nil }
        let due = deadlines[firstDeadline].due
        if let alarm, alarm <= due { return nil }
        alarm = due
        return due
    }

    /// Ends the waits that are over.
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
