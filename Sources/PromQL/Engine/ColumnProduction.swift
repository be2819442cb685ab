import Dispatch
import Model
import Synchronization

/// What became of one series.
enum MadeColumn {
    /// It has nothing to show; of so many samples that were read.
    case nothing(read: Int, counted: SampleCount = SampleCount())
    /// Its values were written.
    case values(read: Int, counted: SampleCount)
    /// It has histograms, or start timestamps that the function sees, which are left to the query's own thread.
    case apart
    case failed
}

/// What one thread makes columns with; memory that it reuses from series to series.
final class ColumnScratch {
    var samples = SampleColumns()
    var tables: WindowTables?
    var resets: [Int32] = []
    /// The series whose samples are in `samples`; −1 for none.
    var index = -1
    private var room: MemoryRoom

    init(_ guardian: QueryGuard) { room = MemoryRoom(guardian) }

    /// Charges what the memory has grown by.
    func charge() throws(BudgetExcess) {
        try room.charge(samples.heldBytes &+ (tables?.heldBytes ?? 0) &+ resets.capacity &* 4)
    }

    func release() { room.release() }
}

/// How many made columns wait at most: so many morsels of so many series.
private struct ColumnRing {
    let morsel: Int
    let count: Int
    /// Bytes of their memory.
    let bytes: Int

    init(steps: Int, helpers: Int) {
        morsel = helpers > 0 ? max(1, min(128, 8192 / max(1, steps))) : 1
        count = helpers > 0 ? helpers * 3 + 3 : 1
        bytes = count * morsel * (steps * 8 + MemoryLayout<MadeColumn>.stride)
    }
}

/// Makes the values of one series over all steps; for several threads at once.
protocol ColumnMaker: Sendable {
    func make(_ index: Int, _ scratch: ColumnScratch, _ out: UnsafeMutablePointer<Double>) throws -> MadeColumn
}

/// Makes the columns of a set's series, on several threads where there is much to do, and hands them on in order.
///
/// Threads take morsels of neighbouring series. What is done with the columns is done on the query's own thread in the
/// order of the series, so that no result depends on the number of threads. Made columns wait in a ring of slots, so
/// that there are never more of them than a few morsels.
final class ColumnProduction<Maker: ColumnMaker>: @unchecked Sendable {
    // SAFETY: a slot belongs to the thread that took its morsel until it is marked as filled, then to the consumer
    // until the morsel is released; both change hands under the lock of `state`.
    private struct State {
        /// The next morsel to make, and the next to hand on.
        var next = 0
        var consumed = 0
        var helpers = 0
        var isStopped = false
        var isFilled: [Bool]
    }

    private let maker: Maker
    private let count: Int
    private let steps: Int
    private let morsel: Int
    private let ring: Int
    private let values: UnsafeMutablePointer<Double>
    private let made: UnsafeMutablePointer<MadeColumn>
    private let state: Mutex<State>
    private let failures = Mutex<[Int: any Error]>([:])
    private let ready = DispatchSemaphore(value: 0)
    private let helpers: Int
    private let crew: WorkerCrew
    private let guardian: QueryGuard
    private let bytes: Int
    private let cost = Mutex(ReadCost())
    private let helpTime = Atomic<Int64>(0)

    /// What all threads have read from, when ``run(_:)`` has returned.
    var readCost: ReadCost { cost.withLock { $0 } }

    /// What helpers have worked, ns, when ``run(_:)`` has returned.
    var helpedTime: Int64 { helpTime.load(ordering: .relaxed) }

    /// Charges and makes the ring; `helpers` is how many threads may work besides the caller's.
    init(
        _ maker: Maker, count: Int, steps: Int, helpers: Int, crew: WorkerCrew, _ guardian: QueryGuard
    ) throws(BudgetExcess) {
        let shape = ColumnRing(steps: steps, helpers: helpers)
        try guardian.memory.charge(shape.bytes)
        self.maker = maker
        self.count = count
        self.steps = steps
        self.helpers = helpers
        self.crew = crew
        self.guardian = guardian
        bytes = shape.bytes
        morsel = shape.morsel
        ring = shape.count
        values = .allocate(capacity: max(1, ring * morsel * steps))
        made = .allocate(capacity: ring * morsel)
        made.initialize(repeating: .failed, count: ring * morsel)
        state = Mutex(State(isFilled: [Bool](repeating: false, count: ring)))
    }

    deinit {
        values.deallocate()
        made.deallocate()
    }

