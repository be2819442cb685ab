import Model

/// A file of rule groups.
package struct RuleFile: Sendable {
    package var path: String
    package var groups: [RuleGroupConfig] = []
}

/// Rules that are evaluated one after the other.
package struct RuleGroupConfig: Sendable {
    package var name: String
    package var place: ConfigPlace
    /// Milliseconds; nil for the global interval.
    package var interval: Int64?
    /// Milliseconds; nil for the global offset.
    package var queryOffset: Int64?
    /// Most series or alerts of a rule; 0 for no limit.
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
    package var place: ConfigPlace
    /// Where the expression's value begins.
    package var expressionPlace: ConfigPlace
    /// Milliseconds.
    package var holdDuration: Int64
    /// Milliseconds.
    package var keepFiringFor: Int64
    /// With the group's labels beneath, in order of names.
    package var labels: [Label]
    package var annotations: [Label]
}

/// Reads rule files.
package enum RuleFileLoader {
    package static func load(path: String) throws(ConfigError) -> RuleFile {
        try parse(text: try ConfigFile.read(path), path: path)
    }

    /// Reads the groups and checks all but the expressions and templates, which this room cannot read.
    package static func parse(text: [UInt8], path: String) throws(ConfigError) -> RuleFile {
        var file = RuleFile(path: path)
        guard let root = try YAMLParser.parse(text, file: path) else { return file }
        let unknown = UnknownFields()
        let reader = try MappingReader(root, "rulefmt.RuleGroups", unknown: unknown)
        var names: Set<String> = []
        for node in try reader.list("groups", empty: "empty or null rule group") {
            let group = try RuleGroupConfig(node, unknown)
            if !names.insert(group.name).inserted {
                throw node.place.error("groupname: \(GoQuote.quote(group.name)) is repeated in the same file")
            }
            file.groups.append(group)
        }
        try reader.finish()
        try unknown.check()
        return file
    }
}

extension RuleGroupConfig {
    init(_ node: YAMLNode, _ unknown: UnknownFields) throws(ConfigError) {
        let reader = try MappingReader(node, "rulefmt.RuleGroup", unknown: unknown)
        place = node.place
        name = try reader.string("name", "")
        let interval = try reader.duration("interval")
        self.interval = interval == 0 ? nil : interval
        queryOffset = try reader.duration("query_offset")
        limit = max(0, try reader.integer("limit") ?? 0)
        labels = try RuleConfig.labels(reader, "labels", context: "group \(GoQuote.quote(name))")
        rules = []
        for (index, node) in try reader.list("rules").enumerated() {
            rules.append(try RuleConfig(node, group: name, number: index + 1, groupLabels: labels, unknown))
        }
        try reader.finish()
        if name.isEmpty { throw node.place.error("Groupname must not be empty") }
    }
}

extension RuleConfig {
    init(
        _ node: YAMLNode, group: String, number: Int, groupLabels: [Label], _ unknown: UnknownFields
    ) throws(ConfigError) {
        let reader = try MappingReader(node, "rulefmt.Rule", unknown: unknown)
        let record = try reader.string("record", "")
        let alert = try reader.string("alert", "")
        expression = try reader.string("expr", "")
        name = record.isEmpty ? alert : record
        kind = record.isEmpty ? .alerting : .recording
        place = node.place
        expressionPlace = node["expr"]?.place ?? node.place
        let context = "group \(GoQuote.quote(group)), rule \(number), \(GoQuote.quote(name))"
        func failure(_ key: String, _ message: String) -> ConfigError {
            reader.place(of: key).error("\(context): \(message)")
        }
        if !record.isEmpty, !alert.isEmpty { throw failure("alert", "only one of 'record' and 'alert' must be set") }
        if name.isEmpty { throw failure("record", "one of 'record' or 'alert' must be set") }
        if expression.isEmpty { throw failure("expr", "field 'expr' must be set in rule") }
        holdDuration = try reader.duration("for", 0)
        keepFiringFor = try reader.duration("keep_firing_for", 0)
        annotations = try Self.labels(reader, "annotations", context: context)
        if kind == .recording {
            for key in ["annotations", "for", "keep_firing_for"]
            where reader.has(key) && reader.node(key)?.isNull == false {
                let isZero =
                    key == "for"
                    ? holdDuration == 0 : key == "keep_firing_for" ? keepFiringFor == 0 : annotations.isEmpty
                if !isZero { throw failure(key, "invalid field '\(key)' in recording rule") }
            }
            if record.contains("{") || record.contains("}") {
                throw failure("record", "braces present in the recording rule name; should it be in expr?: \(record)")
            }
        }
        var builder = LabelsBuilder()
        for label in groupLabels { builder.set(label.name, label.value) }
        let own = try Self.labels(reader, "labels", context: context)
        // An empty value of a rule's label removes the label from the result, so it is kept here.
        labels = builder.current.filter { base in !own.contains { $0.name.isExactly(base.name) } } + own
        labels.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        try reader.finish()
    }

    static func labels(_ reader: MappingReader, _ key: String, context: String) throws(ConfigError) -> [Label] {
        var result: [Label] = []
        for (name, value) in try reader.stringMap(key) ?? [] {
            let what = key == "annotations" ? "annotation" : "label"
            if name.isEmpty || (key != "annotations" && name == Labels.nameLabel) {
                throw reader.place(of: key).error("\(context): invalid \(what) name: \(name)")
            }
            result.append(Label(name: name, value: value))
        }
        return result.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }
}
