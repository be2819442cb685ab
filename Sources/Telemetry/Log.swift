import Glibc
import GoCompatibility
import Platform
import Synchronization

/// The severity of a log message.
public enum LogLevel: Int, Sendable, Comparable {
    case debug, info, warn, error

    public static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }

    /// `debug`, `info`, `warn` or `error`.
    public init?(_ name: String) {
        switch name {
        case "debug": self = .debug
        case "info": self = .info
        case "warn": self = .warn
        case "error": self = .error
        default: return nil
        }
    }

    var name: String {
        switch self {
        case .debug: "DEBUG"
        case .info: "INFO"
        case .warn: "WARN"
        case .error: "ERROR"
        }
    }
}

/// The format of log messages.
public enum LogFormat: String, Sendable {
    case logfmt
    case json
}

/// The daemon's log, on standard error: `time=… level=INFO component=storage msg="…" key=value`.
public struct Log: Sendable {
    private struct Settings: Sendable {
        var level = LogLevel.info
        var format = LogFormat.logfmt
    }
    private static let settings = Mutex(Settings())

    /// Sets level and format of all loggers.
    public static func configure(level: LogLevel, format: LogFormat) {
        settings.withLock {
            $0.level = level
            $0.format = format
        }
    }

    /// Receives the messages of the task and its children instead of standard error; for tests.
    @TaskLocal package static var listener: (@Sendable (String) -> Void)?

    /// The part of the daemon that logs.
    public let component: String

    public init(_ component: String) { self.component = component }

    public func debug(_ message: @autoclosure () -> String, _ fields: KeyValuePairs<String, String> = [:]) {
        write(.debug, message, fields)
    }
    public func info(_ message: @autoclosure () -> String, _ fields: KeyValuePairs<String, String> = [:]) {
        write(.info, message, fields)
    }
    public func warn(_ message: @autoclosure () -> String, _ fields: KeyValuePairs<String, String> = [:]) {
        write(.warn, message, fields)
    }
    public func error(_ message: @autoclosure () -> String, _ fields: KeyValuePairs<String, String> = [:]) {
        write(.error, message, fields)
    }

    private func write(_ level: LogLevel, _ message: () -> String, _ fields: KeyValuePairs<String, String>) {
        let settings = Self.settings.withLock { $0 }
        guard level >= settings.level else { return }
        let pairs =
            [("time", Self.timestamp()), ("level", level.name), ("component", component), ("msg", message())]
            + fields.map { ($0.key, $0.value) }
        var line: String
        switch settings.format {
        case .logfmt: line = pairs.map { "\($0.0)=\(Self.logfmt($0.1))" }.joined(separator: " ")
        case .json: line = "{" + pairs.map { "\(Self.json($0.0)):\(Self.json($0.1))" }.joined(separator: ",") + "}"
        }
        if let listener = Self.listener { return listener(line) }
        line += "\n"
        // One write per line, so that the lines of several threads do not mix.
        line.withUTF8 { _ = Glibc.write(2, $0.baseAddress, $0.count) }
    }

    private static func timestamp() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return RFC3339.text(Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec / 1_000_000), fraction: .milliseconds)
    }

    private static func logfmt(_ text: String) -> String {
        let needsQuotes = text.isEmpty || text.utf8.contains { $0 <= 0x20 || $0 == 0x22 || $0 == 0x3D || $0 == 0x7F }
        return needsQuotes ? json(text) : text
    }

    private static func json(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where scalar.value < 0x20:
                out += "\\u" + scalar.value.zeroPadded(4, radix: 16)
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
