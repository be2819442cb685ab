import Glibc
import Platform

/// An array of trivial values that grows in place: address space is reserved once, memory is used when it is touched.
///
/// Elements that were never written read as zero bytes. References stay valid while the column lives.
final class Column<Element: BitwiseCopyable> {
    /// The elements, for readers that keep the column alive elsewhere and do not reference it.
    let elements: FixedBuffer<Element>
    private let bytes: Int

    /// The number of elements that fit.
    var capacity: Int { elements.capacity }

    /// Reserves address space for `capacity` elements; halves the number until the system grants it.
    ///
    /// Columns with the same positions may therefore differ in their capacities.
    init(capacity wanted: Int) throws(StorageError) {
        var count = wanted
        while true {
            let bytes = max(4096, count &* MemoryLayout<Element>.stride)
            let address = mmap(
                nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
            if let address, address != MAP_FAILED {
                elements = FixedBuffer(address.assumingMemoryBound(to: Element.self), capacity: count)
                self.bytes = bytes
                return
            }
            count /= 2
            guard count >= 1024 else {
                throw StorageError.outOfMemory("memory for \(wanted) elements of \(Element.self)\(AddressSpace.note)")
            }
        }
    }

    @inline(__always)
    subscript(at: Int) -> Element {
        get { elements[at] }
        _modify { yield &elements[at] }
    }

    /// The element at a position, which is checked in release builds, too: for uses that are not frequent.
    func checked(_ at: Int) -> ElementReference<Element> {
        precondition(at >= 0 && at < capacity, "position \(at) of \(capacity)")
        return elements.element(at)
    }

    /// Returns the memory of the whole pages within `range` to the system; the elements read as zero bytes afterwards.
    func discard(_ range: Range<Int>) {
        assert(range.lowerBound >= 0 && range.upperBound <= capacity, "positions \(range) of \(capacity)")
        let page = Int(getpagesize())
        let stride = MemoryLayout<Element>.stride
        let from = (range.lowerBound &* stride &+ page &- 1) / page &* page
        let to = range.upperBound &* stride / page &* page
        if from < to { madvise(elements.address + from, to &- from, MADV_DONTNEED) }
    }

    deinit { munmap(elements.address, bytes) }
}
