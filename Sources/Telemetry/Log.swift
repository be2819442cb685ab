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
///
/// Of a message or a value that is longer than ``longest``, the beginning and the end are written. A message that
/// targets, clients or discovered lists may repeat as often as they like is logged with its subject: then it is written
/// once a minute about the same subject, and at most 60 times a minute.
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

    /// The limits of messages that repeat, for tests; without them, a listener receives all messages.
    @TaskLocal package static var repeats: LogRepeats?
    private static let allRepeats = LogRepeats()

    /// The most bytes of a message or a value that are written.
    package static let longest = 1024

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

    /// A message that may repeat.
    ///
    /// - Parameter subject: The thing that the message is about, and if necessary the reason.
    public func info(
        _ message: StaticString, about subject: [String], _ fields: @autoclosure () -> KeyValuePairs<String, String>
    ) {
        writeRepeated(.info, message, subject, fields)
    }
    /// A warning that may repeat; see ``info(_:about:_:)``.
    public func warn(
        _ message: StaticString, about subject: [String], _ fields: @autoclosure () -> KeyValuePairs<String, String>
    ) {
        writeRepeated(.warn, message, subject, fields)
    }
    /// An error that may repeat; see ``info(_:about:_:)``.
    public func error(
        _ message: StaticString, about subject: [String], _ fields: @autoclosure () -> KeyValuePairs<String, String>
    ) {
        writeRepeated(.error, message, subject, fields)
    }

    private func writeRepeated(
        _ level: LogLevel, _ message: StaticString, _ subject: [String], _ fields: () -> KeyValuePairs<String, String>
    ) {
        guard level >= Self.settings.withLock({ $0.level }) else { return }
        let text = "\(message)"
        guard let repeats = Self.repeats ?? (Self.listener == nil ? Self.allRepeats : nil) else {
            return write(level, { text }, fields())
        }
        guard let leftOut = repeats.admit(component, text, subject) else { return }
        write(level, { text }, fields(), leftOut: leftOut)
    }

    private func write(
        _ level: LogLevel, _ message: () -> String, _ fields: KeyValuePairs<String, String>, leftOut: Int = 0
    ) {
        let settings = Self.settings.withLock { $0 }
        guard level >= settings.level else { return }
        var pairs =
            [("time", Self.timestamp()), ("level", level.name), ("component", component), ("msg", Self.cut(message()))]
            + fields.map { ($0.key, Self.cut($0.value)) }
        if leftOut > 0 { pairs.append(("not_logged", "\(leftOut)")) }
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

    /// The beginning and the end of a text that is too long, and between them the number of bytes that are left out.
    package static func cut(_ text: String) -> String {
        let bytes = text.utf8
        guard bytes.count > longest else { return text }
        var end = bytes.index(bytes.startIndex, offsetBy: longest * 11 / 16)
        var start = bytes.index(bytes.endIndex, offsetBy: -longest / 4)
        // Characters stay whole.
        while end > bytes.startIndex, isContinuation(bytes[end]) { end = bytes.index(before: end) }
        while start < bytes.endIndex, isContinuation(bytes[start]) { start = bytes.index(after: start) }
        let leftOut = bytes.distance(from: end, to: start)
        return text[..<end] + "…(\(leftOut) bytes left out)…" + text[start...]
    }

    private static func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

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
