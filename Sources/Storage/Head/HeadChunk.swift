import Model

/// Appends values to the open chunk of a series.
///
/// A chunk has one of three forms; the next form is used when the current one cannot store a value. *Constant* stores
/// no bits; *integer* stores Gorilla's delta-of-delta (Pelkonen et al., VLDB 2015, §4.1.1) of exactly scaled mantissas;
/// *XOR* stores Gorilla's coding of values (§4.1.2) for any of the 2^64 patterns. Bits are stored from the low end of
/// 32-bit words; the last, incomplete word is in the state. Times are stored elsewhere, see ``TimeRun``.
///
///     integer, XOR: base (64 bits: mantissa or pattern), then a code per sample
///     0 = no change of slope (integer) or of value (XOR) · all ones = stale marker
enum HeadChunk {
    /// The most samples in a chunk.
    static let capacity = 240
    /// The words of the largest chunk: the base, at most 78 bits (XOR with a new window) for each sample, and words
    /// that may be read after the end.
    static let maxWords = (64 + capacity * 80) / 32 + 4

    /// Appends `count` ≤ 32 bits.
    @inline(__always)
    private static func put(
        _ state: StateReference, _ arena: BlockArena, _ value: UInt64, _ count: Int
    ) -> Bool {
        let used = Int(state.pointee.bits & 31)
        let joined = UInt64(state.pointee.tail) | value << UInt64(used)
        state.pointee.bits &+= UInt16(truncatingIfNeeded: count)
        guard used &+ count >= 32 else {
            state.pointee.tail = UInt32(truncatingIfNeeded: joined)
            return true
        }
        let word = (Int(state.pointee.bits) &- count) >> 5
        let slot = word % BlockArena.words
        if slot == 0 {
            let block = arena.allocate()
            guard block != 0 else { return false }
            if state.pointee.firstBlock == 0 {
                state.pointee.firstBlock = block
            } else {
                arena.setLink(of: state.pointee.lastBlock, to: block)
            }
            state.pointee.lastBlock = block
        }
        arena[state.pointee.lastBlock, slot] = UInt32(truncatingIfNeeded: joined)
        state.pointee.tail = UInt32(truncatingIfNeeded: joined >> 32)
        return true
    }

    @inline(__always)
    private static func putLong(
        _ state: StateReference, _ arena: BlockArena, _ value: UInt64, _ count: Int
    ) -> Bool {
        if count <= 32 { return put(state, arena, value, count) }
        return put(state, arena, value & 0xFFFF_FFFF, 32) && put(state, arena, value >> 32, count &- 32)
    }

    /// The part of a state that has changed when there was no block for a sample of a chunk with bits.
    ///
    /// The difference and the window of the sample are set last, so that they need not be restored: reading them here,
    /// shortly after they were written one by one, would delay each sample of a series.
    private struct End {
        private let (bits, tail): (UInt16, UInt32)

        @inline(__always)
        init(_ state: StateReference) { (bits, tail) = (state.pointee.bits, state.pointee.tail) }

        /// Removes a sample for which there was no block; no block was added then, because a sample needs at most one.
        func restore(_ state: StateReference) { (state.pointee.bits, state.pointee.tail) = (bits, tail) }
    }

    /// Restores the state of a chunk, and releases the blocks that it has instead of those of `before`.
    private static func restore(_ state: StateReference, _ before: SeriesState, _ arena: BlockArena) {
        if state.pointee.firstBlock != before.firstBlock { release(state.pointee, arena) }
        state.pointee = before
    }

