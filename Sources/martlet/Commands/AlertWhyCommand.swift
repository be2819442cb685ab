import JSON
import Model

/// `martlet alert why LABELS…`: prints the reasons why receivers were or were not notified of alerts.
enum AlertWhyCommand {
    static let command = Subcommand(
        words: ["alert", "why"], summary: "Prints why receivers were or were not notified of alerts.",
        arguments: [.oneOrMore("LABELS")],
        flags: FlagSet(
            flags: [
                Flag("url", .text, "http://localhost:9090", "The server to ask."),
                Flag(
                    "format", .choice(["text", "json"]), "text", "How the reasons are printed: text, json.", short: "o"),
            ] + QueryCommand.client),
        remarks:
            "LABELS are matchers, for example alertname=Down 'instance=~\"web.*\"'; a word alone is a name of alerts.",
        run: run)

    private static func run(_ parsed: ParsedFlags) throws -> Int32 {
        let parameters = filters(parsed.positional).map { ("filter", $0) }
        guard let data = try QueryCommand.data(parsed.text("url"), "notifications/why", parameters, parsed) else {
            return 1
        }
        if parsed.text("format") == "json" {
            var writer = JSONWriter()
            writer.value(data)
            print(String(decoding: writer.bytes, as: UTF8.self))
        } else {
            for line in lines(data) { print(line) }
        }
        return 0
    }

    /// The words as matchers: one without an operator is the name of alerts.
    static func filters(_ words: [String]) -> [String] {
        words.map { word in
            if word.contains(where: { "=~!".contains($0) }) { return word }
            let quoted = word.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            return "alertname=\"\(quoted)\""
        }
    }

    /// The sentences of an answer, below the labels of their alert.
    static func lines(_ data: JSONValue) -> [String] {
        func sentences(_ value: JSONValue) -> [String] {
            (value["steps"]?.array ?? []).compactMap { $0["sentence"]?.string }
        }
        var lines: [String] = []
        for alert in data["alerts"]?.array ?? [] {
            if !lines.isEmpty { lines.append("") }
            let labels = Labels((alert["labels"]?.object ?? []).map { ($0.key, $0.value.string ?? "") })
            lines.append("\(labels)")
            lines += sentences(alert).map { "  " + $0 }
        }
        return lines + sentences(data)
    }
}
