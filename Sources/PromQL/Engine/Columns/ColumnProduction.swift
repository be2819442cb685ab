import Model
import Platform
import Synchronization

/// The outcome of making the column of one series.
enum MadeColumn {
    /// The series has no value at any step; `read` is the number of its samples that were read.
    case nothing(read: Int, counted: SampleCount = SampleCount())
    /// The values of the series were written.
    case values(read: Int, counted: SampleCount)
    /// The series has histograms, or start timestamps that the function uses; the query's own thread evaluates it.
    case apart
    case failed
}

/// The memory of one thread that makes columns, which is reused for each series.
final class ColumnScratch {
    var samples = SampleColumns()
    var tables: WindowTables?
    var resets: [Int32] = []
    /// The index of the series whose samples are in `samples`; −1 for none.
    var index = -1
    private var reservation: MemoryReservation

    init(_ budget: QueryBudget) { reservation = MemoryReservation(budget) }

    /// Charges the growth of the memory.
    func charge() throws(MemoryLimitExceeded) {
        try reservation.charge(samples.heldBytes &+ (tables?.heldBytes ?? 0) &+ resets.capacity &* 4)
    }

    func release() { reservation.release() }
}

/// The size of the ring of finished columns: `count` partitions of `partition` series each.
private struct ColumnRing {
    let partition: Int
    let count: Int
    /// The bytes of the ring.
    let bytes: Int

    init(steps: Int, maxWorkers: Int) {
        partition = maxWorkers > 0 ? max(1, min(128, 8192 / max(1, steps))) : 1
        count = maxWorkers > 0 ? maxWorkers * 3 + 3 : 1
        bytes = count * partition * (steps * 8 + MemoryLayout<MadeColumn>.stride)
    }
}

/// Makes the values of one series over all steps; several threads may use it at the same time.
protocol ColumnMaker: Sendable {
    func make(_ index: Int, _ scratch: ColumnScratch, _ out: UnsafeMutablePointer<Double>) throws -> MadeColumn
}

/// Makes the columns of a set's series, on several threads if there is much work, and passes them on in order.
///
/// Threads take partitions of neighbouring series. The query's own thread processes the columns in the order of the
/// series, so that no result depends on the number of threads. Finished columns wait in a ring of slots, so that there
/// are never more of them than a few partitions; ``Workers/run(_:_:)`` cannot do it, because nobody takes its parts in
/// order.
final class ColumnProduction<Maker: ColumnMaker>: @unchecked Sendable {
    // SAFETY: a slot belongs to the thread that took its partition until it is marked as filled, then to the consumer
    // until the partition is released; the lock of `state` protects both changes of the owner.
    private struct State {
        /// The next partition to make, and the next partition to pass on.
        var next = 0
        var consumed = 0
        var workers = 0
        var isStopped = false
        var isFilled: [Bool]
    }

    private let maker: Maker
    private let count: Int
    private let steps: Int
    private let partition: Int
    private let ring: Int
    private let values: UnsafeMutablePointer<Double>
    private let made: UnsafeMutablePointer<MadeColumn>
    private let state: Mutex<State>
    private let failures = Mutex<[Int: any Error]>([:])
    private let ready = TimedSemaphore(value: 0)
    private let maxWorkers: Int
    private let pool: Workers
    private let budget: QueryBudget
    private let bytes: Int
    private let cost = Mutex(ReadCost())
    private let workedTime = Atomic<Int64>(0)

    /// The cost of reading in all threads, after ``run(_:)`` has returned.
    var readCost: ReadCost { cost.withLock { $0 } }

    /// The time of the workers, ns, after ``run(_:)`` has returned.
    var workerTime: Int64 { workedTime.load(ordering: .relaxed) }

    /// Charges and allocates the ring; at most `maxWorkers` threads work besides the caller's.
    init(
        _ maker: Maker, count: Int, steps: Int, maxWorkers: Int, pool: Workers, _ budget: QueryBudget
    ) throws(MemoryLimitExceeded) {
        let shape = ColumnRing(steps: steps, maxWorkers: maxWorkers)
        try budget.memory.charge(shape.bytes)
        self.maker = maker
        self.count = count
        self.steps = steps
        self.maxWorkers = maxWorkers
        self.pool = pool
        self.budget = budget
        bytes = shape.bytes
        partition = shape.partition
        ring = shape.count
        values = .allocate(capacity: max(1, ring * partition * steps))
        made = .allocate(capacity: ring * partition)
        made.initialize(repeating: .failed, count: ring * partition)
        state = Mutex(State(isFilled: [Bool](repeating: false, count: ring)))
    }

