import Config
import GoCompatibility
import Model

/// Default values of flags, from configuration files of amtool.
package struct ClientSettings: Sendable {
    /// A value with its place.
    package struct Value: Sendable {
        package var flag: String
        package var text: String
        package var place: ConfigPlace
    }

    package private(set) var values: [Value] = []

    /// Old names of flags.
    private static let oldNames = ["comment_required": "require-comment"]

    /// The paths of the files, the first one first.
    ///
    /// - Parameter home: The user's directory; nil if it is not known.
    package static func paths(home: String?) -> [String] {
        (home.map { [$0 + "/.config/amtool/config.yml"] } ?? []) + ["/etc/amtool/config.yml"]
    }

    package init() {}

    /// Adds the keys of a file that no earlier one has.
    package mutating func add(_ text: [UInt8], path: String) throws(ConfigError) {
        guard let root = try YAMLParser.parse(text, file: path), !root.isNull else { return }
        guard let members = root.members else {
            throw root.place.error("cannot unmarshal \(root.kind) into map[string]string")
        }
        for (key, value) in members {
            guard let name = key.text else { throw key.place.error("cannot unmarshal \(key.kind) into string") }
            guard let text = value.isNull ? "" : value.text else {
                throw value.place.error("cannot unmarshal \(value.kind) into string (\(name))")
            }
            let flag = Self.oldNames[name] ?? name
            if values.contains(where: { $0.flag.isExactly(flag) }) { continue }
            values.append(Value(flag: flag, text: text, place: key.place))
        }
    }
}
