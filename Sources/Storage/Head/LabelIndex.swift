import Model
import Platform

/// A label: the symbols of a name and a value.
struct LabelPair: BitwiseCopyable {
    var name: UInt32
    var value: UInt32
}

/// The labels of all series: symbols, pairs with their posting lists, a record per series, and a table that maps label
/// sets to series.
///
/// A record is the number of its labels (one byte below 255, otherwise 0xFF and four bytes, little-endian) and, as
/// varints, the pairs in the order of their names. All functions need the lock of ``share(under:)``, unless their
/// comment states that they need no lock.
final class LabelIndex {
    /// The lock under which threads share the index; nil while only one thread uses it.
    private var guardian: Lock?
    private let symbols: SymbolTable
    /// The name and the value of each pair, which never change.
    private let pairs: Column<LabelPair>
    /// The posting list of each pair.
    private let lists: Column<PostingList>
    /// The number of pairs that fit into both columns, with pair 0, which is none.
    private let pairCapacity: Int
    /// The numbers of pairs and of bytes of records that may be in use.
    private var reserved: (pairs: Int, records: Int)
    private(set) var pairCount = 0
    private var pairSlots: FixedBuffer<UInt32>
    private var pairMask: Int
    private let records: Column<UInt8>
    private(set) var recordEnd = 1
    private let arena: BlockArena
    /// The hash and the series of each slot.
    ///
    /// Upper half: 32 bits of the hash, which also determine the slot with the seed. Lower half: id + 2, or 1 for a
    /// removed series.
    private var series: FixedBuffer<UInt64>
    private var seriesMask: Int
    private var seriesUsed = 0
    /// The series beyond ``mostAlike`` with the same 32 bits of their hashes, by these bits and by their labels.
    ///
    /// A sender can compute labels with the same bits; searches in this dictionary use a hash of this process.
    private var alike: [UInt32: [Labels: UInt32]] = [:]
    private static let mostAlike = 16
    /// A number that increases each time that a pair gets its first series or loses its last one.
    private(set) var generation: UInt64 = 0
    /// A random number, so that no sender can choose labels that share a slot.
    private let seed = UInt64.random(in: 1 << 62 ... .max)
    /// The pairs by name.
    private var pairsOfName: [UInt32: [UInt32]] = [:]

    init(_ space: HeadSpace = .own) throws(StorageError) {
        symbols = try SymbolTable(space)
        pairs = try Column(capacity: space.pairs)
        lists = try Column(capacity: space.pairs)
        pairCapacity = min(pairs.capacity, lists.capacity)
        pairMask = 1023
        pairSlots = FixedBuffer(repeating: 0, count: 1024)
        records = try Column(capacity: space.recordBytes)
        reserved = (pairCapacity, records.capacity)
        arena = try BlockArena(blocks: space.postingBlocks)
        seriesMask = 1023
        series = FixedBuffer(repeating: 0, count: 1024)
    }

    deinit {
        pairSlots.deallocate()
        series.deallocate()
    }

    /// Allows all threads that hold `lock` to use the index; from now on, each use asserts that it is held.
    func share(under lock: Lock) { guardian = lock }

    @inline(__always)
    private func assertHeld() { guardian?.assertHeld() }

    // MARK: Records

    /// Calls `body` with each pair of a record until it returns false.
    @inline(__always)
    private func forEachPair(_ record: UInt32, _ body: (UInt32) -> Bool) {
        var reader = PairReader(records.elements, Int(record))
        while let pair = reader.next() {
            guard body(pair) else { return }
        }
    }

    /// The label set of a record; needs no lock.
    func labels(record: UInt32) -> Labels {
        var size = 0
        forEachPair(record) { pair in
            let (name, value) = texts(pair)
            size &+= name.count &+ value.count &+ Labels.sizeWidth(name.count) &+ Labels.sizeWidth(value.count)
            return true
        }
        return Labels(
            packed: [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                count = size
                var offset = 0
                forEachPair(record) { pair in
                    let (name, value) = texts(pair)
                    Self.write(name, to: buffer, &offset)
                    Self.write(value, to: buffer, &offset)
                    return true
                }
            })
    }

