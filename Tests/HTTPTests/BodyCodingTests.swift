import HTTP
import Testing

@Suite("Compression of answers")
struct BodyCodingTests {
    @Test("only gzip is decoded, of targets only in small letters, as by Prometheus")
    func names() {
        for (header, isGzip, isGzipOfTarget) in [
            ("gzip", true, true), ("GZIP", true, false), ("x-gzip", false, false), ("identity", false, false),
            ("gzip, gzip", false, false), (nil, false, false),
        ] as [(String?, Bool, Bool)] {
            #expect((BodyCoding(header) == .gzip) == isGzip)
            #expect((BodyCoding(ofTarget: header) == .gzip) == isGzipOfTarget)
        }
    }
}
