/// Upper and lower case as Go's `unicode.ToUpper`, `ToLower` and `ToTitle` have them: each scalar gives one scalar.
///
/// Those are the simple mappings of `UnicodeData.txt` (The Unicode Standard, section 4.2). Swift's own methods use the
/// full ones of `SpecialCasing.txt` (section 3.13), which make `SS` of `ß` and look at what stands around a sigma.
public enum GoCase {
    /// Go's `strings.ToUpper`.
    public static func upper(_ text: String) -> String { map(text, upper) }

    /// Go's `strings.ToLower`.
    public static func lower(_ text: String) -> String { map(text, lower) }

    public static func upper(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        let full = scalar.properties.uppercaseMapping.unicodeScalars
        if full.count == 1, let only = full.first { return only }
        return simpleUpper(scalar.value).flatMap(Unicode.Scalar.init) ?? scalar
    }

    public static func lower(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        let full = scalar.properties.lowercaseMapping.unicodeScalars
        if full.count == 1, let only = full.first { return only }
        // The only one whose full mapping has two scalars: İ.
        return scalar == "\u{130}" ? "i" : scalar
    }

    public static func title(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        let full = scalar.properties.titlecaseMapping.unicodeScalars
        if full.count == 1, let only = full.first { return only }
        return scalar
    }

    /// The capital of a letter whose full mapping has several scalars; most have none of their own.
    ///
    /// Those that have one are Greek letters with a small iota beneath, whose capital has a large one beside it.
    private static func simpleUpper(_ value: UInt32) -> UInt32? {
        switch value {
        case 0x1F80...0x1F87, 0x1F90...0x1F97, 0x1FA0...0x1FA7: value + 8
        case 0x1FB3, 0x1FC3, 0x1FF3: value + 9
        default: nil
        }
    }

    private static func map(_ text: String, _ change: (Unicode.Scalar) -> Unicode.Scalar) -> String {
        var out = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { out.append(change(scalar)) }
        return String(out)
    }
}
