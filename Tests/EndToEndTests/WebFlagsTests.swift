import Foundation
import Glibc
import TestSupport
import Testing

/// The flags of the web server, obeyed by the real binary.
@Suite("Web flags", .serialized)
struct WebFlagsTests {
    private static func start(_ folder: Folder, _ port: UInt16, _ flags: [String]) throws -> Daemon {
        let config = try folder.write("martlet.yml", "global: {scrape_interval: 15s}\n")
        return try Daemon(
            Daemon.martlet,
            ["--config.file=\(config)", "--storage.tsdb.path=\(folder.url.path)/data"] + flags, port: port,
            folder: folder.url)
    }

    /// Output and status of a daemon that does not start.
    private static func refused(_ flags: [String]) throws -> (status: Int32, text: String) {
        let folder = try Folder()
        return try withExtendedLifetime(folder) {
            let daemon = try start(folder, 1, flags)
            #expect(Daemon.wait { !daemon.process.isRunning }, "still runs: \(daemon.logText)")
            return (daemon.terminate(), daemon.logText)
        }
    }

    @Test("what the web server cannot use ends the start with Prometheus's texts and statuses")
    func refusals() throws {
        let folder = try Folder()
        let unknown = try folder.write("unknown.yml", "nosuch: 1\n")
        let taken = try #require(LoopbackSocket.listen())
        defer { taken.socket.close() }
        for (flags, status, texts) in [
            (
                ["--web.config.file=\(unknown)"], 1,
                ["Unable to validate web configuration file", "unknown.yml:1:1: field nosuch not found"]
            ),
            (["--web.config.file=/nonexistent.yml"], 1, ["Unable to validate web configuration file"]),
            (["--web.cors.origin=("], 2, ["could not compile CORS regex string"]),
            (["--web.listen-address=foo"], 2, ["--web.listen-address=foo: expected HOST:PORT"]),
            (
                ["--web.listen-address=127.0.0.1:\(taken.port)"], 1,
                ["bind: Address already in use", "--web.listen-address"]
            ),
        ] as [([String], Int32, [String])] {
            let listens = flags[0].hasPrefix("--web.listen") ? [] : ["--web.listen-address=127.0.0.1:0"]
            let (seen, text) = try Self.refused(flags + listens)
            #expect(seen == status, "\(text)")
            for part in texts { #expect(text.contains(part), "\(text)") }
            #expect(!text.contains("StartError("))
        }
    }

    @Test("users, origins, the operator's files and the pages' headers are served as the flags say")
    func served() throws {
        let folder = try Folder()
        let users = try folder.write(
            "web.yml",
            "basic_auth_users: {bob: $2b$10$72rgANP/zURdmK.7REkt8eOoX/08SEpUYB9jB4WGCFfQw3STrrvLu}\n"
                + "http_server_config: {headers: {X-Frame-Options: deny}}\n")
        let assets = folder.url.appendingPathComponent("assets")
        try FileManager.default.createDirectory(at: assets, withIntermediateDirectories: true)
        try "own".write(to: assets.appendingPathComponent("own.txt"), atomically: true, encoding: .utf8)
        try FileManager.default.createSymbolicLink(
            at: assets.appendingPathComponent("out"), withDestinationURL: URL(fileURLWithPath: "/etc/passwd"))
        let port = LoopbackSocket.freePort()
        let daemon = try Self.start(
            folder, port,
            [
                "--web.listen-address=127.0.0.1:\(port)", "--web.config.file=\(users)",
                "--web.user-assets=\(assets.path)",
                "--web.cors.origin=https://good\\.example", "--web.enable-lifecycle",
            ])
        #expect(Daemon.wait { daemon.probe.get("/-/ready")?.status == 401 })
        let bob = ["Authorization": "Basic Ym9iOnNlY3JldA=="]
        func get(_ path: String, _ headers: [String: String] = [:]) -> HTTPProbe.Answer? {
            daemon.probe.get(path, headers: bob.merging(headers) { $1 })
        }
        #expect(Daemon.wait { get("/-/ready")?.status == 200 })
        for path in ["/metrics", "/-/healthy", "/api/v1/query?query=1", "/query", "/no/such", "/user/own.txt"] {
            #expect(daemon.probe.get(path)?.status == 401)
        }
        #expect(get("/user/own.txt")?.text == "own")
        for path in ["/user/out", "/user/%2e%2e/web.yml", "/user/nosuch", "/user/..%2fweb.yml"] {
            #expect(get(path)?.status == 404, "\(path)")
        }
        let page = get("/query")
        #expect(page?.headers["content-security-policy"]?.contains("default-src 'self'") == true)
        #expect(page?.headers["x-frame-options"] == "deny")
        #expect(page?.headers["x-content-type-options"] == "nosniff")
        #expect(get("/rules/")?.headers["location"] == "/rules")
        #expect(daemon.probe.request("POST", "/rules", headers: bob)?.headers["allow"] == "GET, HEAD, OPTIONS")
        let origin = "access-control-allow-origin"
        let good = "https://good.example"
        #expect(get("/api/v1/query?query=1", ["Origin": good])?.headers[origin] == good)
        #expect(get("/api/v1/query?query=1", ["Origin": good + ".org"])?.headers[origin] == nil)
        let foreign = bob.merging(["Sec-Fetch-Site": "cross-site"]) { $1 }
        #expect(daemon.probe.request("POST", "/-/quit", headers: foreign)?.status == 403)
        #expect(daemon.probe.request("POST", "/-/quit", headers: bob)?.status == 200)
        #expect(Daemon.wait { !daemon.process.isRunning })
    }

    @Test("500 connections that promise 128 MiB each cost no memory")
    func promises() throws {
        let folder = try Folder()
        let port = LoopbackSocket.freePort()
        let daemon = try Self.start(folder, port, ["--web.listen-address=127.0.0.1:\(port)"])
        #expect(daemon.waitReady())
        let before = Self.memory(daemon)
        let part = [UInt8](repeating: 0x61, count: 1 << 20)
        let sockets = (0..<500).compactMap { index -> LoopbackSocket? in
            guard let socket = LoopbackSocket.connect(port: port) else { return nil }
            let path = ["/api/v1/query", "/api/v1/write", "/no/such", "/-/quit"][index % 4]
            let length = index % 3 == 0 ? 134_217_728 : 9_000_000
            socket.send(
                Array(
                    ("POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                        + "Content-Length: \(length)\r\n\r\n").utf8))
            return socket
        }
        var most = 0
        for socket in sockets {
            _ = part.withUnsafeBytes {
                send(socket.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            most = max(most, Self.memory(daemon))
        }
        #expect(most - before < 64 << 20, "\(most - before) bytes more")
        #expect(daemon.probe.get("/-/healthy")?.status == 200)
        for socket in sockets { socket.close() }
        #expect(daemon.terminate() == 0)
    }

    /// Resident bytes of a daemon.
    private static func memory(_ daemon: Daemon) -> Int {
        let path = "/proc/\(daemon.process.processIdentifier)/status"
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return (Int(line.filter(\.isNumber)) ?? 0) << 10
    }

    @Test("10,000 connections leave no memory behind")
    func connections() throws {
        let folder = try Folder()
        let port = LoopbackSocket.freePort()
        let daemon = try Self.start(folder, port, ["--web.listen-address=127.0.0.1:\(port)"])
        #expect(daemon.waitReady())
        for _ in 0..<2000 { #expect(daemon.probe.get("/-/healthy")?.status == 200) }
        let before = Self.memory(daemon)
        for _ in 0..<10_000 { #expect(daemon.probe.get("/-/healthy")?.status == 200) }
        #expect(Self.memory(daemon) - before < 8 << 20)
        #expect(daemon.terminate() == 0)
    }
}
