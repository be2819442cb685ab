import Platform
import Synchronization
import Testing

@Suite struct WorkersTests {
    @Test(arguments: [1, 2, 5]) func `Each piece of work is done once`(threads: Int) {
        let seen = Mutex<[Int]>([])
        Workers.run(pieces: 100, threads: threads) { piece in seen.withLock { $0.append(piece) } }
        #expect(seen.withLock { $0.sorted() } == Array(0..<100))
        Workers.run(pieces: 0) { _ in seen.withLock { $0.append(-1) } }
        #expect(seen.withLock { !$0.contains(-1) })
    }
}
