import Config
import Glibc
import Model
import Platform
import Telemetry

/// `martlet [serve]`: the daemon.
enum ServeCommand {
    static func run(_ words: [String]) throws -> Int32 {
        let flags = try ServerFlags.set.parse(words)
        if flags.wantsHelp {
            print("usage: martlet [serve] [FLAGS]\n\n" + ServerFlags.set.help)
            return 0
        }
        if flags.boolean("version") {
            print(Build.text)
            return 0
        }
        if let word = flags.positional.first { throw CommandLineError(description: "unexpected \(word)") }
        guard let level = LogLevel(flags.text("log.level")) else {
            throw CommandLineError(description: "unrecognized log level \(flags.text("log.level"))")
        }
        guard let format = LogFormat(rawValue: flags.text("log.format")) else {
            throw CommandLineError(description: "unrecognized log format \(flags.text("log.format"))")
        }
        Log.configure(level: level, format: format)
        let log = Log("main")
        Heaps.bound()
        Signals.block()
        let daemon: Daemon
        do {
            daemon = try Daemon(flags: flags)
        } catch let error as ConfigError {
            log.error("Error loading config", ["err": "\(error)"])
            return 2
        } catch let error as StartError {
            log.error(error.what, ["err": error.reason])
            return error.status
        }
        return daemon.run()
    }
}

/// Why the daemon does not start.
struct StartError: Error {
    var what: String
    var reason: String
    var status: Int32 = 1
}
