import TestSupport
import Testing
import Web

/// The web pages in a real browser.
@Suite("Pages in a browser", .serialized, .enabled(if: BrowserLook.isPossible, "needs chromium"))
struct PagesInBrowserTests {
    private static let pages =
        WebPages.pagePaths.map { $0 == "/query" ? "/query?g0.expr=up&g0.tab=table&g1.expr=up&g1.tab=graph" : $0 }

    @Test(
        "pages fit into wide and narrow windows: nothing overflows, no short word breaks, heads stand over their cells")
    func layout() throws {
        let views = try BrowserLook(pages: Self.pages, widths: [1400, 1000, 420]).views(APIFixture.answer)
        #expect(views.count == Self.pages.count * 3)
        for view in views {
            #expect(view.problems == [], "\(view.page) at \(view.width) px")
        }
    }
}
