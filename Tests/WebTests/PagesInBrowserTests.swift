import Synchronization
import TestSupport
import Testing
import Web

/// The web pages in a real browser.
@Suite("Pages in a browser", .serialized, .enabled(if: Browser.isPossible, "needs chromium"))
struct PagesInBrowserTests {
    private static let pages =
        WebPages.pagePaths.map { $0 == "/query" ? "/query?g0.expr=up&g0.tab=table&g1.expr=up&g1.tab=graph" : $0 } + [
            "/silences?new=1&matcher=alertname%3D%22TargetDown%22&matcher=instance%3D~%22127.*%22",
            "/silences?edit=5a2b8a0e-8a55-4d5c-9f0e-3e4d7d4f4b11", "/notifications?why=alertname%3D%22TargetDown%22",
        ]
    private static let reason = "samples cannot be stored: write wal/00000019: no space left on device"

    private static func unready(_ text: String) -> HTTPStub.Response {
        .init(status: 503, contentType: "text/plain", text: "Service Unavailable: \(text)\n")
    }

    @Test(
        "pages fit into wide and narrow windows: nothing overflows, no short word breaks, heads stand over their cells")
    func layout() throws {
        let views = try BrowserLook(pages: Self.pages, widths: [1400, 1000, 390]).views(APIFixture.answer)
        #expect(views.count == Self.pages.count * 3)
        for view in views {
            #expect(view.problems == [], "\(view.page) at \(view.width) px")
            #expect(view.banners == [""] || view.banners == [], "\(view.page)")
        }
    }

    @Test("while samples cannot be stored, every page shows what the API answers, below the reason")
    func fullDisk() throws {
        let views = try BrowserLook(pages: Self.pages, widths: [1000]).views { request in
            request.path == "/-/ready" ? Self.unready(Self.reason) : APIFixture.answer(request)
        }
        #expect(views.count == Self.pages.count)
        for view in views {
            #expect(view.banners.last == Self.reason, "\(view.page)")
            #expect(view.text.count > 40, "\(view.page): \(view.text)")
            #expect(view.problems == [], "\(view.page)")
        }
    }

    @Test("without a notifier, the pages of it say so and name the flag, and alerts have no links to them")
    func notifierOff() throws {
        let pages = ["/alert-groups", "/silences", "/silences?new=1", "/notifications?why=a%3D%22b%22"]
        let off = { @Sendable (request: HTTPStub.Request) -> HTTPStub.Response in
            if request.path.hasPrefix("/api/v2/") {
                return .init(
                    status: 404, contentType: "application/json",
                    text: #""the built-in notifier is off: --alerting.config.file names its configuration""#)
            }
            guard request.path.hasPrefix("/api/v1/notifications/") else { return APIFixture.answer(request) }
            return .init(
                status: 500, contentType: "application/json",
                text: #"{"status":"error","errorType":"unavailable","error":"it needs --alerting.config.file"}"#)
        }
        let views = try BrowserLook(pages: pages, widths: [1000], shown: "#page .notice").views(off)
        #expect(views.count == pages.count)
        for view in views {
            #expect(view.text.contains("The flag --alerting.config.file turns it on"), "\(view.page): \(view.text)")
            #expect(view.problems == [], "\(view.page)")
        }
        let alerts = try #require(try BrowserLook(pages: ["/alerts"], widths: [1000]).views(off).first?.text)
        #expect(alerts.contains("TargetDown") && !alerts.contains("Silence"))
    }

    @Test("a silence that ends within 15 minutes is marked, another is not")
    func endsSoon() throws {
        for (minutes, isMarked) in [(14.0, true), (16, false)] {
            let views = try BrowserLook(pages: ["/silences"], widths: [1000]).views { request in
                request.path.hasPrefix("/api/v2/silences")
                    ? .init(
                        contentType: "application/json", text: "[\(APIFixture.silence("active", minutes: minutes))]")
                    : APIFixture.answer(request)
            }
            #expect(views.first?.text.contains("ends soon") == isMarked, "\(views)")
        }
    }

    @Test("a reason that a notification names is shown once, with the other notifications and the warnings")
    func notifications() throws {
        let notes =
            #"{"status":"success","data":[{"text":"Answers are incomplete: block A."},{"text":"Reload has failed."}]}"#
        let views = try BrowserLook(pages: ["/targets"], widths: [1000]).views { request in
            switch request.path {
            case "/-/ready": .init(contentType: "text/plain", text: "Ready.\nWarning: block A.\nWarning: block B.\n")
            case "/api/v1/notifications": .init(contentType: "application/json", text: notes)
            default: APIFixture.answer(request)
            }
        }
        #expect(views.first?.banners.last == "block B\nAnswers are incomplete: block A.\nReload has failed.")
    }

    @Test("a page says that the daemon starts, and goes on by itself; when a reason is gone, so is the banner")
    func start() throws {
        let asked = Mutex<[String: Int]>([:])
        let views = try BrowserLook(pages: ["/targets"], widths: [1000], waitsForQuiet: true).views { request in
            // The browser sends both requests at the same time.
            let round = asked.withLock { asked in
                asked[request.path, default: 0] += 1
                return asked[request.path] ?? 0
            }
            switch (request.path, round) {
            case ("/-/ready", ...2): return Self.unready("starting up")
            case ("/-/ready", 3): return Self.unready(Self.reason)
            case ("/api/v1/notifications", ...2):
                return .init(status: 503, contentType: "text/plain", text: "Service Unavailable")
            default: return APIFixture.answer(request)
            }
        }
        let view = try #require(views.first)
        #expect(view.banners.filter { !$0.isEmpty } == ["martlet is not ready yet: starting up.", Self.reason])
        #expect(view.banners.last?.isEmpty == true)
        #expect(view.firstText == "")
        #expect(view.text.contains("127.0.0.1:25598"))
    }
}