    /// Appends the newest sample; returns false, and leaves the chunk as it was, if no memory was left.
    ///
    /// The first sample of a chunk needs no memory.
    ///
    /// - Parameters:
    ///   - value: Any double except the stale marker.
    ///   - mantissa: The mantissa of `value`, if `scale` is not negative.
    ///   - scale: The decimal places; negative if they are unknown.
    @inline(__always)
    static func append(
        _ state: StateReference, _ arena: BlockArena, _ value: Double, _ mantissa: Int64,
        _ scale: Int8
    ) -> Bool {
        if state.pointee.count == 0 {
            state.pointee.codec = SeriesState.constant
            state.pointee.bits = 0
            state.pointee.tail = 0
        } else if state.pointee.codec == SeriesState.constant {
            if value.bitPattern != state.pointee.lastValue.bitPattern {
                let before = state.pointee
                guard leaveConstant(state, arena, value, scale), appendCoded(state, arena, value, mantissa, scale)
                else {
                    restore(state, before, arena)
                    return false
                }
            }
        } else {
            let end = End(state)
            guard appendCoded(state, arena, value, mantissa, scale) else {
                end.restore(state)
                return false
            }
        }
        state.pointee.lastValue = value
        state.pointee.kind &= ~(SeriesState.staleFlag | SeriesState.histogramFlag | SeriesState.newestDeletedFlag)
        state.pointee.count &+= 1
        return true
    }

    /// Appends a stale marker; returns false, and leaves the chunk as it was, if no memory was left.
    static func appendStale(_ state: StateReference, _ arena: BlockArena) -> Bool {
        let before = state.pointee
        if state.pointee.count == 0 {
            state.pointee.codec = SeriesState.constant
            state.pointee.bits = 0
            state.pointee.tail = 0
        }
        if state.pointee.codec == SeriesState.constant {
            guard leaveConstant(state, arena, state.pointee.lastValue, -1), putStale(state, arena) else {
                restore(state, before, arena)
                return false
            }
            return true
        }
        let end = End(state)
        guard putStale(state, arena) else {
            end.restore(state)
            return false
        }
        return true
    }

    private static func putStale(_ state: StateReference, _ arena: BlockArena) -> Bool {
        let done =
            state.pointee.codec == SeriesState.integer
            ? put(state, arena, 0b111111, 6) : put(state, arena, 0b111, 3)
        guard done else { return false }
        state.pointee.isStale = true
        state.pointee.isHistogram = false
        state.pointee.isNewestDeleted = false
        state.pointee.count &+= 1
        return true
    }

    private static func appendCoded(
        _ state: StateReference, _ arena: BlockArena, _ value: Double, _ mantissa: Int64,
        _ scale: Int8
    ) -> Bool {
        if state.pointee.codec == SeriesState.integer {
            let chunkScale = state.pointee.scale
            var scaled: Int64?
            if scale == chunkScale, mantissa > -Decimal.limit, mantissa < Decimal.limit,
                mantissa != 0 || value.bitPattern == 0
            {
                scaled = mantissa
            } else {
                scaled = Decimal.mantissa(value, chunkScale)
            }
            guard let scaled else { return recode(state, arena, value, scale) }
            let last = Decimal.nearest(state.pointee.lastValue * Decimal.power(chunkScale))
            return putInteger(state, arena, scaled &- last)
        }
        return putXOR(state, arena, value)
    }

    @inline(__always)
    private static func putInteger(
        _ state: StateReference, _ arena: BlockArena, _ delta: Int64
    ) -> Bool {
        guard put(state, arena, second: delta &- Int64(state.pointee.lastDelta), delta) else { return false }
        let small = Int32(truncatingIfNeeded: delta)
        state.pointee.lastDelta = Int64(small) == delta ? small : 0
        return true
    }

    /// Writes the difference of two differences, or the difference itself.
    @inline(__always)
    private static func put(
        _ state: StateReference, _ arena: BlockArena, second: Int64, _ delta: Int64
    ) -> Bool {
        if second == 0 { return put(state, arena, 0, 1) }
        let zigzag = UInt64(bitPattern: second << 1 ^ second >> 63)
        if zigzag < 1 << 6 { return put(state, arena, 0b01 | zigzag << 2, 8) }
        if zigzag < 1 << 12 { return put(state, arena, 0b011 | zigzag << 3, 15) }
        if zigzag < 1 << 20 { return put(state, arena, 0b0111 | zigzag << 4, 24) }
        if zigzag < 1 << 32 { return put(state, arena, 0b01111, 5) && put(state, arena, zigzag, 32) }
        return put(state, arena, 0b011111, 6) && putLong(state, arena, UInt64(bitPattern: delta), 64)
    }

