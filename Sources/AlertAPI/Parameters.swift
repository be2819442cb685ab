import Config
import GoCompatibility
import HTTP
import JSON
import Model

/// The parameters of a request's URL.
enum Parameters {
    /// The most matchers of one request.
    static let mostMatchers = 32
    /// The most bytes of one matcher or expression.
    static let longestMatcher = 16 << 10

    private static let truths = ["1", "true", "t", "yes", "y", "on", "ok", "checked", "enabled", "selected"]

    /// A switch: everything but the texts for true is false, and a missing or empty one is true.
    static func isOn(_ request: HTTPRequest, _ name: String) -> Bool {
        guard let text = request.parameters(name).last, !text.isEmpty else { return true }
        return truths.contains(GoCase.lower(text))
    }

    /// The matchers of a parameter that may be repeated.
    ///
    /// - Parameter prefix: The beginning of an error's text.
    static func matchers(
        _ request: HTTPRequest, _ name: String, prefix: String = ""
    ) throws(AlertAPIError) -> [Matcher] {
        let texts = request.parameters(name)
        guard texts.count <= mostMatchers else {
            throw .text(400, "\(prefix)more than \(mostMatchers) values of \(name)")
        }
        var matchers: [Matcher] = []
        for text in texts {
            guard text.utf8.count <= longestMatcher else {
                throw .text(400, "\(prefix)a value of \(name) has more than \(longestMatcher) bytes")
            }
            do throws(MatcherMistake) {
                matchers.append(try AlertMatchers.one(text))
            } catch {
                throw .text(400, prefix + "\(error)")
            }
        }
        return matchers
    }

    /// Whether all matchers accept labels.
    ///
    /// An empty value of a matcher asks for the label's absence or presence, also if its value is empty.
    static func accept(_ labels: Labels, _ matchers: [Matcher]) -> Bool {
        matchers.allSatisfy { matcher in
            if matcher.value.isEmpty {
                let isPresent = labels[matcher.name] != nil
                if isPresent == (matcher.kind == .notEqual || matcher.kind == .notRegex) { return true }
            }
            return matcher.matches(labels)
        }
    }

    /// Throws if an expression had no memory for its matches.
    static func requireAnswers(_ matchers: [Matcher]) throws(AlertAPIError) {
        do throws(MatchFailure) { try matchers.requireAnswers() } catch { throw .unavailable("\(error)") }
    }
}

/// The receivers that a request asks for, by name and by labels.
struct ReceiverFilter {
    private let pattern: AnchoredRegex?
    private let matchers: [Matcher]
    private let labels: [ExactText: Labels]

    init(_ request: HTTPRequest, _ receivers: [(name: String, labels: Labels)]) throws(AlertAPIError) {
        matchers = try Parameters.matchers(
            request, "receiver_matchers", prefix: "failed to parse receiver_matchers param: ")
        labels = Dictionary(receivers.map { (ExactText($0.name), $0.labels) }) { first, _ in first }
        guard let text = request.parameters("receiver").last, !text.isEmpty else {
            pattern = nil
            return
        }
        guard text.utf8.count <= Parameters.longestMatcher else {
            throw .text(400, "failed to parse receiver param: more than \(Parameters.longestMatcher) bytes")
        }
        do throws(AnchoredRegex.SyntaxError) {
            pattern = try AnchoredRegex(text, dot: .noLineFeed)
        } catch {
            var error = error
            // This error is about the whole expression, which has anchors in Alertmanager.
            if error.reason == "missing closing )" { error.expression = "^(?:\(text))$" }
            throw .text(400, "failed to parse receiver param: \(error)")
        }
    }

    func accepts(_ name: String) -> Bool {
        pattern?.matches(name) ?? true
            && Parameters.accept(labels[ExactText(name)] ?? Labels([("name", name)]), matchers)
    }
}

extension JSONWriter {
    mutating func labels(_ labels: Labels) {
        object { writer in
            labels.forEachBytes { name, value in writer.member(name, value) }
        }
    }
}
