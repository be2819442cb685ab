import Foundation
import TestSupport
import Testing

/// Numbers on the command line, as large as they can be written.
@Suite("Extreme flags")
struct ExtremeFlagsTests {
    /// The flags of `--help` whose default is a number or a duration, each with the largest value of its kind.
    private static func largest(_ folder: Folder) throws -> [String] {
        let help = try Daemon(Daemon.martlet, ["--help"], port: 1, folder: folder.url)
        help.process.waitUntilExit()
        return help.logText.split(separator: "\n").compactMap { line in
            let words = line.split(whereSeparator: { $0 == " " || $0 == "=" || $0 == "\"" })
            guard let name = words.first, name.hasPrefix("--"), words.count == 2, let value = words.last else {
                return nil
            }
            if value.allSatisfy(\.isNumber) { return "\(name)=\(Int.max)" }
            guard value.dropLast().allSatisfy(\.isNumber), "smhdy".contains(value.suffix(1)) else { return nil }
            return "\(name)=292y"
        }
    }

    @Test("the largest value of a flag is used or refused")
    func largest() throws {
        let folder = try Folder()
        let flags = try Self.largest(folder)
        #expect(flags.count > 15, "\(flags)")
        let config = try folder.write("martlet.yml", "global: {scrape_interval: 15s}\n")
        for (index, flag) in flags.enumerated() {
            let port = LoopbackSocket.freePort()
            let daemon = try Daemon(
                Daemon.martlet,
                [
                    "--config.file=\(config)", "--storage.tsdb.path=\(folder.url.path)/data\(index)",
                    "--web.listen-address=127.0.0.1:\(port)", flag,
                ], port: port, folder: folder.url)
            #expect(Daemon.wait { daemon.probe.get("/-/ready")?.status == 200 || !daemon.process.isRunning })
            if daemon.process.isRunning {
                #expect(daemon.probe.get("/api/v1/query?query=1")?.status == 200, "\(flag): \(daemon.logText)")
                #expect(daemon.terminate() == 0, "\(flag): \(daemon.logText)")
            } else {
                let status = daemon.terminate()
                #expect(daemon.process.terminationReason == .exit, "\(flag): \(daemon.logText)")
                #expect(status == 1 || status == 2, "\(flag): \(daemon.logText)")
            }
        }
    }
}
