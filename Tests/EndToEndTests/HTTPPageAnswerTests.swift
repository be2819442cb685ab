import Foundation
import TestSupport
import Testing

/// `docs/http-api.md` held against a daemon that has every endpoint turned on: methods and status codes.
@Suite("HTTP page, answers", .serialized)
struct HTTPPageAnswerTests {
    private struct Endpoint {
        var path: String
        var methods: [String]
        var statuses: [Int]

        /// A path that a request can have.
        var sample: String {
            path.replacing(":name", with: "job").replacing("*path", with: "a.txt").replacing(":id", with: "x")
        }
    }

    private static func documented() throws -> [Endpoint] {
        let page = try String(contentsOfFile: SharedFolder.projectRoot + "/docs/http-api.md", encoding: .utf8)
        var endpoints: [Endpoint] = []
        for part in page.components(separatedBy: "<!-- endpoints -->\n").dropFirst() {
            for line in part.split(separator: "\n", omittingEmptySubsequences: false).prefix(while: {
                $0.hasPrefix("|")
            })
            .dropFirst(2) {
                let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
                guard cells.count == 4 else { continue }
                let methods = cells[1].components(separatedBy: ", ")
                let statuses = cells[3].components(separatedBy: ", ").compactMap { Int($0) }
                #expect(!statuses.isEmpty, "\(line)")
                for match in cells[0].matches(of: /`([^`]+)`/) {
                    endpoints.append(Endpoint(path: String(match.1), methods: methods, statuses: statuses))
                }
            }
        }
        return endpoints
    }

    private static func start(_ folder: Folder, _ flags: [String]) throws -> Daemon {
        let config = try folder.write("martlet.yml", "global: {}\n")
        let port = LoopbackSocket.freePort()
        let daemon = try Daemon(
            Daemon.martlet,
            [
                "--config.file=\(config)", "--storage.tsdb.path=\(folder.url.path)/data",
                "--web.listen-address=127.0.0.1:\(port)",
            ] + flags, port: port, folder: folder.url)
        #expect(daemon.waitReady(), "not ready: \(daemon.logText)")
        return daemon
    }

    @Test("each path takes the methods that the page names and no others, with the statuses that it names")
    func methods() throws {
        let folder = try Folder()
        try FileManager.default.createDirectory(
            at: folder.url.appendingPathComponent("own"), withIntermediateDirectories: true)
        _ = try folder.write("own/a.txt", "a")
        let alerting = try folder.write("alerting.yml", "route: {receiver: a}\nreceivers: [{name: a}]\n")
        let heartbeats = try folder.write("h.yml", "incoming: [{name: job, interval: 1d}]")
        let daemon = try Self.start(
            folder,
            [
                "--alerting.config.file=\(alerting)", "--heartbeat.config.file=\(heartbeats)",
                "--web.enable-lifecycle", "--web.enable-admin-api", "--web.enable-remote-write-receiver",
                "--enable-feature=search-api", "--web.user-assets=\(folder.url.path)/own",
            ])
        let endpoints = try Self.documented()
        #expect(endpoints.count > 50)
        for endpoint in endpoints where endpoint.path != "/-/quit" {
            for method in ["GET", "POST", "PUT", "DELETE"] {
                let status = daemon.probe.request(method, endpoint.sample)?.status ?? 0
                if endpoint.methods.contains(method) {
                    #expect(endpoint.statuses.contains(status), "\(method) \(endpoint.sample): \(status)")
                    #expect(status != 404, "\(method) \(endpoint.sample)")
                } else {
                    #expect(status == 405, "\(method) \(endpoint.sample): \(status)")
                }
            }
            let isAPI = endpoint.path.hasPrefix("/api/")
            let head = daemon.probe.request("HEAD", endpoint.sample)?.status ?? 0
            let takesHead = endpoint.methods.contains("GET") && !isAPI
            #expect(takesHead ? endpoint.statuses.contains(head) : head == 405, "HEAD \(endpoint.sample): \(head)")
            #expect(daemon.probe.request("OPTIONS", endpoint.sample)?.status == (isAPI ? 204 : 200))
        }
        let quit = try #require(endpoints.first { $0.path == "/-/quit" })
        #expect(daemon.probe.request("GET", quit.path)?.status == 405)
        #expect(quit.statuses.contains(daemon.probe.request("PUT", quit.path)?.status ?? 0))
        daemon.process.waitUntilExit()
        #expect(daemon.process.terminationStatus == 0)
    }

    @Test("without their flags, endpoints are refused as the page says")
    func turnedOff() throws {
        let folder = try Folder()
        let daemon = try Self.start(folder, [])
        for (path, status) in [
            ("/api/v1/admin/tsdb/snapshot", 500), ("/api/v1/admin/tsdb/delete_series", 500),
            ("/api/v1/admin/tsdb/clean_tombstones", 500), ("/api/v1/write", 404), ("/-/reload", 403),
            ("/-/quit", 403), ("/api/v1/search/metric_names", 500),
        ] {
            #expect(daemon.probe.request("POST", path)?.status == status, "\(path)")
        }
        #expect(daemon.probe.get("/user/a.txt")?.status == 404)
        #expect(daemon.probe.get("/api/v1/query_range?query=1&start=0&end=11001&step=1")?.status == 400)
        #expect(daemon.probe.get("/api/v1/query_range?query=1&start=0&end=11000&step=1")?.status == 200)
        #expect(daemon.terminate() == 0)
    }
}
