import Encoding
import Testing

@testable import Storage

/// The decision of which files of a directory are its store's.
@Suite struct StoreIdentityTests {
    /// A directory's ids, and what is decided of them.
    struct Case: CustomTestStringConvertible, Sendable {
        var marker: UInt64?
        var checkpoint: UInt64?
        /// Of the segments 1, 2 and so on; 0 for one that states none.
        var log: [UInt64] = []
        var id: UInt64?
        var isCheckpointOther = false
        var others: Set<UInt64> = []

        var testDescription: String { "marker \(marker ?? 0), checkpoint \(checkpoint ?? 0), log \(log)" }
    }

    private static let cases: [Case] = [
        .init(),
        .init(log: [0, 0]),
        .init(marker: 1, id: 1),
        .init(checkpoint: 1, id: 1),
        .init(log: [0, 1], id: 1),
        .init(marker: 1, checkpoint: 1, log: [1, 1], id: 1),
        .init(marker: 1, checkpoint: 1, log: [1, 2], id: 1, others: [2]),
        .init(marker: 1, checkpoint: 1, log: [2, 0, 2], id: 1, others: [1, 3]),
        // A log that was replaced as a whole.
        .init(marker: 1, checkpoint: 1, log: [2, 2, 2, 2], id: 1, others: [1, 2, 3, 4]),
        .init(marker: 1, checkpoint: 2, log: [1], id: 1, isCheckpointOther: true),
        .init(marker: 1, checkpoint: 2, log: [2], id: 2),
        .init(marker: 1, log: [2, 2], id: 2),
        // Equal votes.
        .init(marker: 1, checkpoint: 2, id: 1, isCheckpointOther: true),
        .init(marker: 2, checkpoint: 1, id: 2, isCheckpointOther: true),
        .init(marker: 1, log: [2], id: 1, others: [1]),
        .init(marker: 1, checkpoint: 1, log: [2, 2], id: 1, others: [1, 2]),
        .init(checkpoint: 1, log: [2], id: 1, others: [1]),
        .init(marker: 1, checkpoint: 2, log: [3], id: 1, isCheckpointOther: true, others: [1]),
        .init(log: [1, 2], id: 2, others: [1]),
        .init(log: [1, 1, 2, 2], id: 2, others: [1, 2]),
    ]

    @Test(arguments: cases) func `the id of the most files is the store's`(_ one: Case) {
        var stated = StoreIdentity.Stated(marker: one.marker, checkpoint: one.checkpoint)
        for (at, id) in one.log.enumerated() where id != 0 { stated.log[UInt64(at + 1)] = id }
        #expect(
            StoreIdentity.decide(stated)
                == StoreIdentity(id: one.id, isCheckpointOther: one.isCheckpointOther, otherSegments: one.others))
    }

    @Test func `each id of a marker is read, and no damaged one`() {
        for id in [1, 0x0102_0304_0506_0708, .max] as [UInt64] {
            let marker = StoreMarker.bytes(id)
            #expect(marker.count == StoreMarker.size && StoreMarker.id(in: marker) == id)
            for at in marker.indices {
                #expect(StoreMarker.isBegun(Array(marker[..<at])))
                #expect(StoreMarker.id(in: Array(marker[..<at])) == nil)
                for bit in 0..<8 {
                    var damaged = marker
                    damaged[at] ^= 1 << bit
                    #expect(StoreMarker.id(in: damaged) == nil)
                }
            }
        }
        #expect(StoreMarker.id(in: StoreMarker.first) == nil && StoreMarker.id(in: StoreMarker.bytes(0)) == nil)
    }

    @Test(arguments: [nil, 0x0102_0304_0506_0708] as [UInt64?])
    func `a header of the log is read, and no damaged one`(store: UInt64?) {
        let header = WriteAheadLog.Header(number: 0x0A0B, store: store)
        let bytes = header.bytes
        #expect(bytes.count == (store == nil ? WriteAheadLog.firstHeaderSize : WriteAheadLog.headerSize))
        #expect(WriteAheadLog.Header(bytes) == header && WriteAheadLog.Header(bytes + [9, 9]) == header)
        for at in bytes.indices {
            #expect(WriteAheadLog.Header(bytes[..<at]) == nil)
            for bit in 0..<8 {
                var damaged = bytes
                damaged[at] ^= 1 << bit
                #expect(WriteAheadLog.Header(damaged) != header)
                if store != nil { #expect(WriteAheadLog.Header(damaged)?.store == nil) }
            }
        }
        #expect(WriteAheadLog.Header(WriteAheadLog.Header(number: 1, store: 0).bytes) == nil)
    }
}
