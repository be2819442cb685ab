import GoCompatibility
import Model

/// A file of rule groups.
package struct RuleFile: Sendable {
    package var path: String
    package var groups: [RuleGroupConfig] = []
}

/// A group of rules, which are evaluated one after the other.
package struct RuleGroupConfig: Sendable {
    package var name: String
    package var place: ConfigPlace
    /// Milliseconds; nil for the global interval.
    package var interval: Int64?
    /// Milliseconds; nil for the global offset.
    package var queryOffset: Int64?
    /// The most series or alerts of a rule; 0 for no limit.
    package var limit: Int
    package var labels: [Label]
    package var rules: [RuleConfig]
}

/// One rule.
package struct RuleConfig: Sendable {
    package enum Kind: Sendable, Hashable {
        case recording
        case alerting
    }

    package var kind: Kind
    /// The name of the record or the alert.
    package var name: String
    package var expression: String
    /// The number of the rule in its group, from 1.
    package var number: Int
    package var place: ConfigPlace
    /// The place where the expression's value begins.
    package var expressionPlace: ConfigPlace
    /// Milliseconds.
    package var holdDuration: Int64
    /// Milliseconds.
    package var keepFiringFor: Int64
    package var onMissing: OnMissing
    /// The labels in order of names; the group's are overridden.
    package var labels: [Label]
    package var annotations: [Label]
}

/// The meaning of `on_missing`: what becomes of an alert whose series are missing.
package enum OnMissing: String, Sendable, CaseIterable {
    /// The alert ends, as in Prometheus.
    case resolve
    /// A firing alert stays.
    case keep
    /// A firing alert stays, and one that does not fire yet will.
    case fire
}

/// Reads rule files.
package enum RuleFileLoader {
    /// - Parameter readsOwnKeys: Whether there are martlet's own keys, which Prometheus refuses.
    package static func load(
        path: String, ignoresUnknownKeys: Bool = false, readsOwnKeys: Bool = false
    ) throws(ConfigError) -> RuleFile {
        let problems = ConfigProblems(ignoresUnknownKeys: ignoresUnknownKeys)
        let file = try parse(text: try ConfigFile.read(path), path: path, readsOwnKeys: readsOwnKeys, problems)
        try problems.check()
        return file
    }

    /// Reads the groups, and checks everything except expressions and templates, which this module cannot parse.
    package static func parse(
        text: [UInt8], path: String, readsOwnKeys: Bool = false
    ) throws(ConfigError) -> RuleFile {
        let problems = ConfigProblems()
        let file = try parse(text: text, path: path, readsOwnKeys: readsOwnKeys, problems)
        try problems.check()
        return file
    }

    /// Reads all valid parts.
    ///
    /// Rules and groups with errors are left out, and the errors are added to `problems`.
    ///
    /// - Throws: The error after which nothing can be read.
    package static func parse(
        text: [UInt8], path: String, readsOwnKeys: Bool = false, _ problems: ConfigProblems
    ) throws(ConfigError) -> RuleFile {
        var file = RuleFile(path: path)
        guard let root = try YAMLParser.parse(text, file: path) else { return file }
        let reader = try MappingReader(root, "rulefmt.RuleGroups", problems)
        var names: Set<ExactText> = []
        // Prometheus passes over null in lists of groups and rules.
        for node in try reader.list("groups") where !node.isNull {
            let group = problems.collect { () throws(ConfigError) in
                try RuleGroupConfig(node, readsOwnKeys: readsOwnKeys, problems)
            }
            guard let group else { continue }
            if !names.insert(ExactText(group.name)).inserted {
                problems.add(
                    node.place.error("groupname: \(GoQuote.quote(group.name)) is repeated in the same file"))
            }
            file.groups.append(group)
        }
        reader.finish()
        return file
    }
}

