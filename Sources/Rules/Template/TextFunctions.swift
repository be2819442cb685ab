import GoCompatibility
import GoTemplate
import Model

/// Prometheus's template functions on strings.
enum TextFunctions {
    /// Calls `body` if the arguments are exactly `count` strings.
    static func strings(
        _ arguments: [TemplateValue], _ count: Int, _ body: ([String]) -> TemplateOutcome
    ) -> TemplateOutcome {
        guard arguments.count == count else { return .wrongCount(String(count)) }
        var strings: [String] = []
        for (index, argument) in arguments.enumerated() {
            guard case .string(let text) = argument else { return .wrongType(index, "string") }
            strings.append(text)
        }
        return body(strings)
    }

    /// The outcome, or nil if `name` is none of them.
    static func call(_ name: String, _ arguments: [TemplateValue]) -> TemplateOutcome? {
        func one(_ body: @escaping (String) -> String) -> TemplateOutcome {
            strings(arguments, 1) { .value(.string(body($0[0]))) }
        }
        switch name {
        case "title": return one(title)
        case "toUpper": return one { $0.uppercased() }
        case "toLower": return one { $0.lowercased() }
        case "safeHtml": return one { $0 }
        case "urlQueryEscape": return one(GoURL.queryEscape)
        case "graphLink": return one { "/graph?g0.expr=\(GoURL.queryEscape($0))&g0.tab=0" }
        case "tableLink": return one { "/graph?g0.expr=\(GoURL.queryEscape($0))&g0.tab=1" }
        case "stripPort": return one { GoURL.splitHostPort($0)?.host ?? $0 }
        case "stripDomain": return one(stripDomain)
        case "match":
            return strings(arguments, 2) { strings in
                do throws(AnchoredRegex.SyntaxError) {
                    return .value(.bool(try SearchRegex(strings[0]).matches(strings[1])))
                } catch { return .failed(error.description) }
            }
        case "reReplaceAll":
            return strings(arguments, 3) { strings in
                do throws(AnchoredRegex.SyntaxError) {
                    return .value(.string(try SearchRegex(strings[0]).replaceAll(in: strings[2], with: strings[1])))
                } catch { return .failed(error.description) }
            }
        case "parseDuration":
            return strings(arguments, 1) { strings in
                let isNegative = strings[0].hasPrefix("-")
                do throws(DurationText.ParseError) {
                    let size = try DurationText.parse(isNegative ? String(strings[0].dropFirst()) : strings[0])
                    return .value(.float(Double(isNegative ? -size : size) / 1000))
                } catch { return .failed(error.description) }
            }
        default: return nil
        }
    }

    /// Upper-cases the first letter of every word and leaves the rest.
    private static func title(_ text: String) -> String {
        var out = String.UnicodeScalarView()
        var isInWord = false
        for scalar in text.unicodeScalars {
            let isLetter =
                scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar == "_" || scalar == "'"
            if isLetter, !isInWord {
                out.append(contentsOf: scalar.properties.titlecaseMapping.unicodeScalars)
            } else {
                out.append(scalar)
            }
            isInWord = isLetter
        }
        return String(out)
    }

    /// The first label of a host name, its port kept; addresses are left alone.
    private static func stripDomain(_ hostPort: String) -> String {
        let split = GoURL.splitHostPort(hostPort)
        let host = split?.host ?? hostPort
        if GoURL.isAddress(host) { return hostPort }
        let label = String(host.prefix { $0 != "." })
        guard let port = split?.port, !port.isEmpty else { return label }
        return label + ":" + port
    }
}
