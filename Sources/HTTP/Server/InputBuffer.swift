import Glibc

extension [UInt8] {
    /// Makes the array `size` bytes long; new bytes are 0.
    ///
    /// Appending a repeated element calls a function for each byte without inlining, as in debug builds.
    mutating func grow(to size: Int) {
        guard size > count else { return }
        let old = self
        self = [UInt8](unsafeUninitializedCapacity: size) { target, count in
            guard let base = target.baseAddress else { return }
            old.withUnsafeBufferPointer { if let from = $0.baseAddress { memcpy(base, from, $0.count) } }
            memset(base + old.count, 0, size - old.count)
            count = size
        }
    }
}
