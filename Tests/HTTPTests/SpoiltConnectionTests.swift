import Glibc
import Platform
import Synchronization
import TestSupport
import Testing

@testable import HTTP

/// Servers that send more than their answer.
@Suite("Spoilt connections")
struct SpoiltConnectionTests {
    @Test(
        "what a server sends behind an answer is not read as the next one",
        arguments: [
            ("204 No Content", "POST"), ("304 Not Modified", "POST"), ("204 No Content", "GET"), ("200 OK", "GET"),
        ])
    func spoilt(_ status: String, _ method: String) async throws {
        // The connections there were at the first answer: on those, more comes before the second.
        let server = Mutex<RawServer?>(nil)
        let known = Atomic(0)
        let started = try #require(
            RawServer { request in
                let connections = server.withLock { $0?.connectionCount ?? 0 }
                guard request.startLine.contains("/second") else {
                    known.store(connections, ordering: .relaxed)
                    return .text("HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n")
                }
                let isOld = known.load(ordering: .relaxed) == connections
                return .text((isOld ? "more" : "") + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
            })
        server.withLock { $0 = started }
        defer {
            started.stop()
            server.withLock { $0 = nil }
        }
        let client = HTTPClient()
        for _ in 0..<5 {
            #expect(
                try await client.send(ClientRequest(url: started.url + "/first")).status == Int(status.prefix(3)))
            let body = method == "POST" ? [UInt8](repeating: 65, count: 3) : []
            let answer = try await client.send(
                ClientRequest(method: method, url: started.url + "/second", body: body))
            #expect(answer.body == Array("fine".utf8))
        }
    }

    @Test("what goes wrong on a new connection is no reason to ask again")
    func once() async throws {
        let server = try #require(RawServer { _ in .text("more") })
        defer { server.stop() }
        let reason = await HTTPClientTests.reason(server.url)
        #expect(reason.contains("HTTP/0.9"), "\(reason)")
        #expect(server.requestCount == 1)
    }
}
