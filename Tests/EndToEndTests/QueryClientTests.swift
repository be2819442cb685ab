import Foundation
import Glibc
import TestSupport
import Testing

/// `martlet query` against a server with a certificate of its own and a user.
@Suite("Query client")
struct QueryClientTests {
    private static let openssl = "/usr/bin/openssl"

    @Test(
        .enabled(if: FileManager.default.isExecutableFile(atPath: openssl), "needs openssl"))
    func `--http.config.file says how to reach a server`() throws {
        let folder = try Folder()
        let made = try PrometheusPeer.run(
            Self.openssl,
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=test", "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out",
                "cert.pem",
            ], in: folder)
        try #require(made.status == 0, "\(made.text)")
        let web = try folder.write(
            "web.yml",
            """
            tls_server_config: {cert_file: cert.pem, key_file: key.pem}
            basic_auth_users: {u: $2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW}

            """)
        let config = try folder.write("martlet.yml", "global: {}\n")
        let port = LoopbackSocket.freePort()
        let daemon = try Daemon(
            Daemon.martlet,
            [
                "--config.file=\(config)", "--storage.tsdb.path=\(folder.url.path)/data", "--web.config.file=\(web)",
                "--web.listen-address=127.0.0.1:\(port)",
            ], port: port, folder: folder.url)
        func query(_ words: [String]) throws -> (status: Int32, text: String) {
            try PrometheusPeer.run(
                Daemon.martlet, ["query", "instant", "https://localhost:\(port)", "1+1"] + words, in: folder)
        }
        // Paths in the file are relative to it.
        let good = try folder.write(
            "http.yml", "tls_config: {ca_file: cert.pem}\nbasic_auth: {username: u, password: secret}\n")
        #expect(try Daemon.wait { try query(["--http.config.file=\(good)"]).status == 0 }, "\(daemon.logText)")
        let answer = try query(["--http.config.file=\(good)"])
        #expect(answer.status == 0 && answer.text.contains("scalar: 2 @["), "\(answer.text)")
        let plain = try query([])
        #expect(plain.status == 1 && plain.text.contains("certificate"), "\(plain.text)")
        let trusting = try PrometheusPeer.run(
            "/usr/bin/env",
            ["SSL_CERT_FILE=cert.pem", Daemon.martlet, "query", "instant", "https://localhost:\(port)", "1"], in: folder
        )
        #expect(trusting.status == 1 && trusting.text.contains("HTTP 401"), "\(trusting.text)")
        let stranger = try query(["--http.config.file=" + folder.write("a.yml", "tls_config: {ca_file: cert.pem}\n")])
        #expect(stranger.status == 1 && stranger.text.contains("HTTP 401"), "\(stranger.text)")
        let unknown = try query(["--http.config.file=" + folder.write("b.yml", "tls: {}\n")])
        #expect(unknown.status == 1 && unknown.text.contains("b.yml:1:1"), "\(unknown.text)")
        #expect(try query(["--http.config.file=/no/such"]).status == 1)
        #expect(daemon.terminate() == 0)
    }
}
