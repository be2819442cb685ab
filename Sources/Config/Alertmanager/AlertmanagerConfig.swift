import GoCompatibility
import Model

/// Alertmanager's configuration file.
package struct AlertmanagerConfig: Sendable {
    /// The milliseconds after which an alert without an end counts as resolved.
    package var resolveTimeout: Int64 = 300_000
    package var client = HTTPClientConfig()
    package var route: RouteConfig
    package var receivers: [ReceiverConfig] = []
    package var inhibitRules: [InhibitRuleConfig] = []
    package var timeIntervals: [TimeIntervalConfig] = []
    package var templates: [String] = []
    /// The settings of the file that martlet does not support yet, with places.
    package var unsupported: [ConfigError] = []
}

/// A node of the routing tree; nil values are inherited.
package struct RouteConfig: Sendable {
    package var place: ConfigPlace
    package var receiver: String?
    /// The labels to group by; nil inherits.
    package var groupBy: [String]?
    /// `group_by: ['...']`.
    package var groupByAll = false
    /// Milliseconds.
    package var groupWait: Int64?
    package var groupInterval: Int64?
    package var repeatInterval: Int64?
    package var matchers: [Matcher] = []
    package var continues = false
    package var muteTimeIntervals: [String] = []
    package var activeTimeIntervals: [String] = []
    package var routes: [RouteConfig] = []
}

/// A receiver of notifications.
package struct ReceiverConfig: Sendable {
    package var name: String
    package var place: ConfigPlace
    package var webhooks: [WebhookConfig] = []
}

/// One webhook of a receiver.
package struct WebhookConfig: Sendable {
    package var url = ""
    package var urlFile = ""
    package var sendResolved = true
    package var client = HTTPClientConfig()
    /// The most alerts of a notification; 0 for all.
    package var maxAlerts = 0
    /// The timeout in milliseconds; 0 for none.
    package var timeout: Int64 = 0
}

/// A rule that mutes alerts while others fire.
package struct InhibitRuleConfig: Sendable {
    package var source: [Matcher]
    package var target: [Matcher]
    package var equal: [String]
}

/// A named set of times of the week, month and year.
package struct TimeIntervalConfig: Sendable {
    package var name: String
    package var intervals: [Interval]

    package struct Interval: Sendable {
        /// Minutes of the day, end exclusive.
        package var times: [Range<Int>] = []
        /// 0 is Sunday.
        package var weekdays: [ClosedRange<Int>] = []
        /// 1…31, or −1…−31 counted from the end of the month.
        package var daysOfMonth: [(begin: Int, end: Int)] = []
        package var months: [ClosedRange<Int>] = []
        package var years: [ClosedRange<Int>] = []
        /// A name of the time-zone database; UTC if empty.
        package var location = ""
        package var locationPlace: ConfigPlace
    }
}

/// Reads Alertmanager's configuration.
package enum AlertmanagerConfigLoader {
    package static func load(path: String) throws(ConfigError) -> AlertmanagerConfig {
        try parse(text: try ConfigFile.read(path), path: path)
    }

    package static func parse(text: [UInt8], path: String) throws(ConfigError) -> AlertmanagerConfig {
        let loading = LoadingContext(file: path, environment: { _ in nil })
        guard let root = try YAMLParser.parse(text, file: path) else {
            throw ConfigError(file: path, line: 1, column: 1, message: "no route provided in config")
        }
        let problems = loading.problems
        let reader = try MappingReader(root, "config.plain", problems)
        guard let routeNode = reader.node("route"), !routeNode.isNull else {
            throw root.place.error("no route provided in config")
        }
        var config = AlertmanagerConfig(route: try RouteConfig(routeNode, isRoot: true, problems))
        if let global = try reader.mapping("global", "config.plain") { try config.readGlobal(global, loading) }
        for pattern in try reader.strings("templates") ?? [] where !GoGlob.isWellFormed(pattern) {
            throw reader.place(of: "templates").error(
                "templates \(GoQuote.quote(pattern)): \(FileGlob.syntaxError)")
        }
        config.templates = (try reader.strings("templates") ?? []).map(loading.resolve)
        for node in try reader.list("receivers", empty: "empty or null receiver") {
            let client = config.client
            let receiver = problems.collect { () throws(ConfigError) in
                try ReceiverConfig(node, standard: client, loading)
            }
            if let receiver { config.receivers.append(receiver) }
        }
        for node in try reader.list("inhibit_rules") {
            config.inhibitRules.append(try InhibitRuleConfig(try reader.child(node, "config.plain")))
        }
        for key in ["time_intervals", "mute_time_intervals"] {
            for node in try reader.list(key) {
                let interval = problems.collect { () throws(ConfigError) in try TimeIntervalConfig(node, problems) }
                if let interval { config.timeIntervals.append(interval) }
            }
        }
        if reader.node("tracing") != nil { loading.unsupported("tracing", at: reader.place(of: "tracing")) }
        reader.finish()
        try problems.check()
        try config.check(root.place)
        config.unsupported = loading.missing
        return config
    }
}

