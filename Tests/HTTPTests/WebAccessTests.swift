import Config
import Foundation
import HTTP
import Platform
import Synchronization
import TestSupport
import Testing

private let hasTools = ["curl", "openssl"].allSatisfy { FileManager.default.fileExists(atPath: "/usr/bin/" + $0) }

/// TLS, client certificates and users, asked by curl with certificates that openssl makes.
@Suite("Web access", .serialized, .enabled(if: hasTools, "needs curl and openssl"))
struct WebAccessTests {
    /// Of the password "secret".
    static let hash = "$2b$10$72rgANP/zURdmK.7REkt8eOoX/08SEpUYB9jB4WGCFfQw3STrrvLu"

    @discardableResult
    static func run(_ program: String, _ arguments: [String], in folder: URL) throws -> (status: Int32, text: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/" + program)
        process.arguments = arguments
        process.currentDirectoryURL = folder
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let bytes = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: bytes, as: UTF8.self))
    }

    /// A folder with a server's certificate, two authorities, and a valid, an expired and a foreign client.
    static func folder() throws -> TemporaryFolder {
        let temporary = try TemporaryFolder()
        let folder = URL(fileURLWithPath: temporary.path)
        try "subjectAltName=DNS:good.example\n".write(
            to: folder.appendingPathComponent("ext"), atomically: true, encoding: .utf8)
        for name in ["server", "ca", "other"] { try certificate(name, in: folder) }
        try run(
            "openssl",
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout client.key -out client.csr -subj /CN=client"
                .split(separator: " ").map(String.init), in: folder)
        for (name, authority, days) in [("client", "ca", "30"), ("expired", "ca", "-1"), ("foreign", "other", "30")] {
            try run(
                "openssl",
                [
                    "x509", "-req", "-in", "client.csr", "-CA", authority + ".pem", "-CAkey", authority + ".key",
                    "-CAcreateserial", "-out", name + ".pem", "-days", days, "-extfile", "ext",
                ], in: folder)
        }
        return temporary
    }

    static func certificate(_ name: String, as file: String? = nil, in folder: URL) throws {
        let file = file ?? name
        try run(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                file + ".key", "-out", file + ".pem", "-days", "30", "-subj", "/CN=" + name,
            ], in: folder)
    }

    static func write(_ text: String, in folder: URL) throws {
        try text.write(to: folder.appendingPathComponent("web.yml"), atomically: true, encoding: .utf8)
    }

    static func live(
        _ folder: URL, options: HTTPServer.Options = .init(), _ body: (UInt16) throws -> Void
    ) throws {
        var routes = Router.Builder()
        routes.add(["GET"], "/-/healthy") { _ in .text("healthy") }
        let clock = SystemClock()
        var options = options
        options.access = try WebAccess(WebConfigFile(path: folder.path + "/web.yml"), clock: clock)
        let server = HTTPServer(router: Router(routes), options: options, clock: clock)
        try server.start([try #require(ListenAddress("127.0.0.1:0"))])
        defer { server.stop() }
        try body(try #require(server.ports.first))
    }

    /// Status of an answer, 0 if there is none.
    static func ask(_ port: UInt16, _ arguments: [String] = [], tls: Bool = true, in folder: URL) throws -> Int {
        let url = "\(tls ? "https" : "http")://127.0.0.1:\(port)/-/healthy"
        return Int(
            try run(
                "curl", ["-sk", "-m", "20", "-o", "/dev/null", "-w", "%{http_code}"] + arguments + [url], in: folder
            )
            .text) ?? -1
    }

    static let tls = "tls_server_config: {cert_file: server.pem, key_file: server.key"

    @Test("handshakes that stop half way give their places to newcomers", arguments: [[], [0x16, 3, 1], [0x47]])
    func halfHandshakes(_ bytes: [UInt8]) throws {
        let temporary = try Self.folder()
        let folder = URL(fileURLWithPath: temporary.path)
        try Self.write(Self.tls + "}\n", in: folder)
        var options = HTTPServer.Options()
        options.maxConnections = 8
        options.maxThreads = 2
        try Self.live(folder, options: options) { port in
            let sockets = try (0..<24).map { _ in
                let socket = try #require(LoopbackSocket.connect(port: port))
                socket.send(bytes)
                return socket
            }
            for _ in 0..<2 { #expect(try Self.ask(port, in: folder) == 200) }
            for socket in sockets { socket.close() }
        }
    }

    @Test("users: right, wrong and unknown ones, on every path, and after the file has changed")
    func users() throws {
        let temporary = try Self.folder()
        let folder = URL(fileURLWithPath: temporary.path)
        try Self.write("basic_auth_users: {bob: \(Self.hash), K: \(Self.hash)}\n", in: folder)
        try Self.live(folder) { port in
            func ask(_ arguments: [String]) throws -> Int { try Self.ask(port, arguments, tls: false, in: folder) }
            #expect(try ask(["-u", "bob:secret"]) == 200)
            #expect(try ask(["-u", "bob:secret"]) == 200)
            #expect(try ask(["-u", "bob:wrong"]) == 401)
            #expect(try ask(["-u", "bob:"]) == 401)
            #expect(try ask(["-u", "eve:secret"]) == 401)
            // Unicode takes the Kelvin sign for a K.
            #expect(try ask(["-u", "K:secret"]) == 200)
            #expect(try ask(["-u", "\u{212A}:secret"]) == 401)
            #expect(try ask([]) == 401)
            #expect(try ask(["-H", "Authorization: Basic !!!!"]) == 401)
            let answer = HTTPProbe(port: port).get("/no/such/path")
            #expect(answer?.status == 401)
            #expect(answer?.headers["www-authenticate"] == "Basic")
            #expect(answer?.text == "Unauthorized\n")
            try Self.write("basic_auth_users: {eve: \(Self.hash)}\n# longer\n", in: folder)
            #expect(try ask(["-u", "bob:secret"]) == 401)
            #expect(try ask(["-u", "eve:secret"]) == 200)
            try Self.write("basic_auth_users: [\n", in: folder)
            #expect(try ask(["-u", "eve:secret"]) == 500)
            try Self.write("http_server_config: {headers: {X-Frame-Options: deny}}\n", in: folder)
            #expect(HTTPProbe(port: port).get("/-/healthy")?.headers["x-frame-options"] == "deny")
        }
    }

    @Test("a pipe in the place of the file locks nobody out for longer than it is there")
    func pipe() throws {
        let temporary = try Self.folder()
        let folder = URL(fileURLWithPath: temporary.path)
        try Self.write("basic_auth_users: {bob: \(Self.hash)}\n", in: folder)
        try Self.live(folder) { port in
            func status() -> Int? { HTTPProbe(port: port).get("/-/healthy")?.status }
            #expect(status() == 401)
            let path = folder.path + "/web.yml"
            try FileManager.default.removeItem(atPath: path)
            try #require(mkfifo(path, 0o600) == 0)
            #expect(status() == 500)
            #expect(status() == 500)
            try FileManager.default.removeItem(atPath: path)
            try Self.write("basic_auth_users: {}\n", in: folder)
            #expect(status() == 200)
        }
    }

    @Test("a rate over the limit is answered with 429")
    func rate() throws {
        let temporary = try Self.folder()
        let folder = URL(fileURLWithPath: temporary.path)
        try Self.write("rate_limit: {interval: 1h, burst: 2}\n", in: folder)
        try Self.live(folder) { port in
            let statuses = (0..<4).map { _ in HTTPProbe(port: port).get("/-/healthy")?.status }
            #expect(statuses == [200, 200, 429, 429])
        }
    }

    @Test(
        "each kind of client check lets in whom it should",
        arguments: [
            // No certificate, a valid one, an expired one, one of an unknown authority.
            ("", [200, 200, 200, 200]), (", client_auth_type: RequestClientCert", [200, 200, 200, 200]),
            (", client_auth_type: RequireAnyClientCert", [0, 200, 200, 200]),
            (", client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.pem", [200, 200, 0, 0]),
            (", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem", [0, 200, 0, 0]),
            (
                ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, client_allowed_sans: [x]",
                [0, 0, 0, 0]
            ),
            (
                ", client_auth_type: RequireAnyClientCert, client_allowed_sans: [x, good.example]",
                [0, 200, 200, 200]
            ),
        ])
    func clients(_ settings: String, _ expected: [Int]) throws {
        let temporary = try Self.folder()
        let folder = URL(fileURLWithPath: temporary.path)
        try Self.write(Self.tls + settings + "}\n", in: folder)
        try Self.live(folder) { port in
            var seen = [try Self.ask(port, in: folder)]
            for name in ["client", "expired", "foreign"] {
                seen.append(try Self.ask(port, ["--cert", name + ".pem", "--key", "client.key"], in: folder))
            }
            #expect(seen == expected)
            #expect(try Self.ask(port, tls: false, in: folder) == 400)
        }
    }

    @Test("authorities that change are checked, and no old session gets around them")
    func authorities() throws {
        let temporary = try Self.folder()
        let folder = URL(fileURLWithPath: temporary.path)
        try Self.write(
            Self.tls + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem}\n", in: folder)
        try Self.live(folder) { port in
            let client = ["--cert", "client.pem", "--key", "client.key"]
            #expect(try Self.ask(port, client, in: folder) == 200)
            try Self.run("cp", ["other.pem", "ca.pem"], in: folder)
            #expect(try Self.ask(port, client, in: folder) == 0)
            #expect(try Self.ask(port, ["--cert", "foreign.pem", "--key", "client.key"], in: folder) == 200)
        }
    }

    @Test("versions and suites are the ones that are allowed")
    func versions() throws {
        let temporary = try Self.folder()
        let folder = URL(fileURLWithPath: temporary.path)
        try Self.write(Self.tls + ", min_version: TLS13}\n", in: folder)
        try Self.live(folder) { port in
            #expect(try Self.ask(port, ["--tls-max", "1.2"], in: folder) == 0)
            #expect(try Self.ask(port, in: folder) == 200)
            try Self.write(
                Self.tls + ", max_version: TLS12, cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]}\n",
                in: folder)
            #expect(try Self.ask(port, ["--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"], in: folder) == 0)
            #expect(try Self.ask(port, in: folder) == 200)
        }
    }

    @Test("a certificate is renewed under load, and no request fails")
    func renewal() throws {
        let temporary = try Self.folder()
        let folder = URL(fileURLWithPath: temporary.path)
        try Self.write(Self.tls + "}\n", in: folder)
        try Self.live(folder) { port in
            let failures = Mutex<[Int]>([])
            let ended = Atomic<Int>(0)
            for _ in 0..<2 {
                _ = Thread.start("asks") {
                    for _ in 0..<40 {
                        let status = (try? Self.ask(port, in: folder)) ?? -1
                        if status != 200 { failures.withLock { $0.append(status) } }
                    }
                    ended.add(1, ordering: .sequentiallyConsistent)
                }
            }
            for index in 0..<10 {
                // The pair is put in place with one rename of the configuration.
                let name = "new\(index)"
                try Self.certificate(name, in: folder)
                try Self.write("tls_server_config: {cert_file: \(name).pem, key_file: \(name).key}\n", in: folder)
            }
            while ended.load(ordering: .sequentiallyConsistent) < 2 { usleep(10_000) }
            #expect(failures.withLock { $0 } == [])
            let seen = try Self.run(
                "curl", ["-skv", "--stderr", "-", "https://127.0.0.1:\(port)/-/healthy"], in: folder)
            #expect(seen.text.contains("CN=new9"))
        }
    }

    @Test("what cannot be used is refused before the server starts")
    func start() throws {
        let temporary = try Self.folder()
        let folder = URL(fileURLWithPath: temporary.path)
        for (text, reason) in [
            ("tls_server_config: {cert_file: no.pem, key_file: server.key}", "failed to read cert_file"),
            ("tls_server_config: {cert_file: server.key, key_file: server.key}", "failed to load X509KeyPair"),
            ("tls_server_config: {cert_file: server.pem, key_file: ca.key}", "failed to load X509KeyPair"),
            ("nosuch: 1", "1:1: field nosuch not found"),
        ] {
            try Self.write(text + "\n", in: folder)
            let path = folder.path + "/web.yml"
            let error = #expect(throws: (any Error).self) { try WebAccess.check(path: path) }
            #expect("\(error.map { "\($0)" } ?? "")".contains(reason))
        }
        #expect(throws: (any Error).self) { try WebAccess.check(path: folder.path + "/none.yml") }
        let path = folder.path + "/missing.yml"
        try "http_server_config:\ntls_server_config: {cert_file: none.pem, key_file: none.key}\n".write(
            toFile: path, atomically: true, encoding: .utf8)
        let missing = #expect(throws: ConfigError.self) { try WebAccess.check(path: path) }
        #expect(missing?.description.hasPrefix("\(path):2:20: failed to read cert_file") == true)
    }
}
