import GoCompatibility
import Model

/// A rule that mutes alerts while others fire.
package struct InhibitRuleConfig: Sendable {
    /// For people; empty for none.
    package var name: String
    package var source: [Matcher]
    package var target: [Matcher]
    package var equal: [String]
}

extension InhibitRuleConfig {
    init(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        let mode = loading.matcherMode
        name = try reader.string("name", "")
        source = try AlertMatchers.read(reader, "source_matchers", "source_match", "source_match_re", mode)
        target = try AlertMatchers.read(reader, "target_matchers", "target_match", "target_match_re", mode)
        equal = try reader.strings("equal") ?? []
        for (name, node) in zip(equal, reader.node("equal")?.elements ?? []) where !mode.isName(name) {
            // A null is the empty name, which no alert has.
            if node.isNull { continue }
            throw reader.place(of: "equal").error("invalid label name \(GoQuote.quote(name)) in equal list")
        }
        reader.finish()
    }
}
