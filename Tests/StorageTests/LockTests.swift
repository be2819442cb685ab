import Glibc
import Platform
import Synchronization
import Testing

@testable import Storage

@Suite struct LockTests {
    @Test("a lock knows the thread that holds it")
    func owner() {
        let lock = Lock()
        #expect(!lock.isHeld)
        lock.withLock {
            lock.assertHeld()
            #expect(lock.isHeld)
            let isHeldElsewhere = Atomic(true)
            let thread = Thread.start("other") { isHeldElsewhere.store(lock.isHeld, ordering: .relaxed) }
            thread?.join()
            let held = isHeldElsewhere.load(ordering: .relaxed)
            #expect(!held)
        }
        #expect(!lock.isHeld)
    }

    @Test("a function that needs a lock stops a program that does not hold it")
    func missing() async {
        await #expect(processExitsWith: .failure) { Lock().assertHeld() }
        await #expect(processExitsWith: .failure) { Lock().unlock() }
        await #expect(processExitsWith: .failure) {
            let lock = Lock()
            lock.lock()
            lock.lock()
        }
        await #expect(processExitsWith: .failure) { _ = FixedBuffer<UInt8>(repeating: 0, count: 4)[4] }
        await #expect(processExitsWith: .failure) { _ = FixedBuffer<UInt8>(repeating: 0, count: 4).elements(2..<5) }
        await #expect(processExitsWith: .failure) { _ = TimeRunTable()[0] }
        await #expect(processExitsWith: .success) {
            let lock = Lock()
            lock.withLock { lock.assertHeld() }
            exit(0)
        }
    }
}
