import Foundation
import Platform
import Synchronization
import TestSupport
import Web

/// What a web page looked like in a browser.
struct BrowserView: Decodable, Sendable {
    /// Path and query of the page.
    var page: String
    /// Width of the window, pixels.
    var width: Int
    /// The texts of the banner that were seen, in order; the last one is there at the end.
    var banners: [String]
    /// Text of the page below the banner, before the first answer and at the end.
    var firstText: String
    var text: String
    /// What is wrong with the layout.
    var problems: [String]
}

/// Looks at pages in chromium: they are shown in a frame as wide as the window would be, one after the other.
struct BrowserLook: Encodable {
    var pages: [String]
    var widths: [Int]
    /// Waits until the banner is empty, too.
    var waitsForQuiet = false
    /// What is on a page that shows an answer, as a selector of CSS.
    var shown = "#page td, #page pre, #page .legend div"

    /// The views of all pages in all widths, up to a page that shows nothing; none if the browser does not answer in time.
    ///
    /// - Parameter api: Answers the requests that are not for pages and their files.
    func views(_ api: @escaping @Sendable (HTTPStub.Request) -> HTTPStub.Response) throws -> [BrowserView] {
        let pages = WebPages(routePrefix: "", title: "Martlet")
        let order = String(decoding: try JSONEncoder().encode(self), as: UTF8.self)
        let document =
            "<!doctype html><body><script type=module>const order = \(order);\n\(Self.script)</script>"
        let result = Mutex<[UInt8]>([])
        let isDone = TimedSemaphore(value: 0)
        let stub = HTTPStub { request in
            let path = String(request.path.prefix { $0 != "?" })
            if let asset = pages.asset(path) {
                var headers = Dictionary(WebPages.protection.map { ($0.name, $0.value) }) { first, _ in first }
                headers["Content-Type"] = asset.contentType
                return .init(headers: headers, body: asset.bytes)
            }
            switch path {
            case "/look": return .init(contentType: "text/html; charset=utf-8", text: document)
            case "/seen":
                result.withLock { $0 = request.body }
                isDone.signal()
                return .init()
            default: return api(request)
            }
        }
        guard let stub else { return [] }
        defer { stub.stop() }
        let browser = try Browser("http://127.0.0.1:\(stub.port)/look")
        defer { withExtendedLifetime(browser) {} }
        guard isDone.wait(milliseconds: 120_000) else { return [] }
        return try JSONDecoder().decode([BrowserView].self, from: Data(result.withLock { $0 }))
    }

    /// Shows each page in a frame and measures it.
    ///
    /// A word of up to 30 letters must not break, except behind a hyphen, so that no column is narrower than that.
    private static let script = #"""
        const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
        const frame = document.body.appendChild(document.createElement("iframe"));

        function brokenWords(doc) {
          const found = [];
          const walker = doc.createTreeWalker(doc.querySelector("#page"), NodeFilter.SHOW_TEXT);
          while (walker.nextNode()) {
            const node = walker.currentNode;
            if (node.parentElement.closest("textarea, pre, select")) continue;
            for (const match of node.data.matchAll(/[^\s-]+/g)) {
              if (match[0].length > 30) continue;
              const range = doc.createRange();
              range.setStart(node, match.index);
              range.setEnd(node, match.index + match[0].length);
              if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) found.push(`"${match[0]}" is broken`);
            }
          }
          return found;
        }

        function problems(doc) {
          const found = brokenWords(doc);
          const root = doc.documentElement;
          const box = (node) => node.getBoundingClientRect();
          if (root.scrollWidth > root.clientWidth) found.push(`${root.scrollWidth} px do not fit into ${root.clientWidth}`);
          const header = box(doc.querySelector("header"));
          if (header.bottom > box(doc.querySelector("main")).top) found.push("the header is over the page");
          for (const link of doc.querySelectorAll("header a")) {
            if (box(link).top < 0 || box(link).bottom > header.bottom) found.push(`${link.textContent} is outside of the header`);
          }
          for (const summary of doc.querySelectorAll("summary")) {
            if (box(summary).left - box(summary.closest("td, .card")).left < 14) found.push("no room for the mark of a summary");
          }
          const isRight = (node) => doc.defaultView.getComputedStyle(node).textAlign === "right";
          for (const table of doc.querySelectorAll("table")) {
            const cells = table.tBodies[0].rows[0]?.cells ?? [];
            [...(table.tHead?.rows[0].cells ?? [])].forEach((head, at) => {
              if (head.offsetParent && isRight(head) !== isRight(cells[at])) found.push(`${head.textContent} is not aligned as its cells`);
            });
          }
          return found;
        }

        async function look(page, width) {
          frame.style = `border: 0; height: 900px; width: ${width}px`;
          await new Promise((done) => ((frame.onload = done), (frame.src = page)));
          const doc = frame.contentDocument;
          const banners = [];
          let firstText = null;
          const view = () => {
            const banner = doc.querySelector("#banner")?.textContent ?? "";
            if (banner !== banners.at(-1)) banners.push(banner);
            firstText ??= banner ? doc.querySelector("#page").textContent : null;
            return doc.querySelector(order.shown) && !(order.waitsForQuiet && banner);
          };
          for (const end = Date.now() + 30000; !view(); await sleep(20)) {
            if (Date.now() > end) throw new Error(`${page} shows nothing`);
          }
          return { page, width, banners, firstText: firstText ?? "", text: doc.querySelector("#page").textContent, problems: problems(doc) };
        }

        const views = [];
        try {
          for (const width of order.widths) for (const page of order.pages) views.push(await look(page, width));
        } finally {
          await fetch("seen", { method: "POST", body: JSON.stringify(views) });
        }
        """#
}
