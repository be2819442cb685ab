import TestSupport
import Testing
import Web

@Suite("Pages")
struct WebPagesTests {
    let pages = WebPages(routePrefix: "/a\"b", title: "T<1>")

    @Test("every page path gives the document with prefix and title filled in", arguments: WebPages.pagePaths)
    func documents(_ path: String) throws {
        let text = String(decoding: try #require(pages.asset(path)).bytes, as: UTF8.self)
        #expect(text.contains(#"<base href="/a&quot;b/">"#))
        #expect(text.contains("<title>T&lt;1&gt;</title>"))
        #expect(!text.contains("@PREFIX@"))
    }

    @Test("every file that the document loads is embedded")
    func references() throws {
        let text = String(decoding: try #require(pages.asset("/query")).bytes, as: UTF8.self)
        let loaded = text.split(separator: "\"").filter { $0.hasPrefix("assets/") || $0.hasSuffix(".svg") }
        #expect(loaded.count >= 5)
        for path in loaded { #expect((pages.asset("/" + path)?.bytes.count ?? 0) > 100, "\(path)") }
    }

    @Test("only http and https become links, and a timeout says which")
    func targets() throws {
        let text = String(decoding: try #require(pages.asset("/assets/targets.js")).bytes, as: UTF8.self)
        #expect(text.ranges(of: "href:").count == 1)
        #expect(text.contains(#"/^https?:\/\//i.test(url) ? el("a", { href: url"#))
        #expect(text.contains("the scrape_timeout"))
    }

    @Test("every module that a module imports is embedded")
    func modules() throws {
        var seen: Set<String> = []
        var waiting = ["/assets/main.js"]
        while let path = waiting.popLast() {
            guard seen.insert(path).inserted else { continue }
            let asset = try #require(pages.asset(path), "\(path)")
            #expect(asset.contentType.hasPrefix("text/javascript"))
            let text = String(decoding: asset.bytes, as: UTF8.self)
            waiting += text.split(separator: "\"").filter { $0.hasPrefix("./") && $0.hasSuffix(".js") }.map {
                "/assets/" + $0.dropFirst(2)
            }
        }
        #expect(seen.count >= 8)
    }

    @Test("what is not there is nothing")
    func missing() {
        #expect(pages.asset("/nope")?.bytes == nil)
        #expect(pages.asset("/index.html")?.bytes == nil)
    }
}
