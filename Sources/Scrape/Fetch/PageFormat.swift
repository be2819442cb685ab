import Config
import Exposition
import GoCompatibility
import Model

/// Finds the parser for an answer's `Content-Type`.
enum PageFormat {
    static func of(contentType: String?, fallback: ScrapeProtocol?) throws(ScrapeFailure) -> ExpositionFormat {
        let text = contentType ?? ""
        let media = text.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false).first ?? ""
        switch media.filter({ $0 != " " && $0 != "\t" }).lowercased() {
        case "text/plain": return .text
        case "application/openmetrics-text": return .openMetrics
        case "application/vnd.google.protobuf": return .protobuf
        default: break
        }
        switch fallback {
        case .protobuf: return .protobuf
        case .openMetrics0, .openMetrics1: return .openMetrics
        case .text0, .text1: return .text
        case nil: break
        }
        if text.isEmpty {
            throw ScrapeFailure(
                .contentType,
                "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target"
            )
        }
        if !media.contains("/") {
            throw ScrapeFailure(
                .contentType,
                "cannot parse Content-Type \(GoQuote.quote(text)) and no fallback_scrape_protocol for target")
        }
        throw ScrapeFailure(
            .contentType,
            "received unsupported Content-Type \(GoQuote.quote(text)) and no fallback_scrape_protocol specified for target"
        )
    }
}
