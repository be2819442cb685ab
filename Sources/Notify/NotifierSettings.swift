import Config
import Model

/// The settings of a notifier: the routing tree, the receivers and their conditions.
package struct NotifierSettings: Sendable {
    package var route: Route
    package var pipeline: NotificationPipeline
    /// The time after an update at which an alert without an end is resolved, ms.
    package var resolveTimeout: Int64
    package var shown = Shown()

    /// The configuration as users see it.
    package struct Shown: Sendable {
        /// All settings as YAML, without secrets.
        package var text = ""
        /// The names of all receivers with their labels, in the order of the file.
        package var receivers: [(name: String, labels: Labels)] = []
    }
    /// A number of the configuration file's content.
    package var configHash = 0.0

    package init(route: Route, pipeline: NotificationPipeline, resolveTimeout: Int64 = 300_000) {
        self.route = route
        self.pipeline = pipeline
        self.resolveTimeout = resolveTimeout
    }

    /// Reads the settings of an Alertmanager configuration.
    ///
    /// - Parameter transport: Makes the transport for a receiver's client settings.
    /// - Throws: ``ConfigError`` with its place for the first unsupported setting, fault of a template or unknown time
    ///   zone; the errors of `transport`.
    package init(
        _ config: AlertmanagerConfig, transport: (HTTPClientConfig) throws -> any NotificationTransport
    ) throws {
        if let missing = config.unsupported.first { throw missing }
        for template in config.checkedTemplates {
            if let fault = NotificationTemplates.check(template.text) {
                throw template.place.error("invalid template syntax: \(fault.message)")
            }
        }
        var receivers: [ExactText: [PlacedIntegration]] = [:]
        // Others are checked and not made, as in Alertmanager.
        let used = config.usedReceivers
        for receiver in config.receivers where used.contains(ExactText(receiver.name)) {
            receivers[ExactText(receiver.name)] = try receiver.integrations(transport)
        }
        var intervals: [ExactText: [TimeInterval]] = [:]
        for named in config.timeIntervals {
            intervals[ExactText(named.name)] = try named.intervals.map {
                TimeInterval(
                    times: $0.times, weekdays: $0.weekdays, daysOfMonth: $0.daysOfMonth, months: $0.months,
                    years: $0.years, zone: try Self.zone($0))
            }
        }
        let rules = config.inhibitRules.map {
            InhibitRule(sourceMatchers: $0.source, targetMatchers: $0.target, equal: $0.equal)
        }
        var pipeline = NotificationPipeline(
            receivers: receivers, inhibitRules: rules, timeIntervals: intervals,
            templates: try NotificationTemplates(patterns: config.templates))
        pipeline.redactor = Redactor(config.secrets)
        self.init(
            route: Route(config.route, parent: Route(receiver: "")),
            pipeline: pipeline,
            resolveTimeout: config.resolveTimeout)
        shown = Shown(text: config.effectiveText, receivers: config.receivers.map { ($0.name, $0.labels) })
        configHash = config.hash
    }

    private static func zone(_ interval: TimeIntervalConfig.Interval) throws(ConfigError) -> TimeZone {
        do throws(TimeZone.Failure) {
            return try TimeZone(named: interval.location)
        } catch {
            throw interval.locationPlace.error("\(error)")
        }
    }
}

extension Route {
    /// The routing tree of a configuration.
    package init(_ config: AlertmanagerConfig) { self = Route(config.route, parent: Route(receiver: "")).numbered() }

    /// A node with its inherited values; time intervals and `continue` are not inherited.
    fileprivate init(_ config: RouteConfig, parent: Route) {
        self.init(
            receiver: config.receiver ?? parent.receiver,
            groupBy: config.groupByAll ? nil : config.groupBy ?? parent.groupBy, matchers: config.matchers,
            continues: config.continues, groupWait: config.groupWait ?? parent.groupWait,
            groupInterval: config.groupInterval ?? parent.groupInterval,
            repeatInterval: config.repeatInterval ?? parent.repeatInterval,
            muteTimeIntervals: config.muteTimeIntervals, activeTimeIntervals: config.activeTimeIntervals)
        routes = config.routes.map { Route($0, parent: self) }
    }
}
