import CYAML
import GoCompatibility
import Model

/// Reads a YAML document into nodes with libyaml's events.
///
/// Aliases are expanded up to a limit of nodes, so that a small file cannot use much memory; the depth is limited, too.
package enum YAMLParser {
    static let maxDepth = 100
    static let maxNodes = 1_000_000

    /// Reads the first document of `text`; nil if there is none.
    package static func parse(_ text: [UInt8], file: String) throws(ConfigError) -> YAMLNode? {
        var parser = yaml_parser_t()
        guard yaml_parser_initialize(&parser) != 0 else { throw ConfigError(file: file, message: "out of memory") }
        defer { yaml_parser_delete(&parser) }
        // An empty buffer has no address, which libyaml does not accept; UTF-16 must have an even number of bytes.
        let isUTF16 = text.starts(with: [0xFF, 0xFE]) || text.starts(with: [0xFE, 0xFF])
        let bytes = isUTF16 ? text : text + [0x0A]
        return try bytes.withUnsafeBufferPointer { buffer throws(ConfigError) in
            yaml_parser_set_input_string(&parser, buffer.baseAddress, buffer.count)
            var reader = EventReader(file: file)
            return try reader.document(&parser)
        }
    }
}

/// Builds nodes from events.
private struct EventReader {
    let file: String
    var anchors: [ExactText: YAMLNode] = [:]
    var nodes = 0

    private enum Event {
        case scalar(String, isPlain: Bool, anchor: String?)
        case sequenceStart(anchor: String?)
        case sequenceEnd
        case mappingStart(anchor: String?)
        case mappingEnd
        case alias(String)
        case documentStart
        case documentEnd
        case streamEnd
        case other
    }