    private static func putXOR(
        _ state: StateReference, _ arena: BlockArena, _ value: Double
    ) -> Bool {
        let difference = value.bitPattern ^ state.pointee.lastValue.bitPattern
        if difference == 0 { return put(state, arena, 0, 1) }
        let lead = min(31, difference.leadingZeroBitCount)
        let trail = difference.trailingZeroBitCount
        let (oldLead, oldWidth) = (Int(state.pointee.xorLead), Int(state.pointee.xorWidth))
        let oldTrail = 64 &- oldLead &- oldWidth
        if oldWidth > 0, lead >= oldLead, trail >= oldTrail, 64 &- lead &- trail &+ 12 > oldWidth {
            return put(state, arena, 0b01, 2)
                && putLong(state, arena, difference >> UInt64(oldTrail), oldWidth)
        }
        let width = 64 &- lead &- trail
        guard put(state, arena, 0b011 | UInt64(lead) << 3 | UInt64(width &- 1) << 8, 14),
            putLong(state, arena, difference >> UInt64(trail), width)
        else { return false }
        state.pointee.xorLead = UInt8(truncatingIfNeeded: lead)
        state.pointee.xorWidth = UInt8(truncatingIfNeeded: width)
        return true
    }

    /// Writes the constants that were only counted before, in a form that also suits `next`.
    private static func leaveConstant(
        _ state: StateReference, _ arena: BlockArena, _ next: Double, _ hint: Int8
    ) -> Bool {
        let held = state.pointee.lastValue
        let hint = hint >= 0 && hint <= Int8(Decimal.maxScale) ? hint : max(0, state.pointee.scale)
        if let a = Decimal.scale(next, hint: hint), let b = Decimal.scale(held, hint: a),
            let mantissa = Decimal.mantissa(held, max(a, b)), Decimal.mantissa(next, max(a, b)) != nil
        {
            return begin(state, arena, SeriesState.integer, UInt64(bitPattern: mantissa), max(a, b))
        }
        return begin(state, arena, SeriesState.xor, held.bitPattern, 0)
    }

    /// Writes the base, and a "no change" for each sample of the chunk.
    private static func begin(
        _ state: StateReference, _ arena: BlockArena, _ codec: UInt8, _ base: UInt64, _ scale: Int8
    ) -> Bool {
        state.pointee.codec = codec
        state.pointee.scale = scale
        state.pointee.lastDelta = 0
        state.pointee.xorLead = 0
        state.pointee.xorWidth = 0
        state.pointee.bits = 0
        state.pointee.tail = 0
        guard putLong(state, arena, base, 64) else { return false }
        var zeros = Int(state.pointee.count)
        while zeros > 0 {
            guard put(state, arena, 0, min(zeros, 32)) else { return false }
            zeros &-= min(zeros, 32)
        }
        return true
    }

    /// Writes the chunk again in a form that suits `value`, which does not fit its scale, and appends `value`; the old
    /// blocks are only released when the new ones are complete.
    private static func recode(
        _ state: StateReference, _ arena: BlockArena, _ value: Double, _ hint: Int8
    ) -> Bool {
        let before = state.pointee
        let count = Int(before.count)
        var done = true
        withUnsafeTemporaryAllocation(of: Double.self, capacity: capacity) { values in
            withUnsafeTemporaryAllocation(of: UInt32.self, capacity: maxWords) { words in
                copyWords(state.pointee, arena, to: words)
                ChunkView(state.pointee, words: UnsafeBufferPointer(words)).decode(into: values)
            }
            clear(state)
            let wanted = Decimal.scale(value, hint: hint >= 0 ? min(hint, Int8(Decimal.maxScale)) : 0)
            var scale = wanted
            var start = before.lastValue
            for i in 0..<count where !Staleness.isMarker(values[i]) {
                start = values[i]
                break
            }
            if let wanted {
                for i in 0..<count where !Staleness.isMarker(values[i]) && Decimal.mantissa(values[i], wanted) == nil {
                    scale = nil
                    break
                }
            }
            state.pointee.count = 0
            state.pointee.lastValue = start
            if let scale, let mantissa = Decimal.mantissa(start, scale) {
                done = begin(state, arena, SeriesState.integer, UInt64(bitPattern: mantissa), scale)
            } else {
                done = begin(state, arena, SeriesState.xor, start.bitPattern, 0)
            }
            for i in 0..<count where done {
                if Staleness.isMarker(values[i]) {
                    done = putStale(state, arena)
                } else {
                    done = appendCoded(state, arena, values[i], 0, -1)
                    state.pointee.lastValue = values[i]
                    state.pointee.count &+= 1
                }
            }
            done = done && appendCoded(state, arena, value, 0, -1)
        }
        if done { release(before, arena) } else { restore(state, before, arena) }
        return done
    }

