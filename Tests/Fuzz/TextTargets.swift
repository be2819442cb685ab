import Exposition
import JSON
import Model
import PromQL

/// What reads texts from outside.
enum TextTargets {
    static func exposition(_ bytes: UnsafeRawBufferPointer) {
        let page = bytes.bindMemory(to: UInt8.self)
        guard let base = page.baseAddress else { return }
        for isOpenMetrics in [false, true] {
            var reader = ExpositionReader(page, isOpenMetrics: isOpenMetrics)
            var text = SeriesText()
            do {
                entries: while true {
                    switch try reader.next() {
                    case .end: break entries
                    case .series:
                        try text.parse(base, reader.seriesStart, reader.seriesEnd, isOpenMetrics: isOpenMetrics)
                    default: continue
                    }
                }
            } catch {}
        }
    }

    /// What is parsed must be printed so that it is parsed to the same text again.
    static func promql(_ bytes: UnsafeRawBufferPointer) {
        struct Stopped: Error {}
        let text = String(decoding: bytes, as: UTF8.self)
        // A request that ends while its text is parsed.
        var left = bytes.count % 4
        let ending = SyntaxBudget(check: {
            left -= 1
            if left < 0 { throw Stopped() }
        })
        let isParsed = (try? PromQLParser.parse(text, options: .all, budget: ending) { _ in }) != nil
        if isParsed, ending.failure != nil { fatalError("parsed after the end") }
        guard let expression = try? PromQLParser.parse(text, options: .all) else { return }
        let printed = expression.description
        guard let again = try? PromQLParser.parse(printed, options: .all) else {
            fatalError("printed and not parsed: \(printed)")
        }
        let second = again.description
        if second != printed { fatalError("printed differently: \(printed) and \(second)") }
    }

    static func json(_ bytes: UnsafeRawBufferPointer) { _ = try? JSONValue.parse(Array(bytes)) }
}