    @inline(__always)
    private func texts(_ pair: UInt32) -> (UnsafeBufferPointer<UInt8>, UnsafeBufferPointer<UInt8>) {
        let pair = pairs.elements.element(Int(pair))
        return (symbols.text(pair.pointee.name), symbols.text(pair.pointee.value))
    }

    /// Writes a text in the packed form at `offset`, as ``Labels/appendRun(_:to:)`` does.
    @inline(__always)
    private static func write(
        _ run: UnsafeBufferPointer<UInt8>, to target: UnsafeMutableBufferPointer<UInt8>, _ offset: inout Int
    ) {
        let width = Labels.sizeWidth(run.count)
        assert(offset &+ width &+ run.count <= target.count, "\(run.count) bytes at \(offset) of \(target.count)")
        guard let base = target.baseAddress else { return }
        Labels.writeSize(run.count, to: base + offset)
        offset &+= width
        guard let start = run.baseAddress else { return }
        (base + offset).update(from: start, count: run.count)
        offset &+= run.count
    }

    private func equals(_ record: UInt32, _ packed: UnsafeBufferPointer<UInt8>) -> Bool {
        var cursor = Labels.Cursor(packed)
        var equal = true
        forEachPair(record) { pair in
            guard let (name, value) = cursor.next(),
                Labels.equal(symbols.text(pairs[Int(pair)].name), name),
                Labels.equal(symbols.text(pairs[Int(pair)].value), value)
            else {
                equal = false
                return false
            }
            return true
        }
        return equal && cursor.offset == packed.count
    }

    /// Whether the label set of record `a` is before that of record `b`; needs no lock and makes no label set.
    func isBefore(_ a: UInt32, _ b: UInt32) -> Bool {
        var (x, y) = (PairReader(records.elements, Int(a)), PairReader(records.elements, Int(b)))
        while true {
            guard let l = x.next() else { return y.next() != nil }
            guard let r = y.next() else { return false }
            if l == r { continue }
            // Only values that never change are read, because series may be added meanwhile.
            let (p, q) = (symbols(ofPair: l), symbols(ofPair: r))
            if p.name != q.name { return Labels.compare(symbols.text(p.name), symbols.text(q.name)) < 0 }
            return Labels.compare(symbols.text(p.value), symbols.text(q.value)) < 0
        }
    }

    /// The pairs of a record; needs no lock.
    func pairs(of record: UInt32) -> PairReader { PairReader(records.elements, Int(record)) }

    /// The symbols of name and value of a pair; needs no lock.
    func symbols(ofPair pair: UInt32) -> (name: UInt32, value: UInt32) {
        (pairs[Int(pair)].name, pairs[Int(pair)].value)
    }

    /// The text of a symbol; needs no lock.
    func text(ofSymbol symbol: UInt32) -> UnsafeBufferPointer<UInt8> { symbols.text(symbol) }

    /// The symbol of a text, which is added if it is new.
    func symbol(_ text: UnsafeBufferPointer<UInt8>) throws(StorageError) -> UInt32 {
        assertHeld()
        return try symbols.intern(text)
    }

    // MARK: Series

    /// The series with these labels, or nil; `record` returns the record of an id.
    func find(_ packed: UnsafeBufferPointer<UInt8>, hash: UInt64, record: (UInt32) -> UInt32) -> UInt32? {
        assertHeld()
        if !alike.isEmpty, let own = alike[UInt32(hash >> 32)], let id = own[Labels(packed: Array(packed))] {
            return id
        }
        var at = firstSlot(hash)
        while series[at] != 0 {
            let (tag, entry) = (series[at] >> 32, UInt32(truncatingIfNeeded: series[at]))
            if tag == hash >> 32, entry > 1, equals(record(entry &- 2), packed) { return entry &- 2 }
            at = (at &+ 1) & seriesMask
        }
        return nil
    }

    /// Makes the record of a new series, and adds the series to the table and the posting lists; returns the record.
    ///
    /// A series that does not fit leaves nothing in the index.
    func insert(_ id: UInt32, _ packed: UnsafeBufferPointer<UInt8>, hash: UInt64) throws(StorageError)
        -> UInt32
    {
        assertHeld()
        try reserve(packed)
        var cursor = Labels.Cursor(packed)
        var own: [UInt32] = []
        while let (name, value) = cursor.next() {
            own.append(try pair(try symbols.intern(name), try symbols.intern(value)))
        }
        var failure: StorageError?
        let record = own.withUnsafeBufferPointer { own -> UInt32 in
            do throws(StorageError) { return try insert(id, pairs: own, hash: hash) } catch { failure = error }
            return 0
        }
        if let failure { throw failure }
        return record
    }

