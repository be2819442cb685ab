import AlertClient
import Config
import Glibc
import GoCompatibility
import Model
import Platform
import Synchronization

/// `martlet silence [query]|add|update|expire|import`: shows and changes the silences of a server.
enum SilenceCommand {
    static let commands = [query, add, update, expire, importing]

    private static let quiet = Flag("quiet", .boolean, "false", "Print only ids.", short: "q")
    private static let start = Flag("start", .moment, nil, "The start of the silence, RFC 3339.")
    private static let end = Flag("end", .moment, nil, "The end of the silence, RFC 3339; instead of --duration.")

    private static func duration(_ standard: String?) -> Flag {
        Flag("duration", .duration, standard, "The duration of the silence from its start.", short: "d")
    }

    private static func comment(_ help: String) -> Flag { Flag("comment", .text, nil, help, short: "c") }

    // MARK: Query

    private static let query: Subcommand = {
        var command = AlertTool.command(
            ["silence", "query"], "Lists the silences of a server that have matchers.", [.any("MATCHER")],
            [
                Flag("expired", .boolean, "false", "Silences that have ended, instead of the others."), quiet,
                Flag("created-by", .text, nil, "Only silences of this author."),
                Flag("id", .text, nil, "Only the silence with this id."),
                Flag(
                    "within", .timeout, "0s",
                    "Only silences that end, or with --expired have ended, within this duration."),
            ] + AlertTool.outputFlags + AlertTool.serverFlags
        ) { parsed in
            var selection = SilenceSelection()
            selection.isExpired = parsed.boolean("expired")
            selection.within = parsed.timeout("within")
            selection.createdBy = parsed.text("created-by")
            selection.id = parsed.text("id")
            let all = try AlertTool.server(parsed).silences(
                filters: try ArgumentMatchers.filters(parsed.positional, try AlertTool.mode(parsed)))
            let now = SystemTime.now
            show(all.filter { selection.contains($0, now: now) }, parsed)
            return 0
        }
        command.isDefault = true
        command.remarks = """
            A MATCHER is one that the silences have, NAME=VALUE, or with != or =~ or !~; a first one without an
            operator is the alert's name.
            """
        return command
    }()

    private static func show(_ silences: [RemoteSilence], _ parsed: ParsedFlags) {
        if parsed.boolean("quiet") {
            for silence in silences { print(TextTable.printable(silence.id)) }
        } else {
            print(AlertTool.printer(parsed).text(silences), terminator: "")
        }
    }

    // MARK: Changes

    private static let add: Subcommand = {
        var command = AlertTool.command(
            ["silence", "add"], "Adds a silence, and prints its id.", [.any("MATCHER")],
            [
                Flag("author", .text, nil, "The author of the silence; the user's name by default.", short: "a"),
                comment("A comment, which is required."),
                Flag("require-comment", .boolean, "true", "Whether a comment is required."), duration("1h"), start, end,
                Flag("annotation", .text, nil, "An annotation of the silence, NAME=VALUE.", repeats: true),
            ] + AlertTool.serverFlags
        ) { parsed in
            let mode = try AlertTool.mode(parsed)
            let matchers = try ArgumentMatchers.parse(parsed.positional, mode)
            if matchers.isEmpty { throw CommandFailure(description: "no matchers specified") }
            let start = parsed.moment("start") ?? GoTime(nanoseconds: SystemTime.now &* 1_000_000)
            let end =
                try SilencePeriod.end(start, end: parsed.moment("end"), duration: parsed.duration("duration")) ?? start
            try SilencePeriod.check(start, end)
            let comment = parsed.text("comment")
            if comment.isEmpty, parsed.boolean("require-comment") {
                throw CommandFailure(description: "comment required by config")
            }
            let author = parsed.text("author")
            let silence = PostedSilence(
                matchers: matchers, startsAt: start, endsAt: end, createdBy: author.isEmpty ? userName : author,
                comment: comment, annotations: try ArgumentMatchers.annotations(parsed.all("annotation"), mode))
            print(TextTable.printable(try AlertTool.server(parsed).post(silence)))
            return 0
        }
        command.remarks = """
            A MATCHER is NAME=VALUE, or has != or =~ or !~; a first one without an operator is the alert's name.
            """
        return command
    }()

