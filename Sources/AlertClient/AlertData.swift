import GoCompatibility
import JSON
import Model

/// The reason why JSON is not an alert or a silence, with the key.
package struct AlertDataError: Error, CustomStringConvertible {
    package var description: String

    init(_ key: String, _ reason: String) { description = "\(key): \(reason)" }
}

/// Times of requests and answers: RFC 3339 with any offset.
package enum AlertTime {
    /// The layout of the times that are read.
    package static let layout = "2006-01-02T15:04:05Z07:00"

    package static func parse(_ text: String) -> GoTime? { GoTime.parse(text, layout: layout) }

    /// The time with three digits of the second's fraction, in its zone.
    package static func text(_ time: GoTime) -> String { time.format("2006-01-02T15:04:05.000Z07:00") }
}

extension JSONValue {
    fileprivate func requiredText(_ key: String) throws(AlertDataError) -> String {
        guard let text = self[key]?.string else { throw AlertDataError(key, "must be a string") }
        return text
    }

    fileprivate func time(_ key: String) throws(AlertDataError) -> GoTime {
        let text = try requiredText(key)
        guard let time = AlertTime.parse(text) else {
            throw AlertDataError(key, "parsing time \(GoQuote.quote(text)) as \(GoQuote.quote(AlertTime.layout))")
        }
        return time
    }

    fileprivate func pairs(_ key: String) throws(AlertDataError) -> [(name: String, value: String)] {
        guard let value = self[key], !value.isNull else { return [] }
        guard let members = value.object else { throw AlertDataError(key, "must be an object") }
        var pairs: [(name: String, value: String)] = []
        for member in members {
            guard let text = member.value.string else {
                throw AlertDataError("\(key).\(member.key)", "must be a string")
            }
            pairs.append((member.key, text))
        }
        return pairs
    }

    fileprivate var checkedObject: JSONValue {
        get throws(AlertDataError) {
            guard case .object = self else { throw AlertDataError("value", "must be an object, is \(kind)") }
            return self
        }
    }
}

/// An alert as a server shows it.
package struct RemoteAlert: Sendable {
    /// As it was received.
    package var json: JSONValue
    package var labels: [(name: String, value: String)]
    package var annotations: [(name: String, value: String)]
    package var startsAt: GoTime
    package var endsAt: GoTime
    package var generatorURL: String
    package var state: String

    package init(_ value: JSONValue) throws(AlertDataError) {
        json = try value.checkedObject
        labels = try json.pairs("labels")
        annotations = try json.pairs("annotations")
        startsAt = try json.time("startsAt")
        endsAt = try json.time("endsAt")
        generatorURL = json["generatorURL"]?.string ?? ""
        guard let status = json["status"] else { throw AlertDataError("status", "must be an object") }
        state = try status.requiredText("state")
    }
}

/// An alert to add.
package struct NewAlert: Sendable {
    package var labels: [(name: String, value: String)]
    package var annotations: [(name: String, value: String)] = []
    package var startsAt: GoTime?
    package var endsAt: GoTime?
    package var generatorURL = ""

    package init(labels: [(name: String, value: String)]) { self.labels = labels }

    var json: JSONValue {
        func map(_ pairs: [(name: String, value: String)]) -> JSONValue {
            .object(pairs.map { ($0.name, .string($0.value)) })
        }
        var members: [(key: String, value: JSONValue)] = [("labels", map(labels)), ("annotations", map(annotations))]
        if let startsAt { members.append(("startsAt", .string(AlertTime.text(startsAt)))) }
        if let endsAt { members.append(("endsAt", .string(AlertTime.text(endsAt)))) }
        if !generatorURL.isEmpty { members.append(("generatorURL", .string(generatorURL))) }
        return .object(members)
    }
}