    /// Makes the record of a new series from its pairs, in the order of their names; only the upper half of `hash` is
    /// used.
    func insert(_ id: UInt32, pairs own: UnsafeBufferPointer<UInt32>, hash: UInt64) throws(StorageError) -> UInt32 {
        assertHeld()
        try reserve(labels: own.count)
        let record = recordEnd
        records[recordEnd] = UInt8(min(own.count, 255))
        recordEnd &+= 1
        if own.count >= 255 {
            for i in 0..<4 { records[recordEnd &+ i] = UInt8(truncatingIfNeeded: own.count >> (8 &* i)) }
            recordEnd &+= 4
        }
        for pair in own {
            var left = pair
            while left >= 0x80 {
                records[recordEnd] = UInt8(truncatingIfNeeded: left) | 0x80
                recordEnd &+= 1
                left >>= 7
            }
            records[recordEnd] = UInt8(left)
            recordEnd &+= 1
            if lists.checked(Int(pair)).pointee.count == 0 { generation &+= 1 }
            guard lists.checked(Int(pair)).pointee.add(id, arena) else {
                throw .limit("\(arena.capacity) blocks of posting lists\(AddressSpace.note)")
            }
        }
        var at = firstSlot(hash)
        var sameBits = 0
        while series[at] != 0 {
            if series[at] >> 32 == hash >> 32 { sameBits &+= 1 }
            at = (at &+ 1) & seriesMask
        }
        if sameBits >= Self.mostAlike {
            alike[UInt32(hash >> 32), default: [:]][labels(record: UInt32(record))] = id
            return UInt32(record)
        }
        series[at] = hash & 0xFFFF_FFFF_0000_0000 | UInt64(id &+ 2)
        seriesUsed &+= 1
        return UInt32(record)
    }

    /// Removes a series from the table and from the counts of its posting lists.
    ///
    /// Its record, its pairs and its entries in the lists stay until the index is replaced.
    func remove(_ id: UInt32, record: UInt32) {
        assertHeld()
        let labels = labels(record: record)
        let hash = labels.stableHash
        if !alike.isEmpty, alike[UInt32(hash >> 32)]?[labels] == id {
            alike[UInt32(hash >> 32)]?[labels] = nil
            if alike[UInt32(hash >> 32)]?.isEmpty == true { alike[UInt32(hash >> 32)] = nil }
        }
        var at = firstSlot(hash)
        while series[at] != 0 {
            if UInt32(truncatingIfNeeded: series[at]) == id &+ 2, series[at] >> 32 == hash >> 32 {
                series[at] = 1
                break
            }
            at = (at &+ 1) & seriesMask
        }
        forEachPair(record) { pair in
            if lists.checked(Int(pair)).pointee.count > 0 { lists.checked(Int(pair)).pointee.count &-= 1 }
            if lists.checked(Int(pair)).pointee.count == 0 { generation &+= 1 }
            return true
        }
    }

    /// The number of slots in the table of series.
    var seriesSlots: Int { seriesMask &+ 1 }

    /// The number of series in the table, and beside it.
    var seriesInTable: Int {
        alike.values.reduce((0..<seriesSlots).count { UInt32(truncatingIfNeeded: series[$0]) > 1 }) { $0 &+ $1.count }
    }

    /// The number of blocks that posting lists hold, and of blocks that are in use.
    var blocks: (held: Int, used: Int) {
        let size = BlockArena.words &* 4
        let held = (1..<max(1, pairCount &+ 1)).reduce(0) { sum, pair in
            sum &+ (Int(lists.checked(pair).pointee.bytes) &+ size &- 1) / size
        }
        return (held, arena.usedBlocks)
    }

