import Glibc
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Storage

@Suite struct SlotPoolTests {
    /// Slots and what was written to them.
    private static func write(_ pool: SlotPool, _ size: Int, _ slot: UInt32, _ value: UInt64) {
        let at = Int(slot) * size / 4 + 1
        pool.words[at] = UInt32(truncatingIfNeeded: value)
        pool.words[at + 1] = UInt32(truncatingIfNeeded: value >> 32)
    }

    private static func read(_ pool: SlotPool, _ size: Int, _ slot: UInt32) -> UInt64 {
        let at = Int(slot) * size / 4 + 1
        return UInt64(pool.words[at]) | UInt64(pool.words[at + 1]) << 32
    }

    @Test(arguments: [24, 32]) func `Slots are never given twice, and trimming leaves what is in use`(_ size: Int)
        throws
    {
        var random = SeededRandom(seed: UInt64(size))
        let pool = try SlotPool(capacity: 1 << 20, slotSize: size)
        var held: [UInt32: UInt64] = [:]
        for round in 0..<7 {
            for _ in 0..<Int.random(in: 1000...90_000, using: &random) {
                let slot = pool.take()
                #expect(slot != 0 && held[slot] == nil)
                held[slot] = random.next()
                Self.write(pool, size, slot, held[slot] ?? 0)
            }
            let row = pool.take(neighbours: 64)
            for slot in row..<(row + 64) { held[slot] = 0 }
            #expect(pool.used == held.count)
            // Nearly all go, sometimes all.
            let keeps = round % 3 == 0 ? 0 : Int.random(in: 2...500, using: &random)
            for slot in held.keys.sorted() where keeps == 0 || Int.random(in: 0..<keeps, using: &random) > 0 {
                held[slot] = nil
                pool.giveBack(first: slot, last: slot, count: 1)
            }
            pool.trim()
            #expect(pool.used == held.count)
            for (slot, value) in held where value != 0 { #expect(Self.read(pool, size, slot) == value) }
        }
    }

    @Test func `Rows that are empty go back to the system`() throws {
        let pool = try SlotPool(capacity: 1 << 20, slotSize: 32)
        let slots = (0..<400_000).map { _ in pool.take() }
        for slot in slots { Self.write(pool, 32, slot, 1) }
        func resident() -> Int {
            var pages = [UInt8](repeating: 0, count: (1 << 25) / 4096)
            mincore(pool.words.address, 1 << 25, &pages)
            return pages.count { $0 & 1 != 0 }
        }
        #expect(resident() >= 3125)
        for slot in slots where slot % 20_000 != 0 { pool.giveBack(first: slot, last: slot, count: 1) }
        pool.trim()
        #expect(resident() < 40)
        // They are used again before new ones.
        let again = Set((0..<390_000).map { _ in pool.take() })
        #expect(again.count == 390_000 && again.allSatisfy { $0 <= 400_000 && ($0 % 20_000 != 0 || $0 == 0) })
    }

    @Test func `Slots are taken and given back while the pool is trimmed`() throws {
        let pool = try SlotPool(capacity: 1 << 22, slotSize: 32)
        let isDone = Atomic(false)
        let failures = Atomic(0)
        Workers.run(pieces: 3, threads: 3) { piece in
            if piece == 0 {
                for _ in 0..<30 { pool.trim() }
                isDone.store(true, ordering: .releasing)
                return
            }
            while !isDone.load(ordering: .acquiring) {
                let slots = (0..<40_000).map { _ in pool.take() }
                for slot in slots { Self.write(pool, 32, slot, UInt64(slot) << 8 | UInt64(piece)) }
                for slot in slots {
                    if Self.read(pool, 32, slot) != UInt64(slot) << 8 | UInt64(piece) {
                        failures.add(1, ordering: .relaxed)
                    }
                    pool.giveBack(first: slot, last: slot, count: 1)
                }
            }
        }
        #expect(failures.load(ordering: .relaxed) == 0)
        #expect(pool.used == 0)
    }
}
