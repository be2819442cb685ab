import Exposition
import Model
import TestSupport
import Testing

@Suite("Text of series in pages")
struct SeriesTextTests {
    /// A series as the label parser takes it apart.
    private static func parsed(_ text: [UInt8], _ range: Range<Int>, isOpenMetrics: Bool) throws -> Labels {
        var series = SeriesText()
        try text.withUnsafeBufferPointer { text in
            guard let base = text.baseAddress else { return }
            try series.parse(base, range.lowerBound, range.upperBound, isOpenMetrics: isOpenMetrics)
        }
        let name = try #require(series.metricName.map(series.string))
        return Labels(
            [(Labels.nameLabel, name)] + series.pairs.map { (series.string($0.name), series.string($0.value)) })
    }

    @Test("whatever a series is called, the label parser reads back what the writers of pages write")
    func writers() throws {
        let seed = SeededRandom.runSeed
        var random = SeededRandom(seed: seed)
        for round in 0..<2000 {
            let labels = SeriesNames.any(using: &random)
            for isOpenMetrics in [false, true] {
                var writer = ExpositionWriter(isOpenMetrics: isOpenMetrics)
                writer.family(labels.metricName, .gauge, help: labels.metricName)
                writer.sample(labels, value: 1)
                let page = writer.finish()
                let found = try page.withUnsafeBufferPointer { page in
                    var reader = ExpositionReader(page, isOpenMetrics: isOpenMetrics)
                    var found: [Range<Int>] = []
                    var names: [String] = []
                    while true {
                        switch try reader.next() {
                        case .end: return (ranges: found, names: names)
                        case .series: found.append(reader.seriesStart..<reader.seriesEnd)
                        case .help: names += [reader.metadataNameText, reader.metadataHelpText]
                        default: names.append(reader.metadataNameText)
                        }
                    }
                }
                #expect(found.ranges.count == 1, "seed \(seed), round \(round)")
                #expect(found.names == [String](repeating: labels.metricName, count: 3), "seed \(seed), round \(round)")
                #expect(
                    try found.ranges.map { try Self.parsed(page, $0, isOpenMetrics: isOpenMetrics) } == [labels],
                    "seed \(seed), round \(round)")
            }
        }
    }

    @Test("whatever a series is called, the label parser reads back the text that the protobuf reader makes of it")
    func protobuf() throws {
        let seed = SeededRandom.runSeed
        var random = SeededRandom(seed: seed)
        for round in 0..<2000 {
            let labels = SeriesNames.any(using: &random)
            let page = WireText.family(labels.metricName, 1) {
                $0.message(4) {
                    for label in labels.withoutName.pairs { $0.label(label.name, label.value) }
                    $0.message(2) { $0.double(1, 3) }
                }
            }
            let sample = try #require(try ProtobufReaderTests.read(page).first)
            let text = Array(sample.text.utf8)
            #expect(
                try Self.parsed(text, 0..<text.count, isOpenMetrics: true) == labels, "seed \(seed), round \(round)")
        }
    }
}