    /// Makes the table of series again without removed series, with twice the size if they need more than half of it.
    private func growSeries() throws(StorageError) {
        let (old, oldCount) = (series, seriesSlots)
        let live = seriesInTable
        let size = live &* 2 > oldCount ? oldCount &* 2 : oldCount
        series = try SlotTable.make(size, of: UInt64.self)
        seriesMask = size &- 1
        seriesUsed = 0
        for i in 0..<oldCount where UInt32(truncatingIfNeeded: old[i]) > 1 {
            var at = firstSlot(old[i])
            while series[at] != 0 { at = (at &+ 1) & seriesMask }
            series[at] = old[i]
            seriesUsed &+= 1
        }
        old.deallocate()
    }

    /// Marks the index as the successor of `old`, so that cached answers of `old` are not used as answers of this
    /// index.
    func replaces(_ old: LabelIndex) { generation = max(generation, old.generation) &+ 1 }

    // MARK: Pairs

    @inline(__always)
    private func mix(_ number: UInt64) -> Int {
        let product = (number ^ seed).multipliedFullWidth(by: seed | 1)
        return Int(truncatingIfNeeded: product.high ^ product.low)
    }

    /// The first slot of a series in the table, from the upper half of the hash of its labels.
    @inline(__always)
    private func firstSlot(_ hash: UInt64) -> Int { mix(hash >> 32) & seriesMask }

    private func pairSlot(_ name: UInt32, _ value: UInt32) -> Int {
        var at = mix(UInt64(name) << 32 | UInt64(value)) & pairMask
        while pairSlots[at] != 0 {
            let pair = pairs.elements.element(Int(pairSlots[at]))
            if pair.pointee.value == value, pair.pointee.name == name { break }
            at = (at &+ 1) & pairMask
        }
        return at
    }

    /// The pair of two symbols, which is added if it is new.
    func pair(_ name: UInt32, _ value: UInt32) throws(StorageError) -> UInt32 {
        assertHeld()
        var at = pairSlot(name, value)
        if pairSlots[at] != 0 { return pairSlots[at] }
        if try reserve(pairs: 1) { at = pairSlot(name, value) }
        pairCount &+= 1
        let pair = UInt32(truncatingIfNeeded: pairCount)
        pairs.checked(pairCount).pointee = LabelPair(name: name, value: value)
        pairSlots[at] = pair
        pairsOfName[name, default: []].append(pair)
        return pair
    }

    // MARK: Limits

    /// Leaves the space of the reserve free from now on.
    func keepReserve() {
        reserved = (HeadSpace.filled(pairCapacity), HeadSpace.filled(records.capacity))
        symbols.keepReserve()
        arena.keepReserve()
    }

    private var pairsLeft: Int { max(0, reserved.pairs &- 1 &- pairCount) }

    /// Makes the tables large enough for a new series; throws, and adds nothing, if it does not fit.
    private func reserve(_ packed: UnsafeBufferPointer<UInt8>) throws(StorageError) {
        var (count, texts, bytes) = (0, 0, packed.count)
        var cursor = Labels.Cursor(packed)
        while cursor.next() != nil { count &+= 1 }
        texts = count &* 2
        var newPairs = count
        if texts > symbols.left.texts || bytes > symbols.left.bytes || newPairs > pairsLeft {
            // Only what the index does not have yet needs to fit.
            (texts, bytes, newPairs) = (0, 0, 0)
            cursor = Labels.Cursor(packed)
            while let (name, value) = cursor.next() {
                let (first, second) = (symbols.find(name), symbols.find(value))
                if first == 0 { (texts, bytes) = (texts &+ 1, bytes &+ name.count) }
                if second == 0 { (texts, bytes) = (texts &+ 1, bytes &+ value.count) }
                if first == 0 || second == 0 || pairSlots[pairSlot(first, second)] == 0 { newPairs &+= 1 }
            }
        }
        try symbols.reserve(texts, bytes: bytes)
        try reserve(pairs: newPairs)
        try reserve(labels: count)
    }

    /// Makes the table of pairs large enough for more pairs; throws if they do not fit.
    ///
    /// - Returns: Whether pairs have other slots now.
    @discardableResult
    private func reserve(pairs count: Int) throws(StorageError) -> Bool {
        guard count <= pairsLeft else {
            throw .limit("\(pairCapacity) different labels\(AddressSpace.note)")
        }
        let size = SlotTable.slots(for: pairCount &+ count, atLeast: pairMask &+ 1)
        guard size > pairMask &+ 1 else { return false }
        let larger = try SlotTable.make(size, of: UInt32.self)
        pairSlots.deallocate()
        pairSlots = larger
        pairMask = size &- 1
        for i in 0..<pairCount {
            let pair = pairs[i &+ 1]
            pairSlots[pairSlot(pair.name, pair.value)] = UInt32(truncatingIfNeeded: i &+ 1)
        }
        return true
    }