    private var morsels: Int { (count + morsel - 1) / morsel }

    /// Calls `consume` with each series that was made, in order, on the caller's thread; once.
    func run(_ consume: (Int, MadeColumn, UnsafeBufferPointer<Double>, ColumnScratch) throws -> Void) throws {
        let scratch = ColumnScratch(guardian)
        defer {
            stop()
            finish(scratch)
            guardian.memory.release(bytes)
        }
        for number in 0..<morsels {
            callHelpers()
            while !state.withLock({ $0.isFilled[number % ring] }) {
                if let own = take() { fill(own, scratch) } else { ready.wait() }
            }
            for index in series(number) {
                let slot = number % ring * morsel + index - number * morsel
                if case .failed = made[slot] { throw failure(index) }
                try consume(
                    index, made[slot], UnsafeBufferPointer(start: values + slot * steps, count: steps), scratch)
            }
            state.withLock { state in
                state.isFilled[number % ring] = false
                state.consumed += 1
            }
        }
    }

    private func series(_ number: Int) -> Range<Int> { number * morsel..<min(count, (number + 1) * morsel) }

    private func failure(_ index: Int) -> any Error {
        failures.withLock { $0[index] } ?? QueryError.execution("series \(index) was not read")
    }

    /// The next morsel, if there is one and a slot for it.
    private func take() -> Int? {
        state.withLock { state in
            guard !state.isStopped, state.next < morsels, state.next - state.consumed < ring else { return nil }
            defer { state.next += 1 }
            return state.next
        }
    }

    private func fill(_ number: Int, _ scratch: ColumnScratch) {
        for index in series(number) {
            let slot = number % ring * morsel + index - number * morsel
            do {
                made[slot] = try maker.make(index, scratch, values + slot * steps)
                try scratch.charge()
            } catch {
                failures.withLock { $0[index] = error }
                made[slot] = .failed
            }
        }
        state.withLock { $0.isFilled[number % ring] = true }
    }

    // MARK: Helpers

    /// Lets helpers begin where there is room for what they would make.
    private func callHelpers() {
        guard helpers > 0 else { return }
        let wanted = state.withLock { state in
            let room = (ring - (state.next - state.consumed)) / 2
            let new = max(0, min(helpers - state.helpers, room, morsels - state.next - 1))
            state.helpers += new
            return new
        }
        for _ in 0..<wanted {
            if !crew.help({ self.help() }) { state.withLock { $0.helpers -= 1 } }
        }
    }

    /// What a helper does: morsels until there are none, or no room.
    private func help() {
        let began = QueryEngine.nanoseconds()
        let scratch = ColumnScratch(guardian)
        while let number = take() {
            fill(number, scratch)
            ready.signal()
        }
        finish(scratch)
        helpTime.wrappingAdd(QueryEngine.nanoseconds() &- began, ordering: .relaxed)
        state.withLock { $0.helpers -= 1 }
        ready.signal()
    }

    private func finish(_ scratch: ColumnScratch) {
        cost.withLock { $0 += scratch.samples.cost }
        scratch.release()
    }

    /// Waits for the helpers that are under way.
    private func stop() {
        state.withLock { $0.isStopped = true }
        while state.withLock({ $0.helpers > 0 }) { ready.wait() }
    }
}

extension Evaluator {
    /// Makes the columns of `count` series and calls `consume` with each, in order.
    ///
    /// - Parameters:
    ///   - range: The selector, for the trace.
    ///   - span: The time that is read of each series, ms.
    ///   - consume: The series' number, what became of it, its values, and memory to work in.
    func produce(
        _ maker: some ColumnMaker, _ range: TextRange, count: Int, steps: Int, span: Int64,
        _ consume: (Int, MadeColumn, UnsafeBufferPointer<Double>, ColumnScratch) throws -> Void
    ) throws {
        // A sample in 15 s and 4 ns for each, 3 ns for a step, and half a microsecond for the series itself.
        let cost = Double(count) * (Double(span) / 15_000 * 4 + Double(steps) * 3 + 500)
        let production = try ColumnProduction(
            maker, count: count, steps: steps, helpers: cost > Self.worthHelp ? crew.mostHelpers : 0, crew: crew,
            guardian)
        try production.run(consume)
        trace?.read(range, cost: production.readCost, helpers: production.helpedTime)
    }

    /// Nanoseconds of work from which on waking another thread pays.
    private static var worthHelp: Double { 400_000 }
}
