import Model

/// Checks of lines that promtool's reader of pages does otherwise than the reader of scrapes.
enum LintLines {
    /// Refuses HELP and TYPE of names that are none: a scrape takes such lines for comments.
    static func check(_ page: [UInt8]) throws(ExpositionError) {
        for line in page.split(separator: newline) {
            let words = line.split(maxSplits: 3, whereSeparator: isBlank)
            guard words.count > 2, words[0].elementsEqual("#".utf8),
                words[1].elementsEqual("HELP".utf8) || words[1].elementsEqual("TYPE".utf8),
                let first = words[2].first, first != UInt8(ascii: "\"")
            else { continue }
            let name = String(decoding: words[2], as: UTF8.self)
            if MetricName.isLegacy(name) { continue }
            let place = words[2].startIndex
            throw page.withUnsafeBufferPointer { page in
                guard let base = page.baseAddress else {
                    return ExpositionError("invalid metric name in comment", line: 0, column: 0)
                }
                return .at(place, in: base, "invalid metric name in comment")
            }
        }
    }

    /// The page as the reader of scrapes takes it: types in small letters, and no signs before timestamps, whose values
    /// nothing depends on.
    static func adapted(_ page: [UInt8]) -> [UInt8] {
        var page = page
        for line in page.split(separator: newline) {
            let words = line.split(maxSplits: 2, whereSeparator: isBlank)
            if words.first?.first == UInt8(ascii: "#") {
                makeTypeSmall(words, &page)
            } else {
                takeSign(line, &page)
            }
        }
        return page
    }

    private static let newline = UInt8(ascii: "\n")

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static func makeTypeSmall(_ words: [ArraySlice<UInt8>], _ page: inout [UInt8]) {
        guard words.count > 2, words[0].elementsEqual("#".utf8), words[1].elementsEqual("TYPE".utf8) else { return }
        let rest = words[2].split(whereSeparator: isBlank)
        guard rest.count > 1, let type = rest.last else { return }
        for index in type.indices where page[index] >= 0x41 && page[index] <= 0x5A { page[index] |= 0x20 }
    }

    /// Puts a zero in the place of a timestamp's sign.
    private static func takeSign(_ line: ArraySlice<UInt8>, _ page: inout [UInt8]) {
        let words: [ArraySlice<UInt8>]
        if let brace = line.lastIndex(of: UInt8(ascii: "}")) {
            words = line[(brace + 1)...].split(whereSeparator: isBlank)
        } else {
            words = Array(line.split(whereSeparator: isBlank).dropFirst())
        }
        guard words.count == 2, let sign = words[1].first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+"),
            words[1].count > 1, words[1].dropFirst().allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
        else { return }
        page[words[1].startIndex] = UInt8(ascii: "0")
    }
}
