import Config
import Glibc
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import HTTP

/// Files that a client's settings name, and what becomes of requests while one cannot be read.
@Suite("Files of a client's settings")
struct SettingsFilesTests {
    private final class Folder {
        private let temporary: TemporaryFolder
        var path: String { temporary.path }
        init() throws { temporary = try TemporaryFolder() }

        func write(_ name: String, _ text: String) throws {
            try RealFileSystem().replace(path + "/" + name, with: Array(text.utf8))
        }
    }

    private func outcome(_ config: HTTPClientConfig, _ url: String) async -> String {
        do throws(HTTPClientError) {
            return "\(try await HTTPClient(config).send(ClientRequest(url: url, timeout: 120_000)).status)"
        } catch {
            return error.reason
        }
    }

    @Test(
        "a pipe in the place of a file makes its own requests fail, and no others",
        arguments: ["ca_file", "cert_file", "key_file", "password_file", "credentials_file", "oauth2 ca_file"])
    func pipes(_ key: String) async throws {
        let folder = try Folder()
        let pipe = folder.path + "/pipe"
        try #require(mkfifo(pipe, 0o600) == 0)
        let server = try #require(RawServer { _ in HTTPClientTests.ok("fine") })
        defer { server.stop() }
        try folder.write("good", "some text")
        let good = folder.path + "/good"
        let keys =
            switch key {
            case "ca_file": "tls_config: {ca_file: \(pipe)}"
            case "cert_file": "tls_config: {cert_file: \(pipe), key_file: \(good)}"
            case "key_file": "tls_config: {cert_file: \(good), key_file: \(pipe)}"
            case "password_file": "basic_auth: {username: u, password_file: \(pipe)}"
            case "credentials_file": "authorization: {credentials_file: \(pipe)}"
            default: "oauth2: {client_id: a, token_url: '\(server.url)', tls_config: {ca_file: \(pipe)}}"
            }
        let config = try HTTPClientTests.config(keys)
        #expect(await outcome(config, server.url).hasSuffix("\(pipe): open: not a regular file"))
        #expect(await outcome(HTTPClientConfig(), server.url) == "200")
        #expect(server.requestCount == 1)
    }

    @Test("certificates are read again when their files change, and nothing stands for a file that holds none")
    func versions() async throws {
        let folder = try Folder()
        var config = TLSClientConfig()
        config.caFile = folder.path + "/ca"
        let reader = TLSFileReader(config)
        await #expect(throws: TransferFailure.self) { try await reader.read() }
        try folder.write("ca", "one")
        #expect(try await reader.read().authorities == Array("one".utf8))
        #expect(try await reader.read().authorities == Array("one".utf8))
        try folder.write("ca", "other")
        #expect(try await reader.read() == TLSFiles(authorities: Array("other".utf8)))
        try folder.write("ca", "")
        let failure = await #expect(throws: TransferFailure.self) { try await reader.read() }
        #expect(failure?.description == "ca_file \(config.caFile) is empty")
    }

    @Test("a request whose certificates nobody has read is not sent")
    func unread() throws {
        var config = HTTPClientConfig()
        config.tls.caFile = "/nonexistent"
        let transfer = try #require(Transfer(RequestOptions(config)))
        let url = try #require(URLParts("http://127.0.0.1:1/"))
        transfer.prepare(TransferRequest(url: url, deadline: .max))
        #expect(transfer.failure?.description == "tls_config: a certificate or key is missing or too large")
    }

    @Test("waits end at their deadlines while a read hangs, and go on with a newer one when it ends")
    func hanging() async throws {
        let clock = ManualClock(now: 1000)
        let waits = SharedWait<Int, String>(clock: clock)
        let seen = Mutex<[String]>([])
        func ask(_ key: Int, _ timeout: Int64, _ name: String) -> SharedWait<Int, String>.Waiter? {
            waits.add(key, CredentialsRequest(userAgent: "", timeout: timeout)) { outcome in
                seen.withLock { $0.append("\(name): \((try? outcome.get()) ?? "failed")") }
            }
        }
        let first = try #require(ask(1, 500, "a"))
        #expect(ask(2, 800, "b") == nil)
        #expect(ask(2, 900, "c") == nil)
        for deadline in [1500, 1800, 1900] as [Int64] { await clock.waitForSleeper(until: deadline) }
        clock.advance(to: 1800)
        while seen.withLock(\.count) < 2 { await Task.yield() }
        #expect(seen.withLock { $0.sorted() } == ["a: failed", "b: failed"])
        // The one that hung ends: its answer is too old for who came later.
        let next = try #require(waits.finish(first.key, .success("old")))
        #expect(next.key == 2)
        #expect(waits.finish(next.key, .success("new")) == nil)
        #expect(seen.withLock(\.last) == "c: new")
        #expect(ask(3, 100, "d") != nil)
    }
}
