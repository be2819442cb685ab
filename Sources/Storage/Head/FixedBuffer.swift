/// Memory for a fixed number of trivial values; each access asserts its bounds.
///
/// The assertions exist only in debug builds, so that an access in a release build is one load or store. A copy refers
/// to the same memory; the code that allocated the memory frees it.
struct FixedBuffer<Element: BitwiseCopyable> {
    private let base: UnsafeMutablePointer<Element>
    /// The number of elements that fit.
    let capacity: Int

    /// Uses memory that the caller has allocated and will free.
    init(_ base: UnsafeMutablePointer<Element>, capacity: Int) {
        self.base = base
        self.capacity = capacity
    }

    /// Allocates memory whose elements have no value yet.
    init(allocating capacity: Int) { self.init(.allocate(capacity: capacity), capacity: capacity) }

    /// Allocates memory whose elements are all `value`.
    init(repeating value: Element, count: Int) {
        self.init(allocating: count)
        base.initialize(repeating: value, count: count)
    }

    func deallocate() { base.deallocate() }

    @inline(__always)
    subscript(at: Int) -> Element {
        unsafeAddress {
            assert(at >= 0 && at < capacity, "position \(at) of \(capacity)")
            return UnsafePointer(base + at)
        }
        nonmutating unsafeMutableAddress {
            assert(at >= 0 && at < capacity, "position \(at) of \(capacity)")
            return base + at
        }
    }

    /// A reference to one element, for several accesses.
    @inline(__always)
    func element(_ at: Int) -> ElementReference<Element> {
        assert(at >= 0 && at < capacity, "position \(at) of \(capacity)")
        return ElementReference(base + at)
    }

    /// The elements of a range.
    @inline(__always)
    func elements(_ range: Range<Int>) -> UnsafeBufferPointer<Element> {
        assert(range.lowerBound >= 0 && range.upperBound <= capacity, "positions \(range) of \(capacity)")
        return UnsafeBufferPointer(start: base + range.lowerBound, count: range.count)
    }

    /// Copies `source` to the positions from `at` on.
    @inline(__always)
    func update(at: Int, from source: UnsafeBufferPointer<Element>) {
        assert(at >= 0 && at <= capacity && source.count <= capacity - at, "\(source.count) at \(at) of \(capacity)")
        if let start = source.baseAddress { (base + at).update(from: start, count: source.count) }
    }

    /// The same memory as values of another type.
    func rebound<Other: BitwiseCopyable>(to type: Other.Type) -> FixedBuffer<Other> {
        FixedBuffer<Other>(
            UnsafeMutableRawPointer(base).assumingMemoryBound(to: type),
            capacity: capacity &* MemoryLayout<Element>.stride / MemoryLayout<Other>.stride)
    }

    /// The address, for system calls about the memory.
    var address: UnsafeMutableRawPointer { UnsafeMutableRawPointer(base) }
}

/// A reference to one element of a buffer.
///
/// The position is checked when the reference is made; it gives no access to other elements. It is valid as long as the
/// memory of the element.
struct ElementReference<Element: BitwiseCopyable> {
    private let address: UnsafeMutablePointer<Element>

    @inline(__always)
    init(_ address: UnsafeMutablePointer<Element>) { self.address = address }

    @inline(__always)
    var pointee: Element {
        unsafeAddress { UnsafePointer(address) }
        nonmutating unsafeMutableAddress { address }
    }
}
