import Synchronization
import TestSupport
import Testing

@testable import HTTP

@Suite("Budgets of bytes")
struct ByteBudgetTests {
    @Test("without revocation whoever asks for too much gets nothing, and the others keep what they have")
    func first() {
        let budget = ByteBudget(limit: 1 << 20)
        let (large, small) = (BudgetShare(budget), BudgetShare(budget))
        #expect(large.grow(to: 1 << 20))
        #expect(!small.grow(to: 1))
        #expect(!large.isRevoked)
        large.release()
        #expect(small.grow(to: 1))
        small.release()
        #expect(budget.inUse == 0)
    }

    @Test("a small share takes from the largest, and the largest takes from nobody")
    func largest() {
        let budget = ByteBudget(limit: 10 << 20, takesFromLargest: true)
        let told = Mutex(0)
        let large = BudgetShare(budget) { told.withLock { $0 += 1 } }
        let (middle, small) = (BudgetShare(budget), BudgetShare(budget))
        #expect(large.grow(to: 6 << 20))
        #expect(middle.grow(to: 4 << 20))
        // It would hold more than the others.
        #expect(!large.grow(to: 7 << 20))
        #expect(!large.isRevoked)
        #expect(small.grow(to: 1))
        #expect(large.isRevoked && !middle.isRevoked)
        #expect(told.withLock { $0 } == 1)
        #expect(!large.grow(to: 1))
        #expect(budget.inUse == (4 << 20) + (16 << 10))
        #expect(large.shortage == "the bodies of all targets may take 10 MiB together, and this one takes the most")
        large.release()
        #expect(!large.isRevoked && large.grow(to: 1 << 20))
        for share in [large, middle, small] { share.release() }
        #expect(budget.inUse == 0)
        #expect(!small.grow(to: .max))
    }

    @Test("whatever is asked for, all that counts stays within the limit, and nobody smaller than the largest fails")
    func random() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        let budget = ByteBudget(limit: 8 << 20, takesFromLargest: true)
        let shares = (0..<20).map { _ in BudgetShare(budget) }
        for _ in 0..<5000 {
            let share = shares[Int.random(in: shares.indices, using: &random)]
            let size = 1 << Int.random(in: 0..<23, using: &random)
            let largest = shares.filter { $0 !== share && !$0.isRevoked }.map(\.held).max() ?? 0
            if Int.random(in: 0..<4, using: &random) == 0 || share.isRevoked {
                share.release()
            } else if !share.grow(to: size) {
                #expect(size + (1 << 20) > largest)
                share.release()
            }
            #expect(budget.inUse == shares.filter { !$0.isRevoked }.reduce(0) { $0 + $1.held })
            #expect(budget.inUse <= budget.limit)
        }
        for share in shares { share.release() }
        #expect(budget.inUse == 0)
    }

    @Test(
        "bodies may take an eighth of the memory, within bounds",
        arguments: [(64 << 20, 32 << 20), (1 << 30, 128 << 20), (24 << 30, 512 << 20)])
    func sizes(memory: Int, limit: Int) {
        #expect(ByteBudget.forBodies(memory: memory).limit == limit)
    }

    @Test(
        "a share that is protected stays, one that asks for as much as others hold gets nothing, and small ones have an eighth"
    )
    func protection() {
        let budget = ByteBudget(limit: 8 << 20, takesFromLargest: true, reservesForSmall: true)
        let (first, second, third, small) = (
            BudgetShare(budget), BudgetShare(budget), BudgetShare(budget), BudgetShare(budget)
        )
        (first.protectedUntil, second.protectedUntil) = (100, 100)
        #expect(first.grow(to: 5 << 20, now: 0))
        #expect(second.grow(to: 2 << 20, now: 0))
        // Seven of eight MiB are held: the last one is for small shares.
        #expect(!third.grow(to: 1 << 20, now: 0) && !first.isRevoked && !second.isRevoked)
        #expect(small.grow(to: 60 << 10, now: 0))
        // When it is protected no longer, the largest gives way to a smaller one, but not to one that would be as large.
        third.release()
        #expect(!second.grow(to: 5 << 20, now: 200) && !first.isRevoked)
        #expect(third.grow(to: 1 << 20, now: 200) && first.isRevoked)
        for share in [first, second, third, small] { share.release() }
        #expect(budget.inUse == 0)
    }

    @Test("a refusal makes a budget short for a while, unless what was refused would not fit anyway")
    func shortage() {
        let second: Int64 = 1_000_000_000
        let budget = ByteBudget(limit: 8 << 20, takesFromLargest: true, reservesForSmall: true)
        let (small, large) = (BudgetShare(budget), BudgetShare(budget))
        #expect(small.grow(to: 2 << 20, now: 0))
        #expect(!budget.isShort(now: 0))
        #expect(!large.grow(to: 9 << 20, now: 0) && !budget.isShort(now: 0))
        #expect(!large.grow(to: 6 << 20, now: 5 * second))
        #expect(budget.isShort(now: 5 * second) && budget.isShort(now: 20 * second))
        #expect(!budget.isShort(now: 100 * second))
        #expect(large.grow(to: 4 << 20, now: 100 * second) && budget.isShort(now: 100 * second))
        for share in [small, large] { share.release() }
    }
}