extension AlertmanagerConfig {
    /// Checks that used names exist, and that names are unique.
    fileprivate func check(_ place: ConfigPlace) throws(ConfigError) {
        var names: Set<ExactText> = []
        for receiver in receivers where !names.insert(ExactText(receiver.name)).inserted {
            throw receiver.place.error("notification config name \(GoQuote.quote(receiver.name)) is not unique")
        }
        var intervals: Set<ExactText> = []
        for interval in timeIntervals where !intervals.insert(ExactText(interval.name)).inserted {
            throw place.error("time interval \(GoQuote.quote(interval.name)) is not unique")
        }
        try check(route, names, intervals)
    }

    private func check(
        _ route: RouteConfig, _ receivers: Set<ExactText>, _ intervals: Set<ExactText>
    ) throws(ConfigError) {
        if let receiver = route.receiver, !receivers.contains(ExactText(receiver)) {
            throw route.place.error("undefined receiver \(GoQuote.quote(receiver)) used in route")
        }
        for name in route.muteTimeIntervals + route.activeTimeIntervals where !intervals.contains(ExactText(name)) {
            throw route.place.error("undefined time interval \(GoQuote.quote(name)) used in route")
        }
        for child in route.routes { try check(child, receivers, intervals) }
    }
}

extension RouteConfig {
    static let maxDepth = 50

    init(_ node: YAMLNode, isRoot: Bool, _ problems: ConfigProblems, depth: Int = 0) throws(ConfigError) {
        let reader = try MappingReader(node, "config.plain", problems)
        place = node.place
        guard depth < Self.maxDepth else {
            throw node.place.error("routes are nested more than \(Self.maxDepth) levels")
        }
        receiver = try reader.string("receiver")
        if receiver?.isEmpty == true { receiver = nil }
        groupWait = try reader.duration("group_wait")
        groupInterval = try reader.duration("group_interval")
        repeatInterval = try reader.duration("repeat_interval")
        if groupInterval == 0 { throw reader.place(of: "group_interval").error("group_interval cannot be zero") }
        if repeatInterval == 0 { throw reader.place(of: "repeat_interval").error("repeat_interval cannot be zero") }
        continues = try reader.bool("continue", false)
        muteTimeIntervals = try reader.strings("mute_time_intervals") ?? []
        activeTimeIntervals = try reader.strings("active_time_intervals") ?? []
        matchers = try AlertMatchers.read(reader, "matchers", "match", "match_re")
        try readGroupBy(reader)
        for child in try reader.list("routes", empty: "empty or null route") {
            routes.append(try RouteConfig(child, isRoot: false, problems, depth: depth + 1))
        }
        reader.finish()
        guard isRoot else { return }
        // The error is collected and not thrown: a misspelt key may be the reason, and is reported instead.
        for (isWrong, reason) in [
            (receiver == nil, "root route must specify a default receiver"),
            (!matchers.isEmpty, "root route must not have any matchers"),
            (continues, "cannot have continue in root route"),
            (!muteTimeIntervals.isEmpty, "root route must not have any mute time intervals"),
            (!activeTimeIntervals.isEmpty, "root route must not have any active time intervals"),
        ] where isWrong { problems.add(node.place.error(reason)) }
    }

