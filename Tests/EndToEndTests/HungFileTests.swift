import Foundation
import Platform
import TestSupport
import Testing

private let compiler = ["/usr/bin/cc", "/usr/bin/clang", "/usr/bin/gcc"].first {
    FileManager.default.isExecutableFile(atPath: $0)
}

/// The real binary with files whose reads do not return, as on a network mount that is gone.
@Suite("Files that hang", .serialized, .enabled(if: compiler != nil, "needs a C compiler"))
struct HungFileTests {
    /// Lets each read of a file whose name begins with `hung` wait as long as the file `SHIM_HANGS` exists.
    private static let shim = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <unistd.h>
        static int hangs(int file) {
            char link[64], path[4096];
            snprintf(link, sizeof link, "/proc/self/fd/%d", file);
            ssize_t length = readlink(link, path, sizeof path - 1);
            if (length < 0) return 0;
            path[length] = 0;
            const char *flag = getenv("SHIM_HANGS");
            return strstr(path, "/hung") && flag && access(flag, F_OK) == 0;
        }
        ssize_t read(int file, void *bytes, size_t count) {
            static ssize_t (*next)(int, void *, size_t);
            if (!next) next = (ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
            while (hangs(file)) usleep(20000);
            return next(file, bytes, count);
        }

        """

    private let folder: Folder
    private let flag: String
    private let environment: [String: String]

    init() throws {
        folder = try Folder()
        let source = try folder.write("shim.c", Self.shim)
        flag = try folder.write("flag", "")
        let library = folder.url.path + "/shim.so"
        let build = Process()
        build.executableURL = URL(fileURLWithPath: try #require(compiler))
        build.arguments = ["-shared", "-fPIC", "-o", library, source, "-ldl"]
        try build.run()
        build.waitUntilExit()
        try #require(build.terminationStatus == 0)
        environment = ["LD_PRELOAD": library, "SHIM_HANGS": flag]
    }

    private func start(_ configuration: String) throws -> Daemon {
        let port = LoopbackSocket.freePort()
        let config = try folder.write("martlet.yml", configuration)
        let daemon = try Daemon(
            Daemon.martlet,
            [
                "--config.file=\(config)", "--storage.tsdb.path=\(folder.url.path)/data",
                "--web.listen-address=127.0.0.1:\(port)", "--web.enable-lifecycle", "--shutdown.grace-period=1h",
                "--web.user-assets=\(folder.url.path)/assets",
            ], port: port, folder: folder.url, environment: environment)
        #expect(daemon.waitReady(60), "not ready: \(daemon.logText)")
        return daemon
    }

    private static func threads(_ daemon: Daemon) -> Int {
        let path = "/proc/\(daemon.process.processIdentifier)/task"
        return (try? FileManager.default.contentsOfDirectory(atPath: path).count) ?? 0
    }

    private static func ups(_ daemon: Daemon, _ job: String, _ value: Int) -> Bool {
        let query = "/api/v1/query?query=count(up%7Bjob=~%22\(job)%22%7D==\(value))%3E0"
        return daemon.probe.get(query)?.text.contains("\"value\"") == true
    }

    private static func reload(_ daemon: Daemon) -> HTTPProbe.Answer? { daemon.probe.post("/-/reload", form: []) }

    private static func client(_ job: String, _ file: String, _ port: UInt16) -> String {
        """
        - job_name: \(job)
          basic_auth: {username: u, password_file: \(file)}
          static_configs: [{targets: ["127.0.0.1:\(port)"]}]

        """
    }

    @Test("70 jobs whose password files hang fail, and nothing else; what hung is given back")
    func jobs() throws {
        let stub = try #require(HTTPStub { _ in .init(contentType: "text/plain", text: "m 1\n") })
        defer { stub.stop() }
        var configuration = "global: {scrape_interval: 300ms, scrape_timeout: 250ms}\nscrape_configs:\n"
        for number in 0..<70 {
            _ = try folder.write("hung\(number)", "secret")
            configuration += Self.client("hung\(number)", "hung\(number)", stub.port)
        }
        _ = try folder.write("fine", "secret")
        configuration += Self.client("fine", "fine", stub.port)
        let targets = "[{\"targets\": [\"127.0.0.1:\(stub.port)\"]}]"
        _ = try folder.write("fine.json", targets)
        _ = try folder.write("hung.json", targets)
        configuration += """
            - {job_name: found, file_sd_configs: [{files: [fine.json]}]}
            - {job_name: halfFound, file_sd_configs: [{files: ["*.json"]}]}

            """
        let daemon = try start(configuration)
        for job in ["fine", "found", "halfFound"] {
            #expect(Daemon.wait(60) { Self.ups(daemon, job, 1) }, "\(job): \(daemon.logText)")
        }
        #expect(Daemon.wait(60) { Self.ups(daemon, "hung69", 0) })
        #expect(!Self.ups(daemon, "hung.*", 1))
        let before = Self.threads(daemon)
        #expect(before > 70)
        for number in 0..<20 {
            let answer = Self.reload(daemon)
            #expect(answer?.status == 200, "\(number): \(answer?.text ?? "")")
        }
        // Those that serve requests come and go.
        #expect(Self.threads(daemon) < before + 20)
        #expect(Daemon.wait(60) { Self.ups(daemon, "fine", 1) })
        // A job whose name is new has a target at once.
        _ = try folder.write(
            "martlet.yml", configuration + Self.client("newcomer", "fine", stub.port))
        #expect(Self.reload(daemon)?.status == 200)
        #expect(Daemon.wait(60) { Self.ups(daemon, "newcomer", 1) }, "\(daemon.logText)")
        // When the file system answers again, all is well.
        try FileManager.default.removeItem(atPath: flag)
        #expect(Daemon.wait(60) { Self.ups(daemon, "hung69", 1) && Self.threads(daemon) < before - 50 })
        // And when it does not once more, the end waits for nothing.
        _ = try folder.write("flag", "")
        #expect(Daemon.wait(60) { Self.threads(daemon) > 70 })
        #expect(daemon.terminate() == 0, "\(daemon.logText)")
    }

    @Test(
        "a reload with a file that hangs fails and says which; the end does not wait for it",
        arguments: ["rules", "pattern", "scrape", "configuration"])
    func reload(_ what: String) throws {
        let good = "global: {scrape_interval: 1h}\n"
        let daemon = try start(good)
        let hung = try folder.write("hung.yml", "")
        switch what {
        case "rules": _ = try folder.write("martlet.yml", good + "rule_files: [\"*ung.yml\"]\n")
        case "scrape": _ = try folder.write("martlet.yml", good + "scrape_config_files: [hung.yml]\n")
        case "pattern": _ = try folder.write("martlet.yml", good + "scrape_config_files: [\"hun*.yml\"]\n")
        default:
            let config = folder.url.appendingPathComponent("martlet.yml")
            try FileManager.default.removeItem(at: config)
            try FileManager.default.createSymbolicLink(
                at: config, withDestinationURL: folder.url.appendingPathComponent("hung.yml"))
        }
        let answer = Self.reload(daemon)
        #expect(answer?.status == 500)
        let text =
            "\(what == "configuration" ? "martlet.yml" : hung): reading takes too long: the file system does not answer"
        #expect(answer?.text.contains(text) == true, "\(answer?.text ?? "")")
        let threads = Self.threads(daemon)
        for _ in 0..<100 { #expect(Self.reload(daemon)?.status == 500) }
        #expect(Self.threads(daemon) < threads + 20)
        #expect(daemon.probe.get("/-/ready")?.status == 200)
        // The file answers, and hangs again while a reload of each kind is under way.
        try FileManager.default.removeItem(atPath: flag)
        #expect(Daemon.wait(60) { Self.reload(daemon)?.status == 200 }, "\(daemon.logText)")
        _ = try folder.write("flag", "")
        let requests = (0..<3).map { number in
            Platform.Thread.start("reload \(number)") { [probe = daemon.probe] in
                _ = probe.post("/-/reload", form: [])
            }
        }
        for _ in 0..<20 { kill(daemon.process.processIdentifier, SIGHUP) }
        #expect(daemon.terminate() == 0, "\(daemon.logText)")
        for request in requests { request?.join() }
    }

    @Test("a page of the operator's that hangs is unavailable, and the others of the server are there")
    func assets() throws {
        try FileManager.default.createDirectory(
            at: folder.url.appendingPathComponent("assets"), withIntermediateDirectories: true)
        _ = try folder.write("assets/fine.txt", "fine")
        let daemon = try start("")
        #expect(daemon.probe.get("/user/fine.txt")?.text == "fine")
        _ = try folder.write("assets/hung.txt", "hung")
        let requests = (0..<100).map { number in
            Platform.Thread.start("asset \(number)") { [probe = daemon.probe] in
                #expect(probe.get("/user/hung.txt")?.status == 503)
            }
        }
        #expect(daemon.probe.get("/-/ready")?.status == 200)
        for request in requests { request?.join() }
        try FileManager.default.removeItem(atPath: flag)
        #expect(Daemon.wait(60) { daemon.probe.get("/user/hung.txt")?.text == "hung" })
        #expect(daemon.terminate() == 0)
    }
}
