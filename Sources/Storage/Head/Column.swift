import Glibc
import Platform

/// An array of trivial values that grows in place: address space is reserved once, memory comes as it is touched.
///
/// Elements that were never written read as zero bytes. Pointers stay valid while the column lives.
final class Column<Element: BitwiseCopyable> {
    let base: UnsafeMutablePointer<Element>
    /// Elements that fit.
    let capacity: Int
    private let bytes: Int

    /// Reserves address space for `capacity` elements, or for as many as the system grants.
    ///
    /// - Parameter share: The part of all address space that it may take where that is limited; nil takes what it wants.
    init(capacity wanted: Int, share: Double? = nil) throws(StorageError) {
        var count = wanted
        if let share { count = min(wanted, max(1024, AddressSpace.room(share) / MemoryLayout<Element>.stride)) }
        while true {
            let bytes = max(4096, count &* MemoryLayout<Element>.stride)
            let address = mmap(
                nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
            if let address, address != MAP_FAILED {
                base = address.assumingMemoryBound(to: Element.self)
                capacity = count
                self.bytes = bytes
                return
            }
            count /= 2
            guard count >= 1024 else {
                throw StorageError.outOfMemory("room for \(wanted) elements of \(Element.self)\(AddressSpace.note)")
            }
        }
    }

    /// Gives the memory of whole pages within `elements` back; they read as zero bytes then.
    func discard(_ elements: Range<Int>) {
        let page = Int(getpagesize())
        let stride = MemoryLayout<Element>.stride
        let from = (elements.lowerBound &* stride &+ page &- 1) / page &* page
        let to = elements.upperBound &* stride / page &* page
        if from < to { madvise(UnsafeMutableRawPointer(base) + from, to &- from, MADV_DONTNEED) }
    }

    deinit { munmap(base, bytes) }
}
