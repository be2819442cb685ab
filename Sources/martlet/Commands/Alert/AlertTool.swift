import AlertClient
import Config
import Glibc
import GoCompatibility
import HTTP
import Platform

/// Flags, errors and settings of the commands that amtool has, too.
enum AlertTool {
    /// The URL of a martlet on this host with its default port.
    private static let standardURL = "http://127.0.0.1:9090"

    static let features = Flag(
        "enable-feature", .text, nil,
        "Comma-separated notations of matchers: classic-mode or utf8-strict-mode; both by default.", repeats: true)

    /// The flags of commands that speak to a server.
    static let serverFlags = [
        Flag(
            "alertmanager.url", .text, standardURL,
            "The server, martlet or Alertmanager; a path prefix and user:password@ are possible."),
        Flag(
            "http.config.file", .text, nil,
            "File with an http_config: basic_auth, authorization, tls_config, proxies, headers."),
        Flag("timeout", .timeout, "30s", "The time for an answer."),
        .ignored("version-check", .boolean, "true", because: "servers of all versions have the same API"),
        .ignored("verbose", .boolean, "false", because: "there is nothing more to print").withShort("v"), features,
    ]

    /// The flags of commands that print alerts or silences.
    static let outputFlags = [
        Flag(
            "output", .choice(AlertPrinter.Form.allCases.map(\.rawValue)), "simple",
            "How alerts and silences are printed: simple, extended, json.", short: "o"),
        Flag("date.format", .text, "2006-01-02 15:04:05 MST", "How times are printed, in Go's notation."),
    ]

    static func command(
        _ words: [String], _ summary: String, _ arguments: [Subcommand.Argument], _ flags: [Flag],
        run: @escaping @Sendable (ParsedFlags) throws -> Int32
    ) -> Subcommand {
        var command = Subcommand(
            words: words, summary: summary, arguments: arguments, flags: FlagSet(flags: flags), run: run)
        command.isOfAmtool = true
        command.fill = { try fill(&$0) }
        return command
    }

    static func server(_ parsed: ParsedFlags, maxRequests: Int = 16) throws -> AlertServer {
        let url = parsed.text("alertmanager.url")
        if url.isEmpty { throw CommandLineError(description: "required flag --alertmanager.url not provided") }
        let file = parsed.text("http.config.file")
        let client = file.isEmpty ? HTTPClientConfig() : try HTTPClientConfig.load(path: try existing(file))
        return AlertServer(
            url: url, client: client, timeout: max(1, parsed.timeout("timeout")), maxRequests: maxRequests)
    }

    static func printer(_ parsed: ParsedFlags) -> AlertPrinter {
        AlertPrinter(
            AlertPrinter.Form(rawValue: parsed.text("output")) ?? .simple, dateLayout: parsed.text("date.format"))
    }

    /// The notation of matchers that `--enable-feature` selects.
    static func mode(_ parsed: ParsedFlags) throws(CommandLineError) -> AlertMatchers.Mode {
        var mode = AlertMatchers.Mode.fallback
        for name in parsed.all("enable-feature").flatMap({ $0.split(separator: ",") }) {
            switch (name, mode) {
            case ("classic-mode", .utf8Strict), ("utf8-strict-mode", .classic):
                throw CommandLineError(description: "cannot have both classic and UTF-8 modes enabled")
            case ("classic-mode", _): mode = .classic
            case ("utf8-strict-mode", _): mode = .utf8Strict
            default: throw CommandLineError(description: "unknown option '\(name)' for --enable-feature")
            }
        }
        return mode
    }

    /// The path, if there is a file.
    static func existing(_ path: String) throws -> String {
        do throws(FileError) {
            try ConfigFile.checkAccess(path)
        } catch {
            if error.leadsNowhere { throw CommandFailure(description: "path '\(path)' does not exist") }
        }
        return path
    }

    // MARK: Default values

    /// Names that configuration files of amtool may have and no command here.
    private static let othersNames = ["check-config", "version", "help"]

    /// Sets flags that are not on the command line from the configuration files of amtool.
    private static func fill(_ parsed: inout ParsedFlags) throws {
        var settings = ClientSettings()
        for path in ClientSettings.paths(home: getenv("HOME").map { String(cString: $0) }) {
            do throws(FileError) {
                try ConfigFile.checkAccess(path)
            } catch {
                if error.leadsNowhere { continue }
            }
            try settings.add(try ConfigFile.read(path), path: path)
        }
        let known = Subcommand.all.filter(\.isOfAmtool).flatMap(\.flags.flags).map(\.name) + othersNames
        for value in settings.values {
            let place = "\(value.place.file):\(value.place.line):\(value.place.column)"
            if !known.contains(value.flag) {
                Command.complain("Warning: \(place): no command has a flag \(GoQuote.quote(value.flag))")
            }
            try parsed.setMissing(value.flag, value.text, source: place)
        }
    }
}

extension Flag {
    fileprivate func withShort(_ letter: Character) -> Flag {
        var flag = self
        flag.short = letter
        return flag
    }
}
