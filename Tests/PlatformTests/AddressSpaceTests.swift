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
