import GoCompatibility
import Model

/// Prometheus's template functions on strings.
package enum TextFunctions {
    package static let signatures: [String: TemplateSignature] = {
        var signatures: [String: TemplateSignature] = [
            "match": TemplateSignature([.string, .string]),
            "reReplaceAll": TemplateSignature([.string, .string, .string]),
        ]
        for name in [
            "graphLink", "parseDuration", "safeHtml", "stripDomain", "stripPort", "tableLink", "title", "toLower",
            "toUpper", "urlQueryEscape",
        ] {
            signatures[name] = TemplateSignature([.string])
        }
        return signatures
    }()

    /// The result, or nil if `name` is not one of the functions; the arguments match the ``signatures``.
    package static func call(_ name: String, _ arguments: [TemplateValue]) -> TemplateOutcome? {
        let strings = arguments.compactMap { argument -> String? in
            if case .string(let text) = argument { text } else { nil }
        }
        guard strings.count == signatures[name]?.count, let first = strings.first else { return nil }
        switch name {
        case "title": return .value(.string(title(first)))
        case "toUpper": return .value(.string(GoCase.upper(first)))
        case "toLower": return .value(.string(GoCase.lower(first)))
        case "safeHtml": return .value(.string(first))
        case "urlQueryEscape": return .value(.string(GoURL.queryEscape(first)))
        case "graphLink": return .value(.string("/graph?g0.expr=\(GoURL.queryEscape(first))&g0.tab=0"))
        case "tableLink": return .value(.string("/graph?g0.expr=\(GoURL.queryEscape(first))&g0.tab=1"))
        case "stripPort": return .value(.string(GoURL.splitHostPort(first)?.host ?? first))
        case "stripDomain": return .value(.string(stripDomain(first)))
        case "match":
            do throws(AnchoredRegex.SyntaxError) {
                return .value(.bool(try SearchRegex(first).matches(strings[1])))
            } catch { return .failed(error.description) }
        case "reReplaceAll":
            do throws(AnchoredRegex.SyntaxError) {
                let most = TemplateLimits().output
                let text = try SearchRegex(first).replaceAll(in: strings[2], with: strings[1], atMost: most)
                return text.map { .value(.string($0)) } ?? .failed("output exceeds \(most) bytes")
            } catch { return .failed(error.description) }
        case "parseDuration":
            let isNegative = first.hasPrefix("-")
            do throws(DurationText.ParseError) {
                let size = try DurationText.parse(isNegative ? String(first.dropFirst()) : first)
                return .value(.float(Double(isNegative ? -size : size) / 1000))
            } catch { return .failed(error.description) }
        default: return nil
        }
    }

    /// Upper-cases the first letter of every word.
    private static func title(_ text: String) -> String {
        var out = String.UnicodeScalarView()
        var isInWord = false
        for scalar in text.unicodeScalars {
            let isLetter =
                scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar == "_" || scalar == "'"
            if isLetter, !isInWord {
                out.append(GoCase.title(scalar))
            } else {
                out.append(scalar)
            }
            isInWord = isLetter
        }
        return String(out)
    }

    /// The first label of a host name, with its port; addresses stay as they are.
    private static func stripDomain(_ hostPort: String) -> String {
        let split = GoURL.splitHostPort(hostPort)
        let host = split?.host ?? hostPort
        if GoURL.isAddress(host) { return hostPort }
        let label = String(host.prefix { $0 != "." })
        guard let port = split?.port, !port.isEmpty else { return label }
        return GoURL.joinHostPort(label, port)
    }
}
