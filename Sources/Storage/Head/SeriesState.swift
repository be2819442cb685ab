/// A reference to the state of one series, for several accesses.
typealias StateReference = ElementReference<SeriesState>

/// The states of all series by id.
///
/// The state of a series is used under the lock of the group that it names; its labels are written under the registry's
/// lock as well.
struct SeriesTable {
    private let elements: FixedBuffer<SeriesState>

    init(_ column: Column<SeriesState>) { elements = column.elements }

    /// The state of an id.
    @inline(__always)
    subscript(id: UInt32) -> SeriesState {
        get { elements[Int(id)] }
        nonmutating _modify { yield &elements[Int(id)] }
    }

    /// The state of an id, for several accesses.
    @inline(__always)
    func at(_ id: UInt32) -> StateReference { elements.element(Int(id)) }
}

/// The state that the head has for a series: one cache line.
///
/// A zeroed state is an id that is not in use.
struct SeriesState: BitwiseCopyable {
    /// The newest value that is not a stale marker; 0 before the first.
    var lastValue: Double
    /// The newest time in ms; `Int64.min` before the first.
    var lastTime: Int64
    /// The run of times of the open chunk, 0 if none is open.
    var run: UInt32
    /// The open chunk's chain of words; 0 while it fits into `tail`.
    var firstBlock: UInt32
    var lastBlock: UInt32
    /// The bits after the last full word.
    var tail: UInt32
    /// The last difference of mantissas; 0 if it does not fit.
    var lastDelta: Int32
    /// Position of the label record, 0 if the id is not in use.
    var labels: UInt32
    /// The group that owns the series.
    var group: UInt32
    /// The newest entry in the list of sealed chunks, 0 if there is none.
    var sealed: UInt32
    /// The number of the group's last batch with the series.
    var mark: UInt32
    /// The number of bits in the open chunk.
    var bits: UInt16
    /// The low bits of the log segment that has `lastValue` as the base of the next difference.
    var logSegment: UInt16
    /// The position in the run of the first sample of the open chunk.
    var first: UInt8
    /// The number of samples in the open chunk.
    var count: UInt8
    /// The codec in the low bits, and flags.
    var kind: UInt8
    /// The decimal places of the open chunk.
    var scale: Int8
    /// The decimal places of the series' differences in the log.
    var logScale: Int8
    /// The leading zero bits and the width of the window of the XOR codec.
    var xorLead: UInt8
    var xorWidth: UInt8
    /// An unused byte; always 0.
    var generation: UInt8

    /// The forms of an open chunk.
    static let constant: UInt8 = 0
    static let integer: UInt8 = 1
    static let xor: UInt8 = 2
    static let histogram: UInt8 = 3
    static let codecMask: UInt8 = 3
    /// Set if the newest sample is a stale marker.
    static let staleFlag: UInt8 = 4
    /// Set if the newest sample is a native histogram.
    static let histogramFlag: UInt8 = 8

    /// Set if the wall clock was set back, so that samples of the series in the head are not in the order of time.
    static let rewoundFlag: UInt8 = 16
    /// Set if the series had no sample at the last check for garbage series.
    static let unusedFlag: UInt8 = 32
    /// Set if the newest sample was deleted: `lastTime` and `lastValue` belong to a sample that does not exist any
    /// more.
    static let newestDeletedFlag: UInt8 = 64

    /// The checksum of the names, types and offsets of the variables, and of ``revision``.
    ///
    /// A checkpoint contains it, because it contains states as they are in memory.
    ///
    /// A test computes it, and reports the new value when the structure changes.
    static let layout: UInt32 = 0xACB8_450C
    /// The revision of the meaning of the variables; it must be raised when the meaning of a variable changes.
    static let revision = 1
    /// The layout of checkpoints that do not contain one.
    static let firstLayout: UInt32 = 0xACB8_450C

    /// Whether the open chunk can be continued: no count leads outside of it.
    ///
    /// This is not certain for a state from a file.
    var isSound: Bool {
        guard run != 0 || count == 0, count <= HeadChunk.capacity, Int(xorLead) + Int(xorWidth) <= 64 else {
            return false
        }
        switch codec {
        case Self.integer:
            return scale >= 0 && scale <= Decimal.maxScale
                && abs(lastValue * Decimal.power(scale)) < 2 * Double(Decimal.limit)
        case Self.xor: return true
        default: return bits == 0
        }
    }

    /// An id that is not in use.
    static let none = SeriesState(
        lastValue: 0, lastTime: .min, run: 0, firstBlock: 0, lastBlock: 0, tail: 0, lastDelta: 0, labels: 0, group: 0,
        sealed: 0, mark: 0, bits: 0, logSegment: 0, first: 0, count: 0, kind: 0, scale: 0, logScale: 0, xorLead: 0,
        xorWidth: 0, generation: 0)

    var codec: UInt8 {
        get { kind & Self.codecMask }
        set { kind = kind & ~Self.codecMask | newValue }
    }

    var isStale: Bool {
        get { kind & Self.staleFlag != 0 }
        set { if newValue { kind |= Self.staleFlag } else { kind &= ~Self.staleFlag } }
    }

    var isRewound: Bool {
        get { kind & Self.rewoundFlag != 0 }
        set { if newValue { kind |= Self.rewoundFlag } else { kind &= ~Self.rewoundFlag } }
    }

    var isUnused: Bool {
        get { kind & Self.unusedFlag != 0 }
        set { if newValue { kind |= Self.unusedFlag } else { kind &= ~Self.unusedFlag } }
    }

    var isNewestDeleted: Bool {
        get { kind & Self.newestDeletedFlag != 0 }
        set { if newValue { kind |= Self.newestDeletedFlag } else { kind &= ~Self.newestDeletedFlag } }
    }

    var isHistogram: Bool {
        get { kind & Self.histogramFlag != 0 }
        set { if newValue { kind |= Self.histogramFlag } else { kind &= ~Self.histogramFlag } }
    }
}
