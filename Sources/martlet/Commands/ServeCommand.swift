import Config
import Glibc
import Model
import Platform
import Telemetry

/// `martlet [serve]`: the daemon.
enum ServeCommand {
    static let command = Subcommand(
        words: ["serve"], summary: "Runs the daemon.", flags: ServerFlags.set,
        remarks: "`martlet help` lists the other commands.", run: run)

    private static func run(_ flags: ParsedFlags) throws -> Int32 {
        if flags.boolean("version") {
            print(ProductVersion.text)
            return 0
        }
        // This is first, because a thread that was started before would receive signals and end the process.
        Signals.block()
        let options = try DaemonOptions(flags, hostName: hostName, webFile: WebOptions.readFile(flags))
        Log.configure(level: options.logLevel, format: options.logFormat)
        let log = Log("main")
        StartReport.start(options)
        Heaps.bound()
        let daemon: Daemon
        do {
            daemon = try Daemon(options)
        } catch let error as PreparationError {
            guard error.reason is ConfigError else { throw error.reason }
            log.error("Error loading config", ["err": "\(error)"])
            return 2
        } catch let error as StartError {
            log.error(error.what, ["err": error.reason])
            return error.status
        }
        return daemon.run()
    }

    private static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// The reason why the daemon does not start.
struct StartError: Error {
    var what: String
    var reason: String
    var status: Int32 = 1
}