    private mutating func readGroupBy(_ reader: MappingReader) throws(ConfigError) {
        guard let labels = try reader.strings("group_by") else { return }
        let place = reader.place(of: "group_by")
        if labels.contains("...") {
            if labels.contains(where: { $0 != "..." }) {
                throw place.error("cannot have wildcard group_by (`...`) and other labels at the same time")
            }
            groupByAll = true
            groupBy = []
            return
        }
        var seen: Set<ExactText> = []
        for label in labels where !seen.insert(ExactText(label)).inserted {
            throw place.error("duplicated label \(GoQuote.quote(label)) in group_by")
        }
        if labels.contains("") { throw place.error("invalid label name \"\" in group_by list") }
        groupBy = labels
    }
}

extension InhibitRuleConfig {
    init(_ reader: MappingReader) throws(ConfigError) {
        _ = try reader.string("name")
        source = try AlertMatchers.read(reader, "source_matchers", "source_match", "source_match_re")
        target = try AlertMatchers.read(reader, "target_matchers", "target_match", "target_match_re")
        equal = try reader.strings("equal") ?? []
        // A null is the empty name, which no alert has.
        for name in reader.node("equal")?.elements ?? [] where name.isText("") && !name.isNull {
            throw reader.place(of: "equal").error("invalid label name \"\" in equal list")
        }
        if reader.node("sources") != nil {
            throw reader.place(of: "sources").error("not supported yet: sources in inhibit_rules")
        }
        reader.finish()
    }
}

extension ReceiverConfig {
    private static let otherKinds = [
        "discord_configs", "email_configs", "incidentio_configs", "jira_configs", "mattermost_configs",
        "msteams_configs", "msteamsv2_configs", "opsgenie_configs", "pagerduty_configs", "pushover_configs",
        "rocketchat_configs", "slack_configs", "sns_configs", "telegram_configs", "victorops_configs", "webex_configs",
        "wechat_configs",
    ]

    init(_ node: YAMLNode, standard: HTTPClientConfig, _ loading: LoadingContext) throws(ConfigError) {
        let reader = try MappingReader(node, "config.Receiver", loading.problems)
        place = node.place
        name = try reader.string("name", "")
        if name.isEmpty { throw node.place.error("missing name in receiver") }
        for webhook in try reader.list("webhook_configs", empty: "empty or null webhook config") {
            webhooks.append(try WebhookConfig(webhook, standard: standard, loading))
        }
        for key in Self.otherKinds where reader.node(key) != nil {
            loading.unsupported(key, at: reader.place(of: key))
            try Self.checkExclusive(reader, key)
        }
        reader.finish()
    }

    /// In every kind of receiver a secret may be given in one way only.
    private static func checkExclusive(_ reader: MappingReader, _ key: String) throws(ConfigError) {
        for node in try reader.list(key) {
            for (name, _) in node.members ?? [] {
                guard let file = name.text, file.hasSuffix("_file") else { continue }
                let inline = String(file.dropLast(5))
                if node[inline] != nil {
                    throw name.place.error("at most one of \(inline) & \(file) must be configured")
                }
            }
        }
    }
}

extension WebhookConfig {
    init(_ node: YAMLNode, standard: HTTPClientConfig, _ loading: LoadingContext) throws(ConfigError) {
        let reader = try MappingReader(node, "config.WebhookConfig", loading.problems)
        url = try reader.string("url", "")
        // As in Alertmanager, the path is relative to the working directory and not to the configuration.
        urlFile = try reader.string("url_file", "")
        sendResolved = try reader.bool("send_resolved", true)
        maxAlerts = try reader.count("max_alerts") ?? 0
        timeout = try reader.goDuration("timeout") ?? 0
        if reader.node("payload") != nil { loading.unsupported("webhook payload", at: reader.place(of: "payload")) }
        client = standard
        if let http = try reader.mapping("http_config", "config.HTTPClientConfig") {
            client = try HTTPClientConfig(http, loading: loading)
            http.finish()
        }
        reader.finish()
        if url.isEmpty, urlFile.isEmpty { throw node.place.error("one of url or url_file must be configured") }
        if !url.isEmpty, !urlFile.isEmpty { throw node.place.error("at most one of url & url_file must be configured") }
        if url.contains("{{") {
            loading.unsupported("templates in webhook url", at: reader.place(of: "url"))
        } else if !url.isEmpty {
            try reader.checkHTTPURL(url, "url")
        }
    }
}
