import Config
import Foundation
import HTTP
import Platform
import TestSupport
import Testing

/// Certificates and a server made by the openssl command, for one test.
final class TLSServer {
    private let temporary: TemporaryFolder
    var folder: String { temporary.path }
    let port: UInt16
    private let process: pid_t

    /// - Parameters:
    ///   - names: Subject alternative names, as openssl writes them.
    ///   - arguments: Further arguments of `openssl s_server`.
    ///   - answer: What its first client is sent, whatever it says; nil for a page for each request.
    init?(names: String, arguments: [String] = [], answer: [UInt8]? = nil) throws {
        guard access("/usr/bin/openssl", X_OK) == 0 else { return nil }
        temporary = try TemporaryFolder()
        let folder = temporary.path
        port = LoopbackSocket.freePort()
        let (key, cert) = (folder + "/key.pem", folder + "/cert.pem")
        guard
            let made = Self.spawn([
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=test", "-addext", "subjectAltName=\(names)", "-keyout", key, "-out", cert,
            ])
        else { return nil }
        var status: Int32 = 0
        waitpid(made, &status, 0)
        let input = folder + "/answer"
        if let answer { try Data(answer).write(to: URL(fileURLWithPath: input)) }
        guard status == 0,
            let server = Self.spawn(
                ["s_server", "-accept", "127.0.0.1:\(port)", "-key", key, "-cert", cert, "-quiet"]
                    + (answer == nil ? ["-www"] : []) + arguments, input: answer == nil ? "/dev/null" : input)
        else { return nil }
        process = server
        // A look whether it listens would be its first client.
        if answer != nil { return }
        for _ in 0..<500 {
            if let socket = LoopbackSocket.connect(port: port) {
                socket.close()
                break
            }
            usleep(10_000)
        }
    }

    deinit {
        kill(process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
    }

    private static func spawn(_ arguments: [String], input: String = "/dev/null") -> pid_t? {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        for descriptor in Int32(1)...2 {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
        }
        var words = (["openssl"] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var process: pid_t = 0
        guard posix_spawn(&process, "/usr/bin/openssl", &actions, nil, &words, environ) == 0 else { return nil }
        return process
    }

    /// Asks the server; the error's text if that fails.
    func ask(_ tls: String) async throws -> String {
        let client = HTTPClient(try HTTPClientTests.config("tls_config: {\(tls)}"))
        do throws(HTTPClientError) {
            let answer = try await client.send(ClientRequest(url: "https://127.0.0.1:\(port)/", timeout: 120_000))
            return "\(answer.status)"
        } catch {
            return error.reason
        }
    }
}

@Suite("TLS of the client", .enabled(if: access("/usr/bin/openssl", X_OK) == 0, "needs openssl"))
struct TLSClientTests {
    @Test("server_name decides which certificate is good")
    func serverName() async throws {
        guard let server = try TLSServer(names: "DNS:sd.internal") else { return }
        let ca = "ca_file: \(server.folder)/cert.pem"
        #expect(try await server.ask("\(ca), server_name: sd.internal") == "200")
        for tls in [ca, "\(ca), server_name: other.example", "server_name: sd.internal"] {
            #expect(try await server.ask(tls).hasPrefix("tls: failed to verify certificate"), "\(tls)")
        }
        #expect(try await server.ask("insecure_skip_verify: true") == "200")
    }

    @Test("the smallest and largest TLS version hold")
    func versions() async throws {
        guard let server = try TLSServer(names: "IP:127.0.0.1", arguments: ["-no_tls1_3"]) else { return }
        let ca = "ca_file: \(server.folder)/cert.pem"
        #expect(try await server.ask(ca) == "200")
        #expect(try await server.ask("\(ca), min_version: TLS12, max_version: TLS12") == "200")
        #expect(try await server.ask("\(ca), min_version: TLS13") != "200")
        guard let newer = try TLSServer(names: "IP:127.0.0.1", arguments: ["-tls1_3"]) else { return }
        let newCA = "ca_file: \(newer.folder)/cert.pem"
        #expect(try await newer.ask("\(newCA), min_version: TLS13") == "200")
        #expect(try await newer.ask("\(newCA), max_version: TLS12") != "200")
    }

    @Test("certificates may be in the configuration itself, and clients show theirs")
    func inline() async throws {
        guard let server = try TLSServer(names: "IP:127.0.0.1", arguments: ["-Verify", "1"]) else { return }
        let (key, cert) = (server.folder + "/key.pem", server.folder + "/cert.pem")
        func quoted(_ path: String) throws -> String {
            "\"" + String(decoding: try ConfigFile.read(path), as: UTF8.self).replacing("\n", with: "\\n") + "\""
        }
        let ca = "ca: \(try quoted(cert))"
        #expect(try await server.ask("\(ca), cert_file: \(cert), key_file: \(key)") == "200")
        #expect(try await server.ask("\(ca), cert: \(try quoted(cert)), key: \(try quoted(key))") == "200")
        #expect(try await server.ask(ca) != "200")
    }

    @Test("a missing file is found before the first request", arguments: ["ca_file", "cert_file", "key_file"])
    func missing(_ key: String) throws {
        var config = HTTPClientConfig()
        switch key {
        case "ca_file": config.tls.caFile = "/nonexistent.pem"
        case "cert_file": config.tls.certFile = "/nonexistent.pem"
        default: config.tls.keyFile = "/nonexistent.pem"
        }
        let error = #expect(throws: TransferFailure.self) { try RequestOptions.checkFiles(config) }
        #expect(error?.description == "unable to read \(key) /nonexistent.pem: no such file or directory")
    }
}
