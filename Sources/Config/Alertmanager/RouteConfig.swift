import GoCompatibility
import Model

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
    /// The labels that this route adds to those of its parent.
    package var labels: [TemplatePair] = []
    package var routes: [RouteConfig] = []
}

extension RouteConfig {
    static let maxDepth = 50

    init(_ node: YAMLNode, isRoot: Bool, _ loading: LoadingContext, depth: Int = 0) throws(ConfigError) {
        let problems = loading.problems
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
        matchers = try AlertMatchers.read(reader, "matchers", "match", "match_re", loading.matcherMode)
        try readGroupBy(reader, loading)
        try readLabels(reader, loading)
        for child in try reader.list("routes", empty: "empty or null route") {
            routes.append(try RouteConfig(child, isRoot: false, loading, depth: depth + 1))
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

    private mutating func readGroupBy(
        _ reader: MappingReader, _ loading: LoadingContext
    ) throws(ConfigError) {
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
        for label in labels where !loading.matcherMode.isName(label) {
            throw place.error("invalid label name \(GoQuote.quote(label)) in group_by list")
        }
        groupBy = labels
    }

    private mutating func readLabels(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        labels = try reader.templateMap("labels")
        for label in labels where !loading.matcherMode.isName(label.name) {
            throw label.value.place.error("invalid label name \(GoQuote.quote(label.name)) in route labels")
        }
        if !labels.isEmpty { loading.unsupported(.routeLabels, at: reader.place(of: "labels")) }
    }
}
