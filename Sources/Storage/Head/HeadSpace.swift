import Platform
import Synchronization

/// The numbers of elements for which a head reserves address space.
///
/// If address space is limited, each column gets a share of it. Columns with the same positions have one number.
struct HeadSpace: Sendable, Equatable {
    /// The ids of series.
    var series = 1 << 30
    /// The different labels, which are pairs of a name and a value.
    var pairs = 1 << 28
    /// The different names and values of labels.
    var texts = 1 << 28
    /// The bytes of all names and values.
    var textBytes = Int(UInt32.max)
    /// The bytes of the records of all series in the index.
    var recordBytes = Int(UInt32.max)
    /// The blocks of posting lists.
    var postingBlocks = 1 << 28
    /// The blocks of open chunks.
    var chunkBlocks = 1 << 30
    /// The sealed chunks.
    var sealedChunks = 1 << 28

    /// The numbers for this process.
    static let own = HeadSpace().limited { AddressSpace.share($0) }

    /// The part of a capacity that a running store fills.
    ///
    /// The rest is a reserve for the next start, which may need a little more for the same data: the limit of the
    /// address space leaves other bytes to each process, and blocks are taken in rows.
    static func filled(_ capacity: Int) -> Int { capacity &- capacity / 16 }

    /// Whether the columns for samples are clearly smaller than those of another process with the same data.
    func holdsLessSamples(than other: HeadSpace) -> Bool {
        sealedChunks < Self.filled(other.sealedChunks) || chunkBlocks < Self.filled(other.chunkBlocks)
    }

    /// These numbers, reduced to what fits into a share of the address space; `bytes` returns the bytes of a share.
    func limited(_ bytes: (Double) -> Int) -> HeadSpace {
        func fitting(_ wanted: Int, _ share: Double, _ size: Int) -> Int { min(wanted, max(1024, bytes(share) / size)) }
        return HeadSpace(
            series: fitting(series, 0.1, MemoryLayout<SeriesState>.stride),
            pairs: fitting(pairs, 0.05, MemoryLayout<LabelPair>.stride + MemoryLayout<PostingList>.stride),
            texts: fitting(texts, 0.01, MemoryLayout<UInt32>.stride),
            textBytes: fitting(textBytes, 0.05, 1),
            recordBytes: fitting(recordBytes, 0.04, 1),
            postingBlocks: fitting(postingBlocks, 0.04, BlockArena.blockSize),
            chunkBlocks: fitting(chunkBlocks, 0.38, BlockArena.blockSize),
            sealedChunks: fitting(sealedChunks, 0.12, MemoryLayout<SealedChunk>.stride))
    }
}

extension Head {
    /// Whether all samples of the log must fit, because they did when they were written.
    ///
    /// With the same space, the log may have samples for which there was no memory even then.
    var mustFit: Bool { space.holdsLessSamples(than: writtenSpace) }

    /// Whether the space for samples is clearly another one than that of the process that wrote the checkpoint.
    var hasOtherSpace: Bool { mustFit || writtenSpace.holdsLessSamples(than: space) }

    /// Notes that data does not fit while it is restored.
    func note(_ limit: StorageError) { shortage.withLock { $0 = $0 ?? limit } }

    /// Leaves a reserve free in all columns from now on; see ``HeadSpace/filled(_:)``.
    func keepReserve() {
        keepsReserve.store(true, ordering: .relaxed)
        arena.keepReserve()
        sealed.keepReserve()
        registry.withLock { index.keepReserve() }
    }
}

/// The hash tables of the index: at most three quarters of their slots are in use.
enum SlotTable {
    /// The number of slots, a power of two, for so many entries; at least `slots`.
    static func slots(for entries: Int, atLeast slots: Int) -> Int {
        var slots = slots
        while entries &* 4 > slots &* 3 { slots &*= 2 }
        return slots
    }

    /// A table of empty slots.
    static func make<Slot: BitwiseCopyable & FixedWidthInteger>(_ slots: Int, of type: Slot.Type) throws(StorageError)
        -> FixedBuffer<Slot>
    {
        guard AddressSpace.canAllocate(slots &* MemoryLayout<Slot>.stride) else {
            throw .outOfMemory("a table of \(slots) slots\(AddressSpace.note)")
        }
        return FixedBuffer(repeating: 0, count: slots)
    }
}
