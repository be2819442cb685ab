import CZlib
import Encoding

/// The compression of the body of an answer.
package enum ContentCoding: String, Sendable, CaseIterable {
    case gzip
    case deflate
    case zstd

    /// The coding that a client prefers; nil to send the body as it is.
    ///
    /// Among equal weights the client's first coding is used.
    package static func choose(_ accepted: String?) -> ContentCoding? {
        guard let accepted else { return nil }
        var best: (coding: ContentCoding, weight: Int)?
        var any: Int?
        var named: Set<ContentCoding> = []
        var identity: Int?
        for part in accepted.utf8.split(separator: UInt8(ascii: ","), maxSplits: 32).prefix(32) {
            let words = part.split(separator: UInt8(ascii: ";")).map { word in
                String(decoding: word.filter { $0 != 0x20 && $0 != 0x09 }, as: UTF8.self).lowercased()
            }
            guard let name = words.first else { continue }
            let weight = words.dropFirst().first { $0.hasPrefix("q=") }.map { Self.weight($0.dropFirst(2)) } ?? 1000
            if name == "*" { any = weight }
            if name == "identity" { identity = weight }
            guard let coding = ContentCoding(rawValue: name == "x-gzip" ? "gzip" : name) else { continue }
            named.insert(coding)
            if weight > best?.weight ?? 0 { best = (coding, weight) }
        }
        if let any, any > best?.weight ?? 0, let coding = allCases.first(where: { !named.contains($0) }) {
            best = (coding, any)
        }
        guard let best, best.weight >= identity ?? 0 else { return nil }
        return best.coding
    }

    /// A weight in thousandths; 0 if it is invalid.
    private static func weight(_ text: Substring) -> Int {
        guard let value = Double(text), value >= 0, value <= 1 else { return 0 }
        return Int(value * 1000)
    }

    /// Compresses `bytes`; nil if that is not possible.
    func compress(_ bytes: [UInt8]) -> [UInt8]? {
        switch self {
        case .gzip, .deflate: return deflated(bytes)
        case .zstd:
            guard let compressor = try? ZstdCompressor() else { return nil }
            var out: [UInt8] = []
            guard (try? bytes.withUnsafeBytes({ try compressor.compress($0, level: 1, to: &out) })) != nil else {
                return nil
            }
            return out
        }
    }

    private func deflated(_ bytes: [UInt8]) -> [UInt8]? {
        var stream = z_stream()
        let status = self == .gzip ? czlib_deflate_init_gzip(&stream, 1) : czlib_deflate_init_zlib(&stream, 1)
        guard status == Z_OK else { return nil }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(bytes.count))) + 64
        guard bytes.count < Int(UInt32.max), bound < Int(UInt32.max) else { return nil }
        var input = bytes
        var isComplete = false
        let out = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            input.withUnsafeMutableBufferPointer { input in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = buffer.baseAddress
                stream.avail_out = UInt32(bound)
                isComplete = CZlib.deflate(&stream, Z_FINISH) == Z_STREAM_END
            }
            count = bound - Int(stream.avail_out)
        }
        return isComplete ? out : nil
    }
}