    /// Makes the table of series large enough for one more; throws if the record and the posting lists of a series with
    /// so many labels do not fit.
    private func reserve(labels count: Int) throws(StorageError) {
        guard count < 1 << 28, count &* 5 &+ 5 < reserved.records &- recordEnd else {
            throw .limit("\(records.capacity) bytes of records of series\(AddressSpace.note)")
        }
        guard count <= arena.leftBlocks else {
            throw .limit("\(arena.capacity) blocks of posting lists\(AddressSpace.note)")
        }
        if (seriesUsed &+ 1) &* 4 > (seriesMask &+ 1) &* 3 { try growSeries() }
    }

    // MARK: Questions

    /// The pairs with this label name that at least one series has.
    func pairsInUse(of name: String) -> [UInt32] {
        assertHeld()
        return (pairsOfName[symbols.find(name)] ?? []).filter { lists.checked(Int($0)).pointee.count > 0 }
    }

    /// The value of a pair, which may be read without the registry's lock.
    func value(of pair: UInt32) -> UnsafeBufferPointer<UInt8> { symbols.text(pairs[Int(pair)].value) }

    /// The ids of the series that have one of several pairs of one label name, ascending, including removed series.
    func ids(of pairs: [UInt32]) -> [UInt32] {
        assertHeld()
        var ids: [UInt32] = []
        for pair in pairs { lists.checked(Int(pair)).pointee.append(to: &ids, arena) }
        if pairs.count > 1 { ids.sort() }
        return ids
    }

    /// The pair `name="value"`; 0 if there is none.
    func pair(_ name: String, equals value: String) -> UInt32 {
        assertHeld()
        let (name, value) = (symbols.find(name), symbols.find(value))
        return name != 0 && value != 0 ? pairSlots[pairSlot(name, value)] : 0
    }

    /// The number of series that have a pair.
    func seriesCount(of pair: UInt32) -> Int { Int(lists.checked(Int(pair)).pointee.count) }

    /// The label names that at least one series has.
    func names() -> [String] {
        assertHeld()
        return pairsOfName.filter { $0.value.contains { lists.checked(Int($0)).pointee.count > 0 } }
            .map { String(decoding: symbols.text($0.key), as: UTF8.self) }
    }

    /// The values of a label that at least one series has.
    func values(_ name: String) -> [String] {
        assertHeld()
        return (pairsOfName[symbols.find(name)] ?? []).filter { lists.checked(Int($0)).pointee.count > 0 }
            .map { String(decoding: symbols.text(pairs[Int($0)].value), as: UTF8.self) }
    }

    /// A pair of a name and a value that at least one series has; its texts belong to the index.
    struct PairInUse {
        var number: Int
        var name: UInt32
        var nameText: UnsafeBufferPointer<UInt8>
        var valueText: UnsafeBufferPointer<UInt8>
        var series: Int
    }

    /// Calls `body` with each pair that at least one series has, among the pairs whose numbers are in `range`.
    ///
    /// - Returns: Whether there are pairs after `range`.
    func forEachPairInUse(_ range: Range<Int>, _ body: (PairInUse) -> Void) -> Bool {
        assertHeld()
        let end = pairCount &+ 1
        for i in max(1, range.lowerBound)..<max(1, range.lowerBound, min(range.upperBound, end))
        where lists.checked(i).pointee.count > 0 {
            body(
                PairInUse(
                    number: i, name: pairs[i].name, nameText: symbols.text(pairs[i].name),
                    valueText: symbols.text(pairs[i].value), series: Int(lists.checked(i).pointee.count)))
        }
        return range.upperBound < end
    }

    /// The bytes in use.
    var usedBytes: Int {
        symbols.usedBytes &+ pairCount &* 40 &+ (pairMask &+ 1) &* 4 &+ recordEnd &+ seriesSlots &* 8
            &+ arena.usedBytes
    }
}
