/// The syntax of file name patterns in Go's `filepath.Glob`.
public enum GoGlob {
    /// Whether no `/` follows a `*`: Prometheus accepts no other patterns of files.
    public static func hasStarsInLastPartOnly(_ pattern: String) -> Bool {
        guard let star = pattern.utf8.firstIndex(of: UInt8(ascii: "*")) else { return true }
        return !pattern.utf8[star...].contains(UInt8(ascii: "/"))
    }

    /// Whether a pattern may match any number of files, including none; other patterns name one file.
    public static func hasWildcard(_ pattern: String) -> Bool { pattern.utf8.contains { "*?[\\".utf8.contains($0) } }

    /// Whether the pattern and each of its parts are valid.
    public static func isWellFormed(_ pattern: String) -> Bool { GoGlobPath(pattern) != nil }
}

/// A pattern of one name, for example `*-rules[0-9].yml`.
public struct GoGlobPattern: Sendable {
    private enum Element {
        /// Any number of characters.
        case star
        /// One character.
        case any
        case character(Unicode.Scalar)
        /// A character inside or outside of inclusive ranges.
        case set(isNegated: Bool, [(low: Unicode.Scalar, high: Unicode.Scalar)])

        func matches(_ scalar: Unicode.Scalar) -> Bool {
            switch self {
            case .star: false
            case .any: scalar != "/"
            case .character(let own): scalar == own
            case .set(let isNegated, let ranges):
                ranges.contains { $0.low <= scalar && scalar <= $0.high } != isNegated
            }
        }
    }

    private var elements: [Element] = []

    /// Reads a pattern; nil if it is invalid.
    public init?(_ text: String) {
        var rest = Substring(text).unicodeScalars
        while let scalar = rest.popFirst() {
            switch scalar {
            case "*": elements.append(.star)
            case "?": elements.append(.any)
            case "[":
                guard let set = Self.set(&rest) else { return nil }
                elements.append(set)
            case "\\":
                guard let escaped = rest.popFirst() else { return nil }
                elements.append(.character(escaped))
            default: elements.append(.character(scalar))
            }
        }
    }

    /// Reads the text after a `[`, up to the `]`.
    private static func set(_ rest: inout Substring.UnicodeScalarView) -> Element? {
        let isNegated = rest.first == "^"
        if isNegated { rest.removeFirst() }
        var ranges: [(low: Unicode.Scalar, high: Unicode.Scalar)] = []
        while ranges.isEmpty || rest.first != "]" {
            guard let low = end(&rest) else { return nil }
            guard rest.first == "-" else {
                ranges.append((low, low))
                continue
            }
            rest.removeFirst()
            guard let high = end(&rest) else { return nil }
            ranges.append((low, high))
        }
        rest.removeFirst()
        return .set(isNegated: isNegated, ranges)
    }

    /// One end of a range; more text must follow it.
    private static func end(_ rest: inout Substring.UnicodeScalarView) -> Unicode.Scalar? {
        guard var scalar = rest.popFirst(), scalar != "-", scalar != "]" else { return nil }
        if scalar == "\\" {
            guard let escaped = rest.popFirst() else { return nil }
            scalar = escaped
        }
        return rest.isEmpty ? nil : scalar
    }

    /// Whether the whole name matches.
    public func matches(_ name: String) -> Bool {
        let name = Array(name.unicodeScalars)
        var (at, element) = (0, 0)
        // The position of the last star, and the end of its current match.
        var star: (element: Int, end: Int)?
        while at < name.count || element < elements.count {
            if element < elements.count {
                if case .star = elements[element] {
                    star = (element, at)
                    element += 1
                    continue
                }
                if at < name.count, elements[element].matches(name[at]) {
                    at += 1
                    element += 1
                    continue
                }
            }
            guard let last = star, last.end < name.count, name[last.end] != "/" else { return false }
            star = (last.element, last.end + 1)
            at = last.end + 1
            element = last.element + 1
        }
        return true
    }
}

/// A pattern of paths: a directory, and the patterns of the names below it.
public struct GoGlobPath: Sendable {
    /// The directory without patterns; `.` for the current one.
    public let directory: String
    /// The patterns of the names below it, one for each level.
    public let names: [GoGlobPattern]

    /// Parses a pattern; nil if it is invalid.
    public init?(_ pattern: String) {
        guard GoGlobPattern(pattern) != nil else { return nil }
        var names: [GoGlobPattern] = []
        var rest = Substring(pattern)
        while GoGlob.hasWildcard(String(rest)) {
            let name: Substring
            if let slash = rest.utf8.lastIndex(of: UInt8(ascii: "/")) {
                name = rest[rest.utf8.index(after: slash)...]
                rest = slash == rest.startIndex ? "/" : rest[..<slash]
            } else {
                name = rest
                rest = "."
            }
            guard let parsed = GoGlobPattern(String(name)) else { return nil }
            names.append(parsed)
        }
        directory = String(rest)
        self.names = names.reversed()
    }

    /// The shortest form of the path of a name below a directory, as in Go's `filepath.Join`.
    public static func join(_ directory: String, _ name: String) -> String {
        let isRooted = directory.utf8.first == UInt8(ascii: "/")
        var parts: [Substring] = []
        for part in (directory + "/" + name).split(separator: "/") where part != "." {
            if part != ".." {
                parts.append(part)
            } else if let last = parts.last, last != ".." {
                parts.removeLast()
            } else if !isRooted {
                parts.append(part)
            }
        }
        let path = parts.joined(separator: "/")
        return isRooted ? "/" + path : path.isEmpty ? "." : path
    }
}
