import Glibc

/// Memory whose end touches memory that may not be read: whoever reads a byte too many ends the test.
public final class GuardedPage {
    private let region: UnsafeMutableRawPointer
    private let size: Int
    private static let unit = 4096

    /// Space for `capacity` bytes.
    public init?(capacity: Int) {
        size = (capacity / Self.unit + 2) * Self.unit
        let mapped = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapped, mapped != MAP_FAILED else { return nil }
        region = mapped
        mprotect(region + (size - Self.unit), Self.unit, PROT_NONE)
    }

    deinit { munmap(region, size) }

    /// Calls `body` with a copy of `bytes` that ends where reading is forbidden.
    public func with<R>(_ bytes: [UInt8], _ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
        let start = region + (size - Self.unit - bytes.count)
        bytes.withUnsafeBytes {
            start.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(region), byteCount: $0.count)
        }
        return body(
            UnsafeBufferPointer(start: start.assumingMemoryBound(to: UInt8.self), count: bytes.count))
    }
}
