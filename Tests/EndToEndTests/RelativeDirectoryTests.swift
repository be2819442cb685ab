import Foundation
import TestSupport
import Testing

/// Directories of the store that are named relative to the working directory.
@Suite("Relative directories")
struct RelativeDirectoryTests {
    @Test(
        "a store in the working directory or near it is made, opened and limited as any other",
        arguments: [".", "./", "././", "data", "./data/", "data/.", "../d/data", "data//"])
    func relative(_ path: String) throws {
        let folder = try Folder()
        try FileManager.default.createDirectory(at: folder.url.appending(path: "d"), withIntermediateDirectories: true)
        let page = try folder.write("a.om", "# TYPE a gauge\na 1 1700000000\n# EOF\n")
        func run(_ arguments: String...) throws -> (status: Int32, text: String) {
            let command = "cd d && exec timeout -s KILL 60 \"$@\" --storage.tsdb.path='\(path)'"
            return try PrometheusPeer.run("/bin/bash", ["-c", command, "bash", Daemon.martlet] + arguments, in: folder)
        }
        let made = try run("tsdb", "create-blocks-from", "openmetrics", page)
        #expect(made.status == 0 && made.text.contains("1 samples"), "\(made.text)")
        let shown = try run("tsdb", "dump")
        #expect(shown.status == 0 && shown.text.contains("} 1 1700000000000"), "\(shown.text)")
        let config = try folder.write("martlet.yml", "global: {}\n")
        // The directory is smaller than the limit, so the daemon must be able to write.
        let port = LoopbackSocket.freePort()
        let daemon = try Daemon(
            "/bin/bash",
            [
                "-c", "cd d && exec \"$@\"", "bash", Daemon.martlet, "--config.file=\(config)",
                "--storage.tsdb.path=\(path)", "--storage.tsdb.retention.time=100y",
                "--storage.tsdb.retention.size=64MB", "--web.listen-address=127.0.0.1:\(port)",
            ], port: port, folder: folder.url)
        #expect(daemon.waitReady(), "\(daemon.logText)")
        let answer = daemon.probe.get("/api/v1/query?query=a&time=1700000000")?.text
        #expect(answer?.contains("\"1\"") == true, "\(answer ?? "")")
        #expect(daemon.terminate() == 0)
    }
}
