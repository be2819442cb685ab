import GoCompatibility
import Model

extension ExpositionReader {
    /// The name of the family, without quotes and escapes.
    public var metadataNameText: String { Self.familyName(bytes(metadataName)) }

    /// The name of a family in a line of metadata, without quotes and escapes.
    public static func familyName(_ name: UnsafeBufferPointer<UInt8>) -> String {
        guard name.first == 0x22, name.count >= 2 else { return String(decoding: name, as: UTF8.self) }
        return unescape(UnsafeBufferPointer(rebasing: name[1..<(name.count - 1)]), quotes: true)
    }

    /// The help text with `\\` and `\n` resolved, in OpenMetrics `\"`, too.
    public var metadataHelpText: String { Self.unescape(bytes(metadataText), quotes: isOpenMetrics) }

    /// The text without changes.
    public var metadataRawText: String { String(decoding: bytes(metadataText), as: UTF8.self) }

    /// Adds what the current line says of its family, if it is a line of metadata.
    public func addMetadata(of entry: ExpositionEntry, to families: inout [ExactText: MetricMetadata]) {
        switch entry {
        case .type: families[ExactText(metadataNameText), default: .init()].type = metadataType ?? .unknown
        case .help: families[ExactText(metadataNameText), default: .init()].help = metadataHelpText
        case .unit: families[ExactText(metadataNameText), default: .init()].unit = metadataRawText
        case .series, .end: return
        }
    }

    private static func unescape(_ text: UnsafeBufferPointer<UInt8>, quotes: Bool) -> String {
        guard text.contains(0x5C) else { return String(decoding: text, as: UTF8.self) }
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var i = 0
        while i < text.count {
            if text[i] == 0x5C, i + 1 < text.count {
                switch text[i + 1] {
                case 0x6E: out.append(0x0A)
                case 0x5C: out.append(0x5C)
                case 0x22 where quotes: out.append(0x22)
                default: out += [0x5C, text[i + 1]]
                }
                i += 2
            } else {
                out.append(text[i])
                i += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// `{…}` of an exemplar as offsets into the input; empty if there is none.
    var exemplarLabels: Range<Int> {
        var end = exemplar.lowerBound
        var isQuoted = false
        while end < exemplar.upperBound {
            let byte = base[end]
            if isQuoted, byte == 0x5C {
                end += 1
            } else if byte == 0x22 {
                isQuoted.toggle()
            } else if byte == 0x7D, !isQuoted {
                break
            }
            end += 1
        }
        return exemplar.lowerBound..<min(end + 1, exemplar.upperBound)
    }

    /// The exemplar of the current series, or nil.
    ///
    /// - Parameter labels: Scratch memory.
    /// - Returns: Labels, value and time in ms if it has one of its own.
    public func readExemplar(
        _ labels: inout SeriesText
    ) throws(ExpositionError) -> (labels: Labels, value: Double, timestamp: Int64?)? {
        guard !exemplar.isEmpty else { return nil }
        // The reader has checked that a value and perhaps a time follow the brace.
        let end = exemplarLabels.upperBound
        try labels.parse(base, exemplar.lowerBound, end, isOpenMetrics: true, isExemplar: true)
        let words = bytes(min(end + 1, exemplar.upperBound)..<exemplar.upperBound).split(separator: 0x20)
        func number(_ word: Slice<UnsafeBufferPointer<UInt8>>) -> Double? {
            DecimalNumber.parse(UnsafeBufferPointer(rebasing: word))?.value
        }
        guard let first = words.first, let value = number(first) else { return nil }
        var timestamp: Int64?
        if words.count > 1, let seconds = number(words[1]) {
            let ms = seconds * 1000
            timestamp = ms > -0x1p63 && ms < 0x1p63 ? Int64(ms) : .min
        }
        let pairs = labels.pairs.map { (labels.string($0.name), labels.string($0.value)) }
        return (Labels(pairs), value, timestamp)
    }
}

extension ExpositionReader {
    /// Parses the labels of the current series.
    public func readLabels(_ labels: inout SeriesText) throws(ExpositionError) {
        try labels.parse(base, seriesStart, seriesEnd, isOpenMetrics: isOpenMetrics)
    }

    /// Throws if the help text is not valid UTF-8.
    func checkHelp() throws(ExpositionError) {
        guard !SeriesText.isUTF8(bytes(metadataText)) else { return }
        let shown = GoQuote.quote(String(decoding: bytes(metadataText), as: UTF8.self))
        throw ExpositionError.at(
            metadataText.lowerBound, in: base, "help text \(shown) is not a valid utf8 string")
    }
}
