import GoCompatibility
import Testing

@Suite("Quoting bytes")
struct GoQuoteBytesTests {
    @Test("bytes of no character are shown in hexadecimal, all others as text")
    func quoteBytes() {
        #expect(GoQuote.quote(bytes: Array("a\"é\n".utf8)) == GoQuote.quote("a\"é\n"))
        #expect(GoQuote.quote(bytes: [0x61, 0xC5, 0x7A]) == "\"a\\xc5z\"")
        #expect(GoQuote.quote(bytes: [0xFF, 0xE2, 0x82]) == "\"\\xff\\xe2\\x82\"")
    }
}
