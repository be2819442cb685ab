import GoCompatibility
import Model

/// Matchers of routes and inhibition rules, in the new notation and the two old ones.
package enum AlertMatchers {
    /// The notation of matchers that is read, and the names that labels may have.
    package enum Mode: Sendable {
        /// Both notations; of two different results the classic one is used.
        case fallback
        /// Only the notation with UTF-8 names.
        case utf8Strict
        /// Only the notation before UTF-8 names.
        case classic

        /// Whether a text may be the name of a label.
        package func isName(_ name: String) -> Bool { self == .classic ? LabelName.isLegacy(name) : !name.isEmpty }
    }

    static func read(
        _ reader: MappingReader, _ key: String, _ equalKey: String, _ regexKey: String, _ mode: Mode
    ) throws(ConfigError) -> [Matcher] {
        var result: [Matcher] = []
        for (name, value) in try reader.stringMap(equalKey) ?? [] {
            try checkName(name, reader.place(of: equalKey))
            result.append(Matcher(name: name, equals: value))
        }
        let members = reader.node(regexKey)?.members ?? []
        for (index, (name, value)) in (try reader.stringMap(regexKey) ?? []).enumerated() {
            let place = reader.place(of: regexKey)
            try checkName(name, place)
            if members.indices.contains(index), members[index].value.isNull {
                throw place.error("invalid regexp value for \(GoQuote.quote(name))")
            }
            do throws(AnchoredRegex.SyntaxError) {
                _ = try AnchoredRegex(value)
                // Group keys show the anchors.
                result.append(try Matcher(name, .regex, "^(?:\(value))$", dot: .noLineFeed))
            } catch {
                throw place.error("\(error)")
            }
        }
        for node in try reader.list(key) {
            guard let text = node.text else { throw node.place.error("cannot unmarshal \(node.kind) into a matcher") }
            result += try parse(node.isNull ? "" : text, node.place, mode)
        }
        return result.sorted { $0.isBefore($1) }
    }

    /// The old notations accept only legacy names.
    private static func checkName(_ name: String, _ place: ConfigPlace) throws(ConfigError) {
        guard LabelName.isLegacy(name) else { throw place.error("invalid label name \(GoQuote.quote(name))") }
    }

    /// Reads `name=value`, `name="value"`, several with commas, with or without braces around them.
    ///
    /// The text is read by the classic grammar and by the one with UTF-8 names. If the results differ, the classic one
    /// is used, as in Alertmanager.
    package static func parse(
        _ text: String, _ place: ConfigPlace, _ mode: Mode = .fallback
    ) throws(ConfigError) -> [Matcher] {
        do throws(MatcherMistake) {
            if mode == .utf8Strict { return try UTF8Matchers.parse(text) }
            return try ClassicMatchers.parse(text)
        } catch {
            if mode == .fallback, let matchers = try? UTF8Matchers.parse(text) { return matchers }
            throw place.error(error.reason)
        }
    }
}

extension Matcher {
    /// The matcher as Alertmanager writes it in group keys and in its configuration.
    ///
    /// Name and value have Go's quotes if the name has a special character.
    package var alertmanagerText: String {
        AlertMatchers.text(name, kind.rawValue, value)
    }
}
