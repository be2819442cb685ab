import Model
import Synchronization
import TestSupport
import Testing

@testable import Storage

/// Adds up what a select charges; ends it beyond a limit.
private final class Charges: Sendable {
    struct Refused: Error {}
    private let limit: Int
    private let sum = Atomic<Int>(0)
    var total: Int { sum.load(ordering: .relaxed) }

    init(limit: Int) { self.limit = limit }

    func add(_ bytes: Int) throws {
        if sum.wrappingAdd(bytes, ordering: .relaxed).newValue > limit { throw Refused() }
    }
}

@Suite struct SelectChargeTests {
    private static func request(_ charges: Charges) -> SelectRequest {
        SelectRequest(
            matchers: [Matcher(name: "__name__", equals: "m")], minTime: 0, maxTime: 10_000_000,
            charge: { try charges.add($0) })
    }

    @Test func `A select charges what its set holds before it is made, and a refusal leaves the store usable`() throws {
        let directory = try TemporaryFolder()
        let store = try TimeSeriesStoreTests.open(directory.path)
        let group = store.openGroup("g")
        func add(_ time: Int64) throws {
            var batch = SampleBatch(timestamp: time)
            for i in 0..<50 {
                let labels = TimeSeriesStoreTests.labels(["__name__": "m", "i": "\(i)"])
                batch.append(try store.resolve(labels, in: group), Double(i) * 1.37 + Double(time % 7919))
            }
            #expect(try store.commit(batch, in: group, durability: .written).appended == 50)
        }
        for time in stride(from: Int64(1000), to: 400_000, by: 1000) { try add(time) }
        for isInBlocks in [false, true] {
            if isInBlocks {
                for time in stride(from: Int64(600_000), to: 4_000_000, by: 60_000) { try add(time) }
                store.runMaintenance()
            }
            let charges = Charges(limit: .max)
            let set = try store.select(Self.request(charges))
            #expect(set.count == 50)
            // Arrays take a little more than they are asked to hold.
            #expect(charges.total >= set.heldBytes / 10 * 9 && set.heldBytes > 50 * 100)
            #expect(throws: Charges.Refused.self) { try store.select(Self.request(Charges(limit: charges.total / 2))) }
            try add(isInBlocks ? 4_100_000 : 500_000)
        }
        try store.close()
    }
}
