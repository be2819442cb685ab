import Encoding

/// Reads compressed pages of hostile targets.
enum GzipTarget {
    private static let limit = 1 << 20

    /// What is decoded in one go must be decoded again from its members, and never be larger than allowed.
    static func decode(_ bytes: UnsafeRawBufferPointer) {
        var out: [UInt8] = []
        do throws(GzipFailure) {
            try GzipDecoder().decode(bytes, into: &out) { $0 <= limit }
        } catch {
            if out.count > limit { fatalError("\(out.count) bytes of at most \(limit)") }
            return
        }
        // A cut stream must not pass for a whole one, unless it ends between two members.
        var part: [UInt8] = []
        let cut = UnsafeRawBufferPointer(rebasing: bytes.dropLast())
        if !cut.isEmpty, (try? GzipDecoder().decode(cut, into: &part) { $0 <= limit }) != nil {
            fatalError("a stream without its last byte was taken")
        }
    }
}