    deinit {
        values.deallocate()
        made.deallocate()
    }

    private var partitions: Int { (count + partition - 1) / partition }

    /// Makes all columns, and calls `consume` with each in order on the caller's thread; it may be called only once.
    func run(_ consume: (Int, MadeColumn, UnsafeBufferPointer<Double>, ColumnScratch) throws -> Void) throws {
        let scratch = ColumnScratch(budget)
        defer {
            stop()
            finish(scratch)
            budget.memory.release(bytes)
        }
        for number in 0..<partitions {
            startWorkers()
            while !state.withLock({ $0.isFilled[number % ring] }) {
                if let own = take() { fill(own, scratch) } else { ready.wait() }
            }
            for index in series(number) {
                let slot = number % ring * partition + index - number * partition
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

    private func series(_ number: Int) -> Range<Int> { number * partition..<min(count, (number + 1) * partition) }

    private func failure(_ index: Int) -> any Error {
        failures.withLock { $0[index] } ?? QueryError.execution("series \(index) was not read")
    }

    /// Takes the next partition; returns nil if there is none, or no slot for it.
    private func take() -> Int? {
        state.withLock { state in
            guard !state.isStopped, state.next < partitions, state.next - state.consumed < ring else { return nil }
            defer { state.next += 1 }
            return state.next
        }
    }

    private func fill(_ number: Int, _ scratch: ColumnScratch) {
        for index in series(number) {
            let slot = number % ring * partition + index - number * partition
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

    // MARK: Workers

    /// Starts workers as far as there are slots for their partitions.
    private func startWorkers() {
        guard maxWorkers > 0 else { return }
        let wanted = state.withLock { state in
            let space = (ring - (state.next - state.consumed)) / 2
            let new = max(0, min(maxWorkers - state.workers, space, partitions - state.next - 1))
            state.workers += new
            return new
        }
        for _ in 0..<wanted {
            if !pool.start({ self.work() }) { state.withLock { $0.workers -= 1 } }
        }
    }

    /// Makes partitions until there are none left, or no slots for them.
    private func work() {
        let began = QueryEngine.nanoseconds()
        let scratch = ColumnScratch(budget)
        while let number = take() {
            fill(number, scratch)
            ready.signal()
        }
        finish(scratch)
        workedTime.wrappingAdd(QueryEngine.nanoseconds() &- began, ordering: .relaxed)
        state.withLock { $0.workers -= 1 }
        ready.signal()
    }

    private func finish(_ scratch: ColumnScratch) {
        cost.withLock { $0 += scratch.samples.cost }
        scratch.release()
    }

    /// Stops the workers, and waits until they have ended.
    private func stop() {
        state.withLock { $0.isStopped = true }
        while state.withLock({ $0.workers > 0 }) { ready.wait() }
    }
}

extension EvaluationContext {
    /// Makes the columns of `count` series and calls `consume` with each, in order.
    ///
    /// - Parameters:
    ///   - span: The length of the time range that is read of each series, ms.
    ///   - consume: Receives the number of the series, the outcome, the values, and the memory of the thread.
    func produce(
        _ maker: some ColumnMaker, count: Int, span: Int64,
        _ consume: (Int, MadeColumn, UnsafeBufferPointer<Double>, ColumnScratch) throws -> Void
    ) throws {
        // The estimated time is 4 ns for a sample, of which there is one in 15 s, 3 ns for a step, and 500 ns for a
        // series.
        let cost = Double(count) * (Double(span) / 15_000 * 4 + Double(grid.count) * 3 + 500)
        let production = try ColumnProduction(
            maker, count: count, steps: grid.count,
            maxWorkers: cost > Self.worthWorkers ? query.workers.maxPerCaller : 0,
            pool: query.workers, budget)
        try production.run(consume)
        trace.read(cost: production.readCost, workerTime: production.workerTime)
    }

    /// The nanoseconds of work from which on it is worth the cost to wake another thread.
    private static var worthWorkers: Double { 400_000 }
}