extension RuleGroupConfig {
    fileprivate init(_ node: YAMLNode, readsOwnKeys: Bool, _ problems: ConfigProblems) throws(ConfigError) {
        let reader = try MappingReader(node, "rulefmt.RuleGroup", problems)
        place = node.place
        name = try reader.string("name", "")
        let interval = try reader.duration("interval")
        self.interval = interval == 0 ? nil : interval
        queryOffset = try reader.duration("query_offset")
        limit = max(0, try reader.integer("limit") ?? 0)
        let labels = RuleConfig.labels(
            try reader.stringMap("labels"), "label", reader.place(of: "labels"), "group \(GoQuote.quote(name))",
            problems)
        self.labels = labels
        rules = []
        let name = name
        for (index, node) in try reader.list("rules").filter({ !$0.isNull }).enumerated() {
            let rule = problems.collect { () throws(ConfigError) in
                try RuleConfig(
                    node, group: name, number: index + 1, groupLabels: labels, readsOwnKeys: readsOwnKeys, problems)
            }
            if let rule { rules.append(rule) }
        }
        reader.finish()
        if name.isEmpty { problems.add(node.place.error("Groupname must not be empty")) }
    }
}

extension RuleConfig {
    fileprivate init(
        _ node: YAMLNode, group: String, number: Int, groupLabels: [Label], readsOwnKeys: Bool,
        _ problems: ConfigProblems
    ) throws(ConfigError) {
        let reader = try MappingReader(node, "rulefmt.Rule", problems)
        let record = try reader.string("record", "")
        let alert = try reader.string("alert", "")
        expression = try reader.string("expr", "")
        name = record.isEmpty ? alert : record
        kind = record.isEmpty ? .alerting : .recording
        self.number = number
        place = node.place
        expressionPlace = node["expr"]?.place ?? node.place
        holdDuration = try reader.duration("for", 0)
        keepFiringFor = try reader.duration("keep_firing_for", 0)
        let missing = readsOwnKeys ? try reader.string("on_missing", "") : ""
        onMissing = OnMissing(rawValue: missing) ?? .resolve
        let context = "group \(GoQuote.quote(group)), rule \(number), \(GoQuote.quote(name))"
        annotations = Self.labels(
            try reader.stringMap("annotations"), "annotation", reader.place(of: "annotations"), context, problems)
        let own = Self.labels(
            try reader.stringMap("labels"), "label", reader.place(of: "labels"), context, problems)
        var builder = LabelsBuilder()
        for label in groupLabels { builder.set(label.name, label.value) }
        // An empty value of a rule's label removes the label from the result, so it is kept here.
        labels = builder.current.filter { base in !own.contains { $0.name.isExactly(base.name) } } + own
        labels.sort { $0.name.isExactlyBefore($1.name) }
        reader.finish()
        func note(_ key: String, _ message: String) {
            problems.add(reader.place(of: key).error("\(context): \(message)"))
        }
        if !record.isEmpty, !alert.isEmpty { note("alert", "only one of 'record' and 'alert' must be set") }
        if name.isEmpty { note("record", "one of 'record' or 'alert' must be set") }
        if expression.isEmpty { note("expr", "field 'expr' must be set in rule") }
        if !missing.isEmpty, OnMissing(rawValue: missing) == nil {
            note("on_missing", "invalid value \(GoQuote.quote(missing)) of on_missing: expected resolve, keep or fire")
        }
        guard kind == .recording else { return }
        if !missing.isEmpty { note("on_missing", "invalid field 'on_missing' in recording rule") }
        if holdDuration != 0 { note("for", "invalid field 'for' in recording rule") }
        if keepFiringFor != 0 { note("keep_firing_for", "invalid field 'keep_firing_for' in recording rule") }
        if !annotations.isEmpty { note("annotations", "invalid field 'annotations' in recording rule") }
        if record.contains("{") || record.contains("}") {
            note("record", "braces present in the recording rule name; should it be in expr?: \(record)")
        }
    }

    /// Labels or annotations in order of names.
    fileprivate static func labels(
        _ map: [(key: String, value: String)]?, _ what: String, _ place: ConfigPlace, _ context: String,
        _ problems: ConfigProblems
    ) -> [Label] {
        for (name, _) in map ?? [] where name.isEmpty || (what == "label" && name == Labels.nameLabel) {
            problems.add(place.error("\(context): invalid \(what) name: \(name)"))
        }
        return (map ?? []).map { Label(name: $0.key, value: $0.value) }
            .sorted { $0.name.isExactlyBefore($1.name) }
    }
}
