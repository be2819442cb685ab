import Model
import Testing

@Suite("Go's URLs")
struct GoURLTests {
    @Test(
        "scheme and host are taken apart",
        arguments: [
            ("http://h:1/p?q=%zz#f", "http", "h:1"), ("HTTPS://u:p%40@h", "https", "h"), ("", "", ""), ("*", "", ""),
            ("//h/p", "", "h"), ("/p", "", ""), ("///p", "", ""), ("mailto:x y", "mailto", ""), ("h/a:b", "", ""),
            ("http://[fe80::1%25en%200]:80", "http", "[fe80::1%25en%200]:80"), ("http://h:", "http", "h:"),
            ("http://bücher", "http", "bücher"), ("http:///p", "http", ""), ("http://%e2%82%ac", "http", "%e2%82%ac"),
            ("a+b-c.1://h", "a+b-c.1", "h"),
        ])
    func parts(_ text: String, _ scheme: String, _ host: String) throws {
        let url = try GoURL(text)
        #expect(url.scheme == scheme)
        #expect(url.host == host)
    }

    @Test(
        "what Go refuses is refused in its words",
        arguments: [
            (":", "missing protocol scheme"), ("1h:2", "first path segment in URL cannot contain colon"),
            ("http://h/%zz", "invalid URL escape \"%zz\""), ("http://h/%", "invalid URL escape \"%\""),
            ("http://h/%+1", "invalid URL escape \"%+1\""), ("http://h:x", "invalid port \":x\" after host"),
            ("http://[::1", "missing ']' in host"), ("http://[::1]x", "invalid port \"x\" after host"),
            ("http://h x", "invalid character \" \" in host name"), ("http://%41", "invalid URL escape \"%41\""),
            ("http://u s@h", "net/url: invalid userinfo"), ("http://u%z@h", "invalid URL escape \"%z\""),
            ("h\u{7F}", "net/url: invalid control character in URL"), ("http://h#%g0", "invalid URL escape \"%g0\""),
        ])
    func refused(_ text: String, _ reason: String) {
        let error = #expect(throws: GoURL.Problem.self) { try GoURL(text) }
        #expect(error?.description == "parse \(GoQuote.quote(text)): \(reason)")
    }
}
