import TestSupport
import Testing

@testable import API

/// The example of the file of running queries in `docs/formats/`.
@Suite("Page of the format of running queries")
struct ActiveQueriesFormatTests {
    @Test("the page shows what is written")
    func example() throws {
        let written = ActiveQueries.entry("up", at: 1_700_006_400_000)
        let shown = try FormatPages.examples()["queries.active"]
        #expect(shown == written, "docs/formats/ must show queries.active:\n\(FormatPages.dump(written))")
    }
}
