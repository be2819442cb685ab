import Config
import GoCompatibility
import Model

/// The reason why an argument is not a matcher or a label, in amtool's words.
package struct ArgumentError: Error, CustomStringConvertible {
    package var description: String

    init(_ reason: String, _ place: String) { description = "\(reason) (\(place))" }
}

/// The matchers and labels that a command line has.
package enum ArgumentMatchers {
    /// The matchers of arguments.
    ///
    /// A first argument without an operator is the value of `alertname`.
    package static func parse(_ arguments: [String], _ mode: AlertMatchers.Mode) throws(ArgumentError) -> [Matcher] {
        var matchers: [Matcher] = []
        for (index, argument) in arguments.enumerated() {
            matchers.append(
                try matcher(index == 0 ? withName(argument) : argument, mode, "argument \(index + 1)"))
        }
        return matchers
    }

    /// The texts of matchers for a server, which reads them itself.
    package static func filters(_ arguments: [String], _ mode: AlertMatchers.Mode) throws(ArgumentError) -> [String] {
        _ = try parse(arguments, mode)
        return arguments.enumerated().map { $0.offset == 0 ? withName($0.element) : $0.element }
    }

    /// The pairs of arguments `name=value`; of equal names the last.
    ///
    /// - Parameter namesAlert: Whether a first argument without an operator is the value of `alertname`.
    package static func labels(
        _ arguments: [String], _ mode: AlertMatchers.Mode, namesAlert: Bool
    ) throws(ArgumentError) -> [(name: String, value: String)] {
        try pairs(arguments, mode, namesAlert: namesAlert) { "argument \($0)" }
    }

    /// The pairs of the values of `--annotation`.
    package static func annotations(
        _ values: [String], _ mode: AlertMatchers.Mode
    ) throws(ArgumentError) -> [(name: String, value: String)] {
        try pairs(values, mode, namesAlert: false) { "--annotation \($0)" }
    }

    private static func pairs(
        _ texts: [String], _ mode: AlertMatchers.Mode, namesAlert: Bool, place: (Int) -> String
    ) throws(ArgumentError) -> [(name: String, value: String)] {
        var pairs: [(name: String, value: String)] = []
        for (index, text) in texts.enumerated() {
            let place = place(index + 1)
            let matcher = try matcher(namesAlert && index == 0 ? withName(text) : text, mode, place)
            guard matcher.kind == .equal else {
                throw ArgumentError("labels must be specified as key=value pairs", place)
            }
            pairs.removeAll { $0.name.isExactly(matcher.name) }
            pairs.append((matcher.name, matcher.value))
        }
        return pairs
    }

    private static func matcher(
        _ text: String, _ mode: AlertMatchers.Mode, _ place: String
    ) throws(ArgumentError) -> Matcher {
        do throws(MatcherMistake) {
            return try AlertMatchers.one(text, mode)
        } catch {
            throw ArgumentError(error.description, place)
        }
    }

    /// The argument, or a matcher of `alertname` if it has no operator.
    private static func withName(_ argument: String) -> String {
        let bytes = Array(argument.utf8)
        let hasOperator =
            bytes.contains(UInt8(ascii: "="))
            || zip(bytes, bytes.dropFirst()).contains { $0 == UInt8(ascii: "!") && $1 == UInt8(ascii: "~") }
        return hasOperator ? argument : AlertMatchers.text("alertname", "=", argument)
    }
}
