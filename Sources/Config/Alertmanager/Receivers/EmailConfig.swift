import GoCompatibility
import Model

/// One `email_configs` entry, with what it inherits from `global`.
package struct EmailConfig: Sendable {
    /// By what mails of a group form a thread.
    package enum Threading: String, Sendable {
        case none, daily
    }

    package var place: ConfigPlace
    package var sendResolved: Bool
    package var to: TemplateText
    package var from: TemplateText
    package var hello: String
    /// `host:port`.
    package var smarthost: String
    package var authUsername: String
    /// The password; the file is used if there is also a text.
    package var authPassword: SecretSource
    package var authSecret: SecretSource
    package var authIdentity: String
    package var requireTLS: Bool
    package var tls: TLSClientConfig
    /// Whether the connection starts with TLS; nil decides by the port, which is 465 for TLS.
    package var forceImplicitTLS: Bool?
    /// With canonical names, and always with Subject, To and From.
    package var headers: [TemplatePair]
    package var html: TemplateText
    package var text: TemplateText
    /// Nil for no threads.
    package var threading: Threading?

    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.EmailConfig")
        let globals = context.globals
        place = node.place
        sendResolved = try reader.bool("send_resolved", false)
        to = try reader.template("to")
        from = try reader.template("from")
        if from.isEmpty { from = globals.smtpFrom }
        hello = try reader.string("hello", "")
        if hello.isEmpty { hello = globals.smtpHello }
        smarthost = try reader.string("smarthost", "")
        try reader.checkHostAndPort(smarthost, "smarthost")
        if smarthost.isEmpty { smarthost = globals.smtpSmarthost }
        authUsername = try reader.string("auth_username", "")
        if authUsername.isEmpty { authUsername = globals.smtpAuthUsername }
        authIdentity = try reader.string("auth_identity", "")
        if authIdentity.isEmpty { authIdentity = globals.smtpAuthIdentity }
        authPassword = SecretSource(
            text: try reader.string("auth_password", ""), file: try reader.string("auth_password_file", "")
        ).or(globals.smtpAuthPassword)
        authSecret = SecretSource(
            text: try reader.string("auth_secret", ""), file: try reader.string("auth_secret_file", "")
        ).or(globals.smtpAuthSecret)
        requireTLS = try reader.bool("require_tls") ?? globals.smtpRequireTLS
        forceImplicitTLS = try reader.bool("force_implicit_tls") ?? globals.smtpForceImplicitTLS
        tls = globals.smtpTLS
        if let section = try reader.mapping("tls_config", "config.TLSConfig") {
            tls = try context.loading.inWorkingDirectory { () throws(ConfigError) in
                try TLSClientConfig(section: section, loading: context.loading)
            }
        }
        headers = []
        html = try reader.template("html", named: "email.default.html")
        text = try reader.template("text")
        threading = try Self.threading(reader)
        let custom = try reader.templateMap("headers")
        reader.finish()
        try reader.require(to, "to", "missing to address in email config")
        try addHeaders(custom)
        if smarthost.isEmpty { throw place.error("no global SMTP smarthost set") }
        if from.isEmpty { throw place.error("no global SMTP from set") }
    }

    private static func threading(_ reader: MappingReader) throws(ConfigError) -> Threading? {
        guard let section = try reader.mapping("threading", "config.ThreadingConfig") else { return nil }
        let isEnabled = try section.bool("enabled", false)
        let name = try section.string("thread_by_date", "")
        section.finish()
        guard isEnabled else { return nil }
        guard let threading = Threading(rawValue: name) else {
            throw section.place(of: "thread_by_date").error(
                "threading.thread_by_date must be either 'none' or 'daily'")
        }
        return threading
    }

    private mutating func addHeaders(_ custom: [TemplatePair]) throws(ConfigError) {
        for header in custom {
            let name = Self.canonical(header.name)
            if headers.contains(where: { $0.name.isExactly(name) }) {
                throw header.value.place.error("duplicate header \(GoQuote.quote(name)) in email config")
            }
            if threading != nil, name == "References" || name == "In-Reply-To" {
                throw header.value.place.error(
                    "conflicting configuration: threading.enabled conflicts with custom \(name) header")
            }
            headers.append(TemplatePair(name: name, value: header.value))
        }
        let subject = TemplateText("{{ template \"email.default.subject\" . }}", place)
        for (name, value) in [("Subject", subject), ("To", to), ("From", from)]
        where !headers.contains(where: { $0.name == name }) {
            headers.append(TemplatePair(name: name, value: value))
        }
    }

    /// A header's name with a capital at the start and after each hyphen.
    private static func canonical(_ name: String) -> String {
        var isStart = true
        let bytes = name.utf8.map { byte in
            let isLower = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            let isUpper = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            defer { isStart = byte == UInt8(ascii: "-") }
            return isStart && isLower ? byte - 0x20 : !isStart && isUpper ? byte + 0x20 : byte
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
