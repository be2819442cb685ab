import GoCompatibility
import HTTP
import JSON
import Notify
import Platform

/// `status` and `receivers`.
struct StatusHandlers: Sendable {
    let context: AlertAPIContext

    func status(_ request: HTTPRequest, _ notifier: Notifier) throws -> HTTPResponse {
        try Answer.value(request, context) { writer, _ in
            writer.object { writer in
                writer.key("cluster")
                writer.object { writer in
                    writer.member("status", "disabled")
                    writer.key("peers")
                    writer.array { _ in }
                }
                writer.key("versionInfo")
                writer.object { writer in
                    writer.member("version", ProductVersion.alertmanager + "+martlet." + ProductVersion.own)
                    writer.member("revision", ProductVersion.revision)
                    writer.member("branch", ProductVersion.branch)
                    writer.member("buildUser", ProductVersion.buildUser)
                    writer.member("buildDate", ProductVersion.buildDate)
                    writer.member("goVersion", "swift" + ProductVersion.swift)
                }
                writer.key("config")
                writer.object { $0.member("original", notifier.shown.text) }
                writer.member("uptime", RFC3339.text(context.startTime, fraction: .milliseconds))
            }
        }
    }

    func receivers(_ request: HTTPRequest, _ notifier: Notifier) throws -> HTTPResponse {
        let filter = try ReceiverFilter(request, notifier.shown.receivers)
        return try Answer.value(request, context) { writer, share in
            try writer.array(notifier.shown.receivers.filter { filter.accepts($0.name) }, share) { receiver, writer in
                writer.object { writer in
                    writer.member("name", receiver.name)
                    writer.key("labels")
                    writer.labels(receiver.labels)
                }
            }
        }
    }
}
