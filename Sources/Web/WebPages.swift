import CAssets
import Model

/// The web pages: one HTML document for the path of every page, and the files that it loads, all embedded in the
/// binary.
package struct WebPages: Sendable {
    /// A file in the form in which it is sent.
    package struct Asset: Sendable {
        package var bytes: [UInt8]
        package var contentType: String
    }

    /// The paths of the web pages below the route prefix.
    package static let pagePaths = [
        "/query", "/alerts", "/alert-groups", "/silences", "/notifications", "/rules", "/targets", "/service-discovery",
        "/tsdb-status", "/status", "/flags", "/config",
    ]

    private let assets: [String: Asset]
    private let document: Asset

    /// Prepares the web pages.
    ///
    /// - Parameters:
    ///   - routePrefix: The path before all routes, without a slash at its end; empty for none.
    ///   - title: The title of the pages.
    package init(routePrefix: String, title: String) {
        var assets: [String: Asset] = [:]
        var count = 0
        let table = CAssets.cassets(&count)
        // SAFETY: the table is constant, and its entries exist as long as the program.
        for entry in UnsafeBufferPointer(start: table, count: count) {
            let path = String(cString: entry.path)
            let bytes = Array(UnsafeBufferPointer(start: entry.bytes, count: entry.length))
            assets["/" + path] = Asset(bytes: bytes, contentType: Self.contentType(path))
        }
        let html = assets["/index.html"].map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
        let filled = Self.replace(
            Self.replace(html, "@PREFIX@", Self.escape(routePrefix)), "@TITLE@", Self.escape(title))
        document = Asset(bytes: Array(filled.utf8), contentType: "text/html; charset=utf-8")
        assets["/index.html"] = nil
        self.assets = assets
    }

    /// The file at `path` (below the route prefix); nil if there is none.
    package func asset(_ path: String) -> Asset? {
        if Self.pagePaths.contains(path) { return document }
        return assets[path]
    }

    /// All paths that ``asset(_:)`` accepts.
    package var paths: [String] { Self.pagePaths + assets.keys.sorted() }

    /// Headers that prevent framing, content sniffing, and loading from other origins.
    package static let protection: [(name: String, value: String)] = [
        (
            "Content-Security-Policy",
            "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; "
                + "base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
        ),
        ("X-Frame-Options", "SAMEORIGIN"), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "same-origin"),
    ]

    static func contentType(_ path: String) -> String {
        switch path.split(separator: ".").last?.lowercased() {
        case "js": "text/javascript; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "svg": "image/svg+xml"
        case "html", "htm": "text/html; charset=utf-8"
        case "json": "application/json"
        case "txt": "text/plain; charset=utf-8"
        case "png": "image/png"
        case "jpg", "jpeg": "image/jpeg"
        case "gif": "image/gif"
        case "ico": "image/x-icon"
        case "woff2": "font/woff2"
        default: "application/octet-stream"
        }
    }

    private static func escape(_ text: String) -> String {
        var out = ""
        for character in text {
            switch character {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            default: out.append(character)
            }
        }
        return out
    }

    private static func replace(_ text: String, _ mark: String, _ value: String) -> String {
        text.split(separator: mark, omittingEmptySubsequences: false).joined(separator: value)
    }
}
