import API
import HTTP
import Rules
import Testing

@Suite("Parameters that cannot be read")
struct UnreadableParametersTests {
    private func status(_ method: String, _ path: String, _ query: String, body: String = "") -> (Int, String) {
        var settings = APIContext.test(ArrayStore())
        settings.settings.enablesAdmin = true
        settings.settings.maxSearchLimit = 100
        var request = HTTPRequest(
            method: method, path: path, query: URLEncoding.parse(query.utf8), form: URLEncoding.parse(body.utf8),
            headers: body.isEmpty ? [] : [("Content-Type", "application/x-www-form-urlencoded")],
            body: Array(body.utf8))
        request.rawQuery = query
        let response = settings.router.handle(request)
        return (response.status, String(decoding: response.body, as: UTF8.self))
    }

    @Test(
        "endpoints that read the whole form refuse it with Go's error",
        arguments: [
            ("GET", "/api/v1/series"), ("POST", "/api/v1/admin/tsdb/delete_series"), ("GET", "/api/v1/rules"),
            ("GET", "/federate"), ("GET", "/api/v1/search/metric_names"), ("GET", "/api/v1/search/label_names"),
        ])
    func refused(_ method: String, _ path: String) {
        let escape = status(method, path, "match[]=up&x=%zz")
        #expect(escape.0 == 400)
        #expect(
            escape.1.contains(#"error parsing form values: invalid URL escape "%zz""#)
                || escape.1.contains(#"error parsing form values: invalid URL escape \"%zz\""#))
        let semicolon = status(method, path, "match[]=up&x=1;y=2")
        #expect(semicolon.0 == 400)
        #expect(semicolon.1.contains("error parsing form values: invalid semicolon separator in query"))
        #expect(status(method, path, "match[]=up&x=%20").0 != 400)
    }

    @Test("a bad form is refused as a bad URL is")
    func form() {
        #expect(status("POST", "/api/v1/series", "", body: "match[]=up&x=%zz").0 == 400)
        #expect(status("POST", "/api/v1/series", "x=%zz", body: "match[]=up").0 == 400)
        #expect(status("POST", "/api/v1/series", "", body: "match[]=up&x=%20").0 == 200)
    }

    @Test(
        "other endpoints pass over what cannot be read",
        arguments: [
            ("/api/v1/labels", "x=%zz"), ("/api/v1/label/a/values", "x=1;y=2"), ("/api/v1/query", "query=1&x=%zz"),
            ("/api/v1/query", "query=%zz&query=2"), ("/api/v1/targets", "state=%zz"),
        ])
    func passedOver(_ path: String, _ query: String) { #expect(status("GET", path, query).0 == 200) }
}