    private func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        pointer.map { String(cString: $0) }
    }

    private mutating func next(_ parser: inout yaml_parser_t) throws(ConfigError) -> (Event, ConfigPlace) {
        var event = yaml_event_t()
        guard yaml_parser_parse(&parser, &event) != 0 else {
            let context = parser.context.map { String(cString: $0) } ?? ""
            // An unclosed element is detected at the end, but must be corrected where it begins.
            let isOpen = context.hasPrefix("while scanning a quoted scalar")
            let mark = isOpen ? parser.context_mark : parser.problem_mark
            let problem = parser.problem.map { String(cString: $0) } ?? "not valid YAML"
            throw ConfigError(
                file: file, line: Int(mark.line) + 1, column: Int(mark.column) + 1, message: "yaml: \(problem)")
        }
        defer { yaml_event_delete(&event) }
        let place = ConfigPlace(
            file: file, line: Int(event.start_mark.line) + 1, column: Int(event.start_mark.column) + 1)
        switch event.type {
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            var value = String(
                decoding: UnsafeBufferPointer(start: scalar.value, count: Int(scalar.length)), as: UTF8.self)
            var isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE
            if let tag = text(scalar.tag) {
                if YAMLScalar.short(tag) == "!!binary" { value = try Self.decoded(value, place) }
                isPlain = try Self.isPlain(value, tag: tag, place)
            }
            return (.scalar(value, isPlain: isPlain, anchor: text(scalar.anchor)), place)
        case YAML_SEQUENCE_START_EVENT: return (.sequenceStart(anchor: text(event.data.sequence_start.anchor)), place)
        case YAML_SEQUENCE_END_EVENT: return (.sequenceEnd, place)
        case YAML_MAPPING_START_EVENT: return (.mappingStart(anchor: text(event.data.mapping_start.anchor)), place)
        case YAML_MAPPING_END_EVENT: return (.mappingEnd, place)
        case YAML_ALIAS_EVENT: return (.alias(text(event.data.alias.anchor) ?? ""), place)
        case YAML_DOCUMENT_START_EVENT: return (.documentStart, place)
        case YAML_DOCUMENT_END_EVENT: return (.documentEnd, place)
        case YAML_STREAM_END_EVENT: return (.streamEnd, place)
        default: return (.other, place)
        }
    }

    /// Whether a scalar with a tag is read as a plain one; messages do not show it, because it may be a secret.
    private static func isPlain(_ text: String, tag: String, _ place: ConfigPlace) throws(ConfigError) -> Bool {
        let short = YAMLScalar.short(tag)
        if let isPlain = YAMLScalar.isPlain(text, tag: tag) { return isPlain }
        let found = YAMLScalar(text, isPlain: true).tag
        throw place.error("yaml: cannot decode \(found) as a \(short)")
    }

    /// The text that a `!!binary` scalar stands for.
    private static func decoded(_ text: String, _ place: ConfigPlace) throws(ConfigError) -> String {
        guard let bytes = GoBase64.decode(text.utf8) else {
            throw place.error("yaml: !!binary value contains invalid base64 data")
        }
        guard let value = String(validating: bytes, as: UTF8.self) else {
            throw place.error("a !!binary value is no valid UTF-8 text")
        }
        return value
    }

    mutating func document(_ parser: inout yaml_parser_t) throws(ConfigError) -> YAMLNode? {
        while true {
            switch try next(&parser) {
            case (.documentStart, _):
                let (event, place) = try next(&parser)
                return try node(event, place, &parser, depth: 0, isSecret: false)
            case (.streamEnd, _): return nil
            default: continue
            }
        }
    }

    private mutating func count(_ more: Int, _ place: ConfigPlace) throws(ConfigError) {
        nodes += more
        if nodes > YAMLParser.maxNodes { throw place.error("yaml: document has too many nodes, with its aliases") }
    }

    private static func size(_ node: YAMLNode) -> Int {
        switch node.content {
        case .scalar: 1
        case .sequence(let elements): elements.reduce(1) { $0 + size($1) }
        case .mapping(let members): members.reduce(1) { $0 + size($1.key) + size($1.value) }
        }
    }

    private mutating func node(
        _ event: Event, _ place: ConfigPlace, _ parser: inout yaml_parser_t, depth: Int, isSecret: Bool
    ) throws(ConfigError) -> YAMLNode {
        guard depth < YAMLParser.maxDepth else {
            throw place.error("yaml: nested more than \(YAMLParser.maxDepth) levels")
        }
        try count(1, place)
        switch event {
        case .scalar(let text, let isPlain, let anchor):
            let node = YAMLNode(.scalar(text, isPlain: isPlain), place)
            if let anchor { anchors[ExactText(anchor)] = node }
            return node
        case .alias(let name):
            // The name is not shown: it may be a password that begins with an asterisk.
            guard let target = anchors[ExactText(name)] else { throw place.error("yaml: unknown anchor referenced") }
            try count(Self.size(target), place)
            return target
        case .sequenceStart(let anchor):
            var elements: [YAMLNode] = []
            while true {
                let (event, at) = try next(&parser)
                if case .sequenceEnd = event { break }
                elements.append(try node(event, at, &parser, depth: depth + 1, isSecret: isSecret))
            }
            let node = YAMLNode(.sequence(elements), place)
            if let anchor { anchors[ExactText(anchor)] = node }
            return node
        case .mappingStart(let anchor):
            let node = YAMLNode(.mapping(try members(&parser, depth: depth, isSecret: isSecret)), place)
            if let anchor { anchors[ExactText(anchor)] = node }
            return node
        default:
            throw place.error("yaml: unexpected end of the document")
        }
    }

    /// The keys of sections in which a value may have been read as a key.
    private static let secretSections: Set<String> = [
        "authorization", "basic_auth", "basic_auth_users", "endpoint_params", "http_headers", "oauth2",
        "proxy_connect_header", "tls_config",
    ]

    /// The members of a mapping with merge keys (`<<`) resolved: own keys have precedence over merged ones.
    ///
    /// - Parameter isSecret: Whether messages must not show its keys.
    private mutating func members(
        _ parser: inout yaml_parser_t, depth: Int, isSecret: Bool
    ) throws(ConfigError) -> [(key: YAMLNode, value: YAMLNode)] {
        var own: [(key: YAMLNode, value: YAMLNode)] = []
        var merged: [(key: YAMLNode, value: YAMLNode)] = []
        var names: Set<ExactText> = []
        while true {
            let (event, at) = try next(&parser)
            if case .mappingEnd = event { break }
            var key = try node(event, at, &parser, depth: depth + 1, isSecret: isSecret)
            // A null as a key is the empty text, as go-yaml has it.
            if key.isNull { key.content = .scalar("", isPlain: false) }
            let (valueEvent, valueAt) = try next(&parser)
            let hidesValue = isSecret || key.text.map { Self.secretSections.contains($0) } ?? false
            let value = try node(valueEvent, valueAt, &parser, depth: depth + 1, isSecret: hidesValue)
            guard let name = key.text else { throw key.place.error("yaml: a key must be a scalar") }
            if name == "<<", case .scalar(_, isPlain: true) = key.content {
                for source in value.elements ?? [value] {
                    guard let members = source.members else {
                        throw value.place.error("yaml: map merge requires map or sequence of maps as the value")
                    }
                    merged += members
                }
                continue
            }
            if !names.insert(ExactText(name)).inserted {
                throw key.place.error("mapping key \(isSecret ? "" : "\"\(name)\" ")already defined")
            }
            own.append((key, value))
        }
        for member in merged where names.insert(ExactText(member.key.text ?? "")).inserted { own.append(member) }
        return own
    }
}
