import AlertClient
import Config
import Model
import Notify

/// `martlet alert [query]|add|route`: shows and adds alerts of a server, and shows its routes.
enum AlertCommand {
    static let commands = [query, add, showRoutes, testRoutes]

    private static let query: Subcommand = {
        var command = AlertTool.command(
            ["alert", "query"], "Lists the alerts of a server that match.", [.any("MATCHER")],
            [
                Flag("active", .boolean, "false", "Active alerts; the default without the other three.", short: "a"),
                Flag("silenced", .boolean, "false", "Silenced alerts.", short: "s"),
                Flag("inhibited", .boolean, "false", "Inhibited alerts.", short: "i"),
                Flag("unprocessed", .boolean, "false", "Alerts that the server has not processed yet.", short: "u"),
                Flag("receiver", .text, nil, "A regular expression for the names of receivers.", short: "r"),
            ] + AlertTool.outputFlags + AlertTool.serverFlags
        ) { parsed in
            let alerts = try AlertTool.server(parsed).alerts(
                AlertServer.AlertStates(
                    active: parsed.boolean("active"), silenced: parsed.boolean("silenced"),
                    inhibited: parsed.boolean("inhibited"), unprocessed: parsed.boolean("unprocessed")),
                filters: try ArgumentMatchers.filters(parsed.positional, try AlertTool.mode(parsed)),
                receiver: parsed.text("receiver"))
            print(AlertTool.printer(parsed).text(alerts), terminator: "")
            return 0
        }
        command.isDefault = true
        command.remarks = """
            A MATCHER is NAME=VALUE, or has != or =~ or !~; a first one without an operator is the alert's name.
            """
        return command
    }()

    private static let add: Subcommand = {
        var command = AlertTool.command(
            ["alert", "add"], "Adds an alert to a server.", [.any("LABEL")],
            [
                Flag("annotation", .text, nil, "An annotation, NAME=VALUE.", repeats: true),
                Flag("generator-url", .text, nil, "The URL of the source of the alert."),
                Flag("start", .moment, nil, "The start of the alert, RFC 3339; now by default."),
                Flag("end", .moment, nil, "The end of the alert, RFC 3339; the server's default without."),
            ] + AlertTool.serverFlags
        ) { parsed in
            let mode = try AlertTool.mode(parsed)
            var alert = NewAlert(labels: try ArgumentMatchers.labels(parsed.positional, mode, namesAlert: true))
            alert.annotations = try ArgumentMatchers.annotations(parsed.all("annotation"), mode)
            alert.generatorURL = parsed.text("generator-url")
            alert.startsAt = parsed.moment("start")
            alert.endsAt = parsed.moment("end")
            try AlertTool.server(parsed).add([alert])
            return 0
        }
        command.remarks = "A LABEL is NAME=VALUE; a first one without an operator is the alert's name."
        return command
    }()

    // MARK: Routes

    private static let configFile = Flag(
        "config.file", .text, nil, "File in Alertmanager's format; without, the configuration of the server.")

    private static let showRoutes: Subcommand = {
        var command = AlertTool.command(
            ["alert", "route", "show"], "Shows the tree of routes.", [], [configFile] + AlertTool.serverFlags
        ) { parsed in
            print("Routing tree:\n" + RoutingTree.whole(try routes(parsed)))
            return 0
        }
        command.isDefault = true
        return command
    }()

    private static let testRoutes = AlertTool.command(
        ["alert", "route", "test"], "Prints the receivers of an alert with the given labels.", [.any("LABEL")],
        [
            configFile,
            Flag(
                "verify.receivers", .text, nil,
                "The expected receivers, separated by commas; the status is 1 if the alert has others."),
            Flag("tree", .boolean, "false", "Show the matching routes, too."),
        ] + AlertTool.serverFlags
    ) { parsed in
        let route = try routes(parsed)
        let mode = try AlertTool.mode(parsed)
        let pairs: [(name: String, value: String)]
        do throws(ArgumentError) {
            pairs = try ArgumentMatchers.labels(parsed.positional, mode, namesAlert: false)
        } catch {
            throw CommandFailure(description: "Failed to parse labels: \(error)")
        }
        let labels = Labels(pairs.map { ($0.name, $0.value) })
        if parsed.boolean("tree") { print("Matching routes:\n" + RoutingTree.matching(route, labels) + "\n") }
        let receivers = route.match(labels).map(\.receiver).joined(separator: ",")
        print(TextTable.printable(receivers))
        let expected = parsed.text("verify.receivers")
        guard expected.isEmpty || expected == receivers else {
            print("WARNING: Expected receivers did not match resolved receivers.")
            return 1
        }
        return 0
    }

    private static func routes(_ parsed: ParsedFlags) throws -> Route {
        let mode = try AlertTool.mode(parsed)
        guard parsed.isGiven("config.file") else {
            let text = try AlertTool.server(parsed).configuration()
            let config = try AlertmanagerConfigLoader.parse(
                text: Array(text.utf8), path: "the server's configuration", matchers: mode)
            return Route(config)
        }
        if parsed.isGiven("alertmanager.url") {
            Command.complain("Warning: --config.file flag overrides the --alertmanager.url.")
        }
        let path = try AlertTool.existing(parsed.text("config.file"))
        return Route(
            try AlertmanagerConfigLoader.parse(text: try ConfigFile.readOnce(path), path: path, matchers: mode))
    }
}
