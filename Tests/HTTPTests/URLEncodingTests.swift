import Testing

@testable import HTTP

@Suite("URL encoding")
struct URLEncodingTests {
    @Test(
        "pairs that cannot be read are left out and named, as by Go",
        arguments: [
            ("a=b&c=d", ["a=b", "c=d"], nil), ("", [], nil), ("&&a", ["a="], nil), ("=x", ["=x"], nil),
            ("a=%41%20+", ["a=A  "], nil), ("a=%zz&b=1", ["b=1"], #"invalid URL escape "%zz""#),
            ("%z=1&b=%", [], #"invalid URL escape "%z""#),
            ("b=%&c=1", ["c=1"], #"invalid URL escape "%""#), ("a=%z=", [], #"invalid URL escape "%z=""#),
            ("a=%2", [], #"invalid URL escape "%2""#), ("a=1;b=2&c=3", ["c=3"], "invalid semicolon separator in query"),
            ("a=%zz&;&b=%y", [], "invalid semicolon separator in query"), ("a=%3B", ["a=;"], nil),
        ] as [(String, [String], String?)])
    func pairs(_ text: String, _ pairs: [String], _ problem: String?) {
        #expect(URLEncoding.parse(text.utf8).map { "\($0.name)=\($0.value)" } == pairs)
        #expect(URLEncoding.problem(text.utf8) == problem)
    }

    @Test("what is wrong with the form is named before what is wrong with the URL")
    func problems() {
        var request = HTTPRequest(
            method: "POST", path: "/", headers: [("Content-Type", "application/x-www-form-urlencoded")],
            body: Array("a=%1".utf8))
        request.rawQuery = "a=%2"
        #expect(request.parameterProblem == #"invalid URL escape "%1""#)
        request.body = Array("a=1".utf8)
        #expect(request.parameterProblem == #"invalid URL escape "%2""#)
        request.rawQuery = "a=2"
        #expect(request.parameterProblem == nil)
    }

    @Test("HEAD is allowed where GET is, but not where something is changed, nor in the API")
    func head() {
        var routes = Router.Builder()
        routes.add(["GET"], "/-/ready") { _ in .text("") }
        routes.add(["GET"], "/-/reload") { _ in .text("", status: 405) }
        routes.add(["POST", "PUT"], "/-/reload") { _ in .text("") }
        routes.add(["GET", "POST"], "/api/v1/query") { _ in .text("") }
        let router = Router(routes)
        func answer(_ method: String, _ path: String) -> String {
            let response = router.handle(HTTPRequest(method: method, path: path))
            return "\(response.status) \(response.headers.first { $0.name == "Allow" }?.value ?? "")"
        }
        #expect(answer("HEAD", "/-/ready") == "200 ")
        #expect(answer("DELETE", "/-/ready") == "405 GET, HEAD, OPTIONS")
        #expect(answer("HEAD", "/-/reload") == "405 GET, OPTIONS, POST, PUT")
        #expect(answer("GET", "/-/reload") == "405 ")
        #expect(answer("HEAD", "/api/v1/query") == "405 GET, OPTIONS, POST")
    }
}
