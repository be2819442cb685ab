import GoCompatibility
import Testing

@Suite("Case as in Go")
struct GoCaseTests {
    /// Scalars with several in `SpecialCasing.txt` whose `UnicodeData.txt` gives a capital in field 12.
    private static let capitals: [ClosedRange<UInt32>: UInt32] = [
        0x1F80...0x1F87: 8, 0x1F90...0x1F97: 8, 0x1FA0...0x1FA7: 8, 0x1FB3...0x1FB3: 9, 0x1FC3...0x1FC3: 9,
        0x1FF3...0x1FF3: 9,
    ]

    /// Every scalar of Unicode.
    private static var scalars: some Sequence<Unicode.Scalar> {
        (UInt32(0)...0x10FFFF).lazy.compactMap(Unicode.Scalar.init)
    }

    @Test("each scalar gives the one scalar that Unicode's data files say")
    func all() {
        var wrong: [Unicode.Scalar] = []
        var exceptions = 0
        for scalar in Self.scalars {
            let properties = scalar.properties
            var (upper, lower, title) = (
                properties.uppercaseMapping, properties.lowercaseMapping, properties.titlecaseMapping
            )
            if upper.unicodeScalars.count > 1 {
                exceptions += 1
                let distance = Self.capitals.first { $0.key.contains(scalar.value) }?.value ?? 0
                upper = Unicode.Scalar(scalar.value + distance).map(String.init) ?? ""
            }
            if lower.unicodeScalars.count > 1 { lower = scalar == "\u{130}" ? "i" : "" }
            if title.unicodeScalars.count > 1 { title = String(scalar) }
            let found = [GoCase.upper(scalar), GoCase.lower(scalar), GoCase.title(scalar)]
            if found.map({ Array(String($0).utf8) }) != [upper, lower, title].map({ Array($0.utf8) }) {
                wrong.append(scalar)
            }
        }
        #expect(wrong.isEmpty)
        // So many unconditional capitals of several scalars stand in SpecialCasing.txt.
        #expect(exceptions == 102)
    }

    @Test(
        "texts change scalar by scalar",
        arguments: [
            ("ß", "ß", "ß"), ("ẞ", "ẞ", "ß"), ("İ", "İ", "i"), ("ı", "I", "ı"), ("ŉﬁ", "ŉﬁ", "ŉﬁ"),
            ("ΑΣ", "ΑΣ", "ας".replacing("ς", with: "σ")),
            ("ς", "Σ", "ς"), ("ǅ", "Ǆ", "ǆ"), ("ᾳ", "ᾼ", "ᾳ"), ("K", "K", "k"), ("ſ", "S", "ſ"), ("ა", "Ა", "ა"),
            ("e\u{301}", "E\u{301}", "e\u{301}"), ("aZ09_", "AZ09_", "az09_"), ("", "", ""),
        ])
    func texts(_ text: String, _ upper: String, _ lower: String) {
        #expect(Array(GoCase.upper(text).utf8) == Array(upper.utf8))
        #expect(Array(GoCase.lower(text).utf8) == Array(lower.utf8))
    }
}