/// A silence as a server shows it.
package struct RemoteSilence: Sendable {
    /// A matcher, whose regular expression need not be one of ours.
    package struct Matcher: Sendable {
        package var name: String
        package var sign: String
        package var value: String
    }

    /// As it was received, with the changes that were made.
    package private(set) var json: JSONValue
    package private(set) var id: String
    package private(set) var matchers: [Matcher]
    package private(set) var startsAt: GoTime
    package private(set) var endsAt: GoTime
    package private(set) var updatedAt: GoTime
    package private(set) var createdBy: String
    package private(set) var comment: String

    package init(_ value: JSONValue) throws(AlertDataError) {
        json = try value.checkedObject
        id = try json.requiredText("id")
        matchers = try Self.matchers(json)
        startsAt = try json.time("startsAt")
        endsAt = try json.time("endsAt")
        updatedAt = try json.time("updatedAt")
        createdBy = try json.requiredText("createdBy")
        comment = try json.requiredText("comment")
    }

    private static func matchers(_ json: JSONValue) throws(AlertDataError) -> [Matcher] {
        guard let list = json["matchers"]?.array else { throw AlertDataError("matchers", "must be a list") }
        var matchers: [Matcher] = []
        for (index, value) in list.enumerated() {
            guard let name = value["name"]?.string, let text = value["value"]?.string,
                let isRegex = value["isRegex"]?.bool
            else { throw AlertDataError("matchers.\(index)", "must have name, value and isRegex") }
            let sign =
                switch (value["isEqual"]?.bool ?? true, isRegex) {
                case (true, false): "="
                case (true, true): "=~"
                case (false, false): "!="
                case (false, true): "!~"
                }
            matchers.append(Matcher(name: name, sign: sign, value: text))
        }
        return matchers
    }

    private mutating func set(_ key: String, _ text: String) {
        guard case .object(var members) = json else { return }
        if let index = members.lastIndex(where: { $0.key.isExactly(key) }) {
            members[index].value = .string(text)
        } else {
            members.append((key, .string(text)))
        }
        json = .object(members)
    }

    package mutating func setID(_ id: String) {
        self.id = id
        set("id", id)
    }

    package mutating func setComment(_ comment: String) {
        self.comment = comment
        set("comment", comment)
    }

    package mutating func setTimes(_ startsAt: GoTime, _ endsAt: GoTime) {
        (self.startsAt, self.endsAt) = (startsAt, endsAt)
        set("startsAt", AlertTime.text(startsAt))
        set("endsAt", AlertTime.text(endsAt))
    }
}

/// A silence to add or to change.
package struct PostedSilence: Sendable {
    /// The members that a request may have.
    private static let members = [
        "id", "comment", "createdBy", "endsAt", "matchers", "startsAt", "annotations",
    ]

    private(set) var json: JSONValue

    /// A new silence.
    package init(
        matchers: [Matcher], startsAt: GoTime, endsAt: GoTime, createdBy: String, comment: String,
        annotations: [(name: String, value: String)] = []
    ) {
        var members: [(key: String, value: JSONValue)] = [
            ("comment", .string(comment)), ("createdBy", .string(createdBy)),
            ("endsAt", .string(AlertTime.text(endsAt))),
            (
                "matchers",
                .array(
                    matchers.map { matcher in
                        .object([
                            ("isEqual", .bool(matcher.kind == .equal || matcher.kind == .regex)),
                            ("isRegex", .bool(matcher.kind == .regex || matcher.kind == .notRegex)),
                            ("name", .string(matcher.name)), ("value", .string(matcher.value)),
                        ])
                    })
            ), ("startsAt", .string(AlertTime.text(startsAt))),
        ]
        if !annotations.isEmpty {
            members.append(("annotations", .object(annotations.map { ($0.name, .string($0.value)) })))
        }
        json = .object(members)
    }

    /// The silence of a server with its changes.
    package init(_ silence: RemoteSilence) { json = Self.kept(silence.json) }

    /// A silence of a file; its members are checked by the server, but for their types.
    package init(imported value: JSONValue) throws(AlertDataError) {
        json = Self.kept(try value.checkedObject)
        for key in ["id", "comment", "createdBy"] where json[key] != nil { _ = try json.requiredText(key) }
        for key in ["startsAt", "endsAt"] where json[key] != nil { _ = try json.time(key) }
        if let matchers = json["matchers"], matchers.array == nil { throw AlertDataError("matchers", "must be a list") }
        _ = try json.pairs("annotations")
    }

    private static func kept(_ value: JSONValue) -> JSONValue {
        .object((value.object ?? []).filter { member in members.contains { $0.isExactly(member.key) } })
    }

    /// The id; empty for a new silence.
    package var id: String { json["id"]?.string ?? "" }

    /// The same as a new silence.
    package var withoutID: PostedSilence {
        var copy = self
        copy.json = .object((json.object ?? []).filter { !$0.key.isExactly("id") })
        return copy
    }
}