    /// The login name; empty if the system does not know it.
    private static var userName: String {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16 << 10)
        let status = getpwuid_r(getuid(), &entry, &buffer, buffer.count, &found)
        if status == 0, found != nil, let name = entry.pw_name { return String(cString: name) }
        return getenv("USER").map { String(cString: $0) } ?? ""
    }

    private static let update = AlertTool.command(
        ["silence", "update"], "Changes silences, and prints them as they are then.", [.any("ID")],
        [quiet, duration(nil), start, end, comment("A new comment.")] + AlertTool.outputFlags + AlertTool.serverFlags
    ) { parsed in
        let server = try AlertTool.server(parsed)
        var updated: [RemoteSilence] = []
        for id in try ids(parsed) {
            var silence = try server.silence(id)
            let start = parsed.moment("start") ?? silence.startsAt
            let end = try SilencePeriod.end(
                start, end: parsed.moment("end"),
                duration: parsed.text("duration").isEmpty ? nil : parsed.duration("duration"))
            try SilencePeriod.check(start, end ?? silence.endsAt)
            silence.setTimes(start, end ?? silence.endsAt)
            if !parsed.text("comment").isEmpty { silence.setComment(parsed.text("comment")) }
            silence.setID(try server.post(PostedSilence(silence)))
            updated.append(silence)
        }
        show(updated, parsed)
        return 0
    }

    private static let expire = AlertTool.command(
        ["silence", "expire"], "Ends silences.", [.any("ID")], AlertTool.serverFlags
    ) { parsed in
        let server = try AlertTool.server(parsed)
        for id in try ids(parsed) { try server.expire(id) }
        return 0
    }

    private static func ids(_ parsed: ParsedFlags) throws(CommandFailure) -> [String] {
        if parsed.positional.isEmpty { throw CommandFailure(description: "no silence IDs specified") }
        return parsed.positional
    }

    // MARK: Import

    /// The most requests at once.
    private static let mostWorkers = 256

    private static let importing = AlertTool.command(
        ["silence", "import"], "Adds the silences of a file that `silence query -o json` wrote, and prints their ids.",
        [.any("FILE")],
        [
            Flag("force", .boolean, "false", "Add new silences, even if the server has those of the file.", short: "f"),
            Flag("worker", .count, "8", "The number of requests at once, 1 to 256.", short: "w"),
        ] + AlertTool.serverFlags
    ) { parsed in
        let count = parsed.integer("worker")
        guard (1...mostWorkers).contains(count) else {
            throw CommandLineError(description: "invalid value for --worker: expected 1 to \(mostWorkers)")
        }
        if let other = parsed.positional.dropFirst().first {
            throw CommandLineError(description: "unexpected \(other)")
        }
        let path = try parsed.positional.first.map { try AlertTool.existing($0) }
        var silences = try SilenceFile.read(
            try ConfigFile.readOnce(path ?? "/dev/stdin"), name: path ?? "standard input")
        if parsed.boolean("force") { silences = silences.map(\.withoutID) }
        let server = try AlertTool.server(parsed, maxRequests: count)
        let failures = Mutex(0)
        let workers = Workers("silence-import", limit: count)
        let posted = silences
        workers.enter()
        workers.run(posted.count) { index in
            guard posted.indices.contains(index) else { return }
            do {
                print(TextTable.printable(try server.importing(posted[index])))
            } catch {
                failures.withLock { $0 += 1 }
                Command.complain("Error adding silence id='\(TextTable.printable(posted[index].id))': \(error)")
            }
        }
        workers.leave()
        let failed = failures.withLock { $0 }
        if failed > 0 {
            throw CommandFailure(description: "couldn't import \(failed) out of \(posted.count) silences")
        }
        return 0
    }
}