    /// Releases the memory of the chunk, and leaves an empty chunk.
    static func release(_ state: StateReference, _ arena: BlockArena) {
        release(state.pointee, arena)
        clear(state)
    }

    private static func release(_ state: SeriesState, _ arena: BlockArena) {
        guard state.firstBlock != 0 else { return }
        var (block, count) = (state.firstBlock, 1)
        while block != state.lastBlock, block != 0 { (block, count) = (arena.link(of: block), count &+ 1) }
        arena.release(first: state.firstBlock, last: state.lastBlock, count: count)
    }

    /// Resets the state to no open chunk and no run, without releasing the memory of the chunk.
    static func forget(_ state: StateReference) {
        clear(state)
        state.pointee.run = 0
        state.pointee.first = 0
        // A state from a damaged file may have any numbers.
        state.pointee.xorLead = 0
        state.pointee.xorWidth = 0
    }

    private static func clear(_ state: StateReference) {
        state.pointee.firstBlock = 0
        state.pointee.lastBlock = 0
        state.pointee.bits = 0
        state.pointee.tail = 0
        state.pointee.count = 0
        state.pointee.codec = SeriesState.constant
    }

    /// Restores the words that ``copyWords(_:_:to:)`` copied; returns false, and leaves an empty chunk, if no memory was
    /// left.
    static func restore(
        _ state: StateReference, _ arena: BlockArena, _ stretch: inout BlockStretch,
        _ words: UnsafeRawBufferPointer
    ) -> Bool {
        let full = Int(state.pointee.bits) >> 5
        state.pointee.firstBlock = 0
        state.pointee.lastBlock = 0
        guard state.pointee.codec == SeriesState.integer || state.pointee.codec == SeriesState.xor,
            words.count >= full &* 4
        else {
            state.pointee.bits = 0
            state.pointee.tail = 0
            return true
        }
        var at = 0
        while at < full {
            let block = stretch.take()
            guard block != 0 else {
                release(state, arena)
                return false
            }
            if at == 0 {
                state.pointee.firstBlock = block
            } else {
                arena.setLink(of: state.pointee.lastBlock, to: block)
            }
            state.pointee.lastBlock = block
            arena.setLink(of: block, to: 0)
            for i in 0..<min(BlockArena.words, full &- at) {
                arena[block, i] = words.loadUnaligned(fromByteOffset: (at &+ i) &* 4, as: UInt32.self)
            }
            at &+= BlockArena.words
        }
        return true
    }

    /// Copies the words of the chunk and two words of zeros to `target`; returns the number of words with bits.
    @discardableResult
    static func copyWords(
        _ state: SeriesState, _ arena: BlockArena, to target: UnsafeMutableBufferPointer<UInt32>
    ) -> Int {
        guard state.codec == SeriesState.integer || state.codec == SeriesState.xor, let base = target.baseAddress else {
            return 0
        }
        let full = Int(state.bits) >> 5
        assert(full &+ 3 <= target.count, "\(full) words, and space for \(target.count)")
        var block = state.firstBlock
        var at = 0
        while at < full, block != 0 {
            let words = arena.firstWords(of: block, min(BlockArena.words, full &- at))
            if let start = words.baseAddress { (base + at).update(from: start, count: words.count) }
            at &+= words.count
            block = arena.link(of: block)
        }
        target[full] = state.tail
        target[full &+ 1] = 0
        target[full &+ 2] = 0
        return full &+ (state.bits & 31 == 0 ? 0 : 1)
    }
}
