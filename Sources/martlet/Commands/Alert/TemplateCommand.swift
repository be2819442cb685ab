import Config
import GoCompatibility
import JSON
import Notify

/// `martlet template render`: the output of a template of notifications.
enum TemplateCommand {
    static let commands = [render]

    private static let render = AlertTool.command(
        ["template", "render"], "Prints what a template of notifications gives.", [],
        [
            Flag(
                "template.glob", .text, nil, "A pattern of the files with templates.", repeats: true, isRequired: true),
            Flag("template.text", .text, nil, "The template to render.", isRequired: true),
            Flag("template.type", .choice(["html", "text"]), "text", "Whether the output is HTML or text."),
            Flag(
                "template.data", .text, nil,
                "File with the data, JSON in the form of a webhook's; an example with two alerts by default."),
        ]
    ) { parsed in
        let templates = try NotificationTemplates(patterns: parsed.all("template.glob"))
        print(
            try templates.render(
                parsed.text("template.text"), try data(parsed.text("template.data")),
                isHTML: parsed.text("template.type") == "html"), terminator: "")
        return 0
    }

    private static func data(_ path: String) throws -> NotificationFields {
        guard !path.isEmpty else {
            return .example(now: GoTime(nanoseconds: SystemTime.now &* 1_000_000))
        }
        let bytes = try ConfigFile.readOnce(path)
        do {
            return try NotificationFieldsReader.read(bytes)
        } catch let error as JSONError {
            throw ConfigError(file: path, line: error.line, column: error.column, message: error.reason)
        }
    }
}
