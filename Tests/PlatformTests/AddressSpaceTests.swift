import Testing

@testable import Platform

@Suite("Address space")
struct AddressSpaceTests {
    @Test("numbers are found behind their words")
    func numbers() {
        let text = Array("MemTotal:  100 kB\nCommitLimit:     8123 kB\nCommitted_AS:   77 kB\n".utf8)
        #expect(AddressSpace.number(in: text, behind: "CommitLimit:") == 8123)
        #expect(AddressSpace.number(in: text, behind: "Committed_AS:") == 77)
        #expect(AddressSpace.number(in: text, behind: "Nothing:") == nil)
        #expect(AddressSpace.number(in: Array("4096 12 3".utf8), behind: "") == 4096)
        #expect(AddressSpace.number(in: Array("a 99999999999999999999".utf8), behind: "a") == nil)
    }

    @Test("the reserve grows with an allocation, so that large ones are refused first")
    func reserve() {
        let (kib, mib) = (1 << 10, 1 << 20)
        for bytes in [-1, 0, 1, 4 * kib, 64 * kib] {
            #expect(AddressSpace.reserve(for: bytes, budget: 1 << 40) == 16 * mib)
        }
        #expect(AddressSpace.reserve(for: 1 * mib, budget: 1 << 40) == 16 * mib + 8 * (mib - 64 * kib))
        for bytes in [8 * mib, 1 << 40, .max] { #expect(AddressSpace.reserve(for: bytes, budget: 1 << 40) == 64 * mib) }
        // A small budget has smaller reserves.
        #expect(AddressSpace.reserve(for: 1, budget: 64 * mib) == 4 * mib)
        #expect(AddressSpace.reserve(for: .max, budget: 64 * mib) == 16 * mib)
        for budget in [Int.min, -1, 0] { #expect(AddressSpace.reserve(for: .max, budget: budget) == 0) }
        for budget in [1, 1 * mib, 100 * mib, 1 << 30, .max] {
            var last = 0
            for bytes in [0, 1, 64 * kib, 64 * kib + 1, 100 * kib, mib, 3 * mib, 6 * mib, 7 * mib, 1 << 30, .max] {
                let reserve = AddressSpace.reserve(for: bytes, budget: budget)
                #expect(reserve >= last && reserve <= 64 * mib && reserve <= budget / 4)
                last = reserve
            }
        }
    }

    @Test("threads with large stacks are as many as fit into a limited address space, and a few in any case")
    func threads() {
        #expect(AddressSpace.threads(512, stackSize: 16 << 20, budget: nil) == 512)
        #expect(AddressSpace.threads(512, stackSize: 16 << 20, budget: 1 << 40) == 512)
        #expect(AddressSpace.threads(512, stackSize: 16 << 20, budget: 320 << 20) == 10)
        #expect(AddressSpace.threads(512, stackSize: 16 << 20, budget: 0) == 4)
        #expect(AddressSpace.threads(2, stackSize: 16 << 20, budget: 0) == 2)
    }

    @Test("an address space in which the threads of a daemon have no room is too small, and the reason says why")
    func shortage() {
        #expect(AddressSpace.shortage(budget: nil, reason: "") == nil)
        #expect(AddressSpace.shortage(budget: 64 << 20, reason: "") == nil)
        #expect(AddressSpace.shortage(budget: 20 << 20, reason: "ulimit")?.hasPrefix("ulimit; a daemon needs") == true)
    }
}
