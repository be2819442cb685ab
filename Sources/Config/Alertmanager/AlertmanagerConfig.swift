import GoCompatibility
import Model

/// Alertmanager's configuration file.
package struct AlertmanagerConfig: Sendable {
    package var globals = AlertmanagerGlobals()
    package var route: RouteConfig
    package var receivers: [ReceiverConfig] = []
    package var inhibitRules: [InhibitRuleConfig] = []
    /// Those of both keys.
    package var timeIntervals: [TimeIntervalConfig] = []
    package var templates: [String] = []
    package var tracing: TracingConfig?
    /// The templates of the file whose syntax Alertmanager checks with it: others fail when they are used.
    package var checkedTemplates: [TemplateText] = []
    /// The first 48 bits of the MD5 of the file's content.
    package var hash = 0.0
    /// The secrets that are in the file itself; those in other files are read when they are used.
    package var secrets: [String] = []
    /// The settings of the file that martlet does not support yet, with places.
    package var unsupported: [ConfigError] = []

    /// The milliseconds after which an alert without an end counts as resolved.
    package var resolveTimeout: Int64 { globals.resolveTimeout }

    /// The names of the receivers that a route names; others are checked and have no effect.
    package var usedReceivers: Set<ExactText> {
        var names: Set<ExactText> = []
        var routes = [route]
        while let next = routes.popLast() {
            if let receiver = next.receiver { names.insert(ExactText(receiver)) }
            routes += next.routes
        }
        return names
    }
}

/// A named set of times of the week, month and year.
package struct TimeIntervalConfig: Sendable {
    package var name: String
    package var place: ConfigPlace
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
    package static func load(
        path: String, matchers mode: AlertMatchers.Mode = .fallback
    ) throws(ConfigError) -> AlertmanagerConfig {
        try parse(text: try ConfigFile.read(path), path: path, matchers: mode)
    }

    package static func parse(
        text: [UInt8], path: String, matchers mode: AlertMatchers.Mode = .fallback
    ) throws(ConfigError) -> AlertmanagerConfig {
        let loading = LoadingContext(file: path, environment: { _ in nil })
        loading.matcherMode = mode
        guard let root = try YAMLParser.parse(text, file: path) else {
            throw ConfigError(file: path, line: 1, column: 1, message: "no route provided in config")
        }
        let reader = try MappingReader(root, "config.plain", loading.problems)
        guard let routeNode = reader.node("route"), !routeNode.isNull else {
            throw root.place.error("no route provided in config")
        }
        var config = AlertmanagerConfig(route: try RouteConfig(routeNode, isRoot: true, loading))
        try config.read(reader, loading)
        reader.finish()
        try loading.problems.check()
        try config.check()
        config.checkedTemplates = loading.checkedTemplates
        config.hash = MD5.hash(text).prefix(6).reduce(0) { $0 * 256 + Double($1) }
        config.secrets = ConfiguredSecrets.texts(in: root)
        let used = config.usedReceivers
        let missing = config.receivers.filter { used.contains(ExactText($0.name)) }.flatMap(\.unsupported)
        config.unsupported = (loading.missing + missing).sorted { ($0.line, $0.column) < ($1.line, $1.column) }
        return config
    }
}

extension AlertmanagerConfig {
    fileprivate mutating func read(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        let problems = loading.problems
        if let global = try reader.mapping("global", "config.plain") {
            globals = try AlertmanagerGlobals(global, loading)
        }
        for pattern in try reader.strings("templates") ?? [] where !GoGlob.isWellFormed(pattern) {
            throw reader.place(of: "templates").error(
                "templates \(GoQuote.quote(pattern)): \(FileGlob.syntaxError)")
        }
        templates = (try reader.strings("templates") ?? []).map(loading.resolve)
        let context = ReceiverContext(globals: globals, loading: loading)
        // A null is a receiver without a name, which no route can use.
        for node in try reader.list("receivers") where !node.isNull {
            let receiver = problems.collect { () throws(ConfigError) in try ReceiverConfig(node, context) }
            if let receiver { receivers.append(receiver) }
        }
        for node in try reader.list("inhibit_rules") {
            inhibitRules.append(try InhibitRuleConfig(try reader.child(node, "config.plain"), loading))
        }
        let old = try reader.list("mute_time_intervals")
        try readIntervals(old, "mute time interval", problems)
        try readIntervals(try reader.list("time_intervals"), "time interval", problems)
        if let section = try reader.mapping("tracing", "tracing.TracingConfig") {
            loading.unsupported(.tracing, at: reader.place(of: "tracing"))
            tracing = try TracingConfig(section, loading)
        }
        if let section = try reader.mapping("event_recorder", "config.EventRecorderConfig") {
            try EventRecorderConfig.check(section, loading)
        }
    }

    /// Reads the intervals of one key; names are unique over both keys.
    private mutating func readIntervals(
        _ nodes: [YAMLNode], _ kind: String, _ problems: ConfigProblems
    ) throws(ConfigError) {
        for node in nodes {
            let interval = problems.collect { () throws(ConfigError) in try TimeIntervalConfig(node, problems) }
            guard let interval else { continue }
            if timeIntervals.contains(where: { $0.name.isExactly(interval.name) }) {
                problems.add(interval.place.error("\(kind) \(GoQuote.quote(interval.name)) is not unique"))
            }
            timeIntervals.append(interval)
        }
    }

    /// Checks that used names exist, and that names are unique.
    fileprivate func check() throws(ConfigError) {
        var names: Set<ExactText> = []
        for receiver in receivers where !names.insert(ExactText(receiver.name)).inserted {
            throw receiver.place.error("notification config name \(GoQuote.quote(receiver.name)) is not unique")
        }
        try route.checkReceivers(names)
        try route.checkIntervals(Set(timeIntervals.map { ExactText($0.name) }))
    }
}

extension RouteConfig {
    fileprivate func checkReceivers(_ names: Set<ExactText>) throws(ConfigError) {
        for child in routes { try child.checkReceivers(names) }
        if let receiver, !names.contains(ExactText(receiver)) {
            throw place.error("undefined receiver \(GoQuote.quote(receiver)) used in route")
        }
    }

    fileprivate func checkIntervals(_ names: Set<ExactText>) throws(ConfigError) {
        for child in routes { try child.checkIntervals(names) }
        for name in activeTimeIntervals + muteTimeIntervals where !names.contains(ExactText(name)) {
            throw place.error("undefined time interval \(GoQuote.quote(name)) used in route")
        }
    }
}
