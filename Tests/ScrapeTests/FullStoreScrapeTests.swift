import Model
import Scrape
import Synchronization
import TestSupport
import Testing

@Suite("Scrapes for a full storage")
struct FullStoreScrapeTests {
    @Test("series that do not fit are left out and counted, the rest is stored, and they are tried again")
    func full() throws {
        let rig = try ScrapeManagerTests.Rig("a 1\nb 1\nc 1\nd 1\n")
        rig.store.state.withLock { $0.mostSeries = 2 }
        func names() -> [String] {
            rig.store.state.withLock { state in
                state.series.filter { !$0.samples.isEmpty }.map(\.labels.metricName)
                    .filter { $0 != "up" && !$0.hasPrefix("scrape_") }
            }
        }
        rig.scrape()
        #expect(names() == ["a", "b"])
        #expect(rig.manager.targets().first?.lastError == "")
        #expect(rig.counter("martlet_scrape_series_not_stored_total") == 2)
        // The page is the same, and nothing has been freed.
        rig.scrape()
        #expect(rig.counter("martlet_scrape_series_not_stored_total") == 4)
        rig.store.state.withLock { $0.mostSeries = .max }
        rig.scrape()
        #expect(names() == ["a", "b", "c", "d"])
        #expect(rig.counter("martlet_scrape_series_not_stored_total") == 4)
    }
}
