import GoCompatibility
import HTTP
import Model
import PromQL

/// Reads the parameters of several endpoints.
enum Parameters {
    /// The earliest and latest times that mean "all", ms.
    static let minTime: Int64 = -9_223_372_036_854_775
    static let maxTime: Int64 = 9_223_372_036_854_775

    /// Checks that all parameters can be read.
    ///
    /// Endpoints without this check ignore invalid ones.
    static func check(_ request: HTTPRequest) throws(APIError) {
        if let problem = request.parameterProblem { throw .badData("\(unreadableForm): \(problem)") }
    }

    /// The beginning of an error about parameters that cannot be read.
    static let unreadableForm = "error parsing form values"

    /// A required time in ms.
    static func requiredTime(_ request: HTTPRequest, _ name: String) throws(APIError) -> Int64 {
        let text = request.parameter(name) ?? ""
        guard let time = time(text) else { throw .parameter(name, Self.unreadable(text)) }
        return time
    }

    /// A time in ms; nil if the parameter is absent or empty.
    static func time(_ request: HTTPRequest, _ name: String) throws(APIError) -> Int64? {
        guard let text = request.parameter(name), !text.isEmpty else { return nil }
        guard let time = time(text) else {
            throw .parameter(name, "invalid time value for '\(name)': \(Self.unreadable(text))")
        }
        return time
    }

    private static func unreadable(_ text: String) -> String {
        "cannot parse \(GoQuote.quote(text)) to a valid timestamp"
    }

    private static func time(_ text: String) -> Int64? {
        if let time = TimeText.parse(text) { return time }
        switch text {
        case "-292273086-05-16T16:47:06Z": return minTime
        case "292277025-08-18T07:12:54.999999999Z": return maxTime
        default: return nil
        }
    }

    /// A time range; all time by default.
    static func range(_ request: HTTPRequest) throws(APIError) -> (start: Int64, end: Int64) {
        let start = try time(request, "start") ?? minTime
        let end = try time(request, "end") ?? maxTime
        return (max(start, minTime), min(end, maxTime))
    }

    /// A duration in ms; nil if the parameter is absent or empty.
    static func duration(_ request: HTTPRequest, _ name: String) throws(APIError) -> Int64? {
        guard let text = request.parameter(name), !text.isEmpty else { return nil }
        do throws(DurationFailure) { return try duration(text) } catch { throw .parameter(name, error.text) }
    }

    /// The reason why a text is not a duration.
    struct DurationFailure: Error {
        var text: String
    }

    /// A duration in ms, of float seconds or in Prometheus's notation.
    static func duration(_ text: String) throws(DurationFailure) -> Int64 {
        let failure = "cannot parse \(GoQuote.quote(text)) to a valid duration"
        if let seconds = GoFloat.parse(text), !seconds.isNaN {
            let nanoseconds = seconds * 1e9
            guard nanoseconds.magnitude < 0x1p63 else {
                throw DurationFailure(text: failure + ". It overflows int64")
            }
            return Int64(nanoseconds) / 1_000_000
        }
        if let milliseconds = try? DurationText.parse(text) { return milliseconds }
        throw DurationFailure(text: failure)
    }

    /// Whether the float seconds of a duration are above zero, even if they are less than a millisecond.
    static func isPositive(_ duration: String) -> Bool { (GoFloat.parse(duration) ?? 0) > 0 }

    /// An integer as Go reads it.
    ///
    /// - Parameters:
    ///   - function: The function of `strconv` whose error it is.
    ///   - most: The largest number of its type.
    static func integer(
        _ text: String, by function: String = "Atoi", upTo most: Int = .max
    ) -> Result<Int, APIError> {
        if let number = Int(text), number <= most, number >= -most - 1 { return .success(number) }
        let digits = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text[...]
        let isNumber = !digits.isEmpty && digits.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
        let cause = isNumber ? "value out of range" : "invalid syntax"
        return .failure(.badData("strconv.\(function): parsing \(GoQuote.quote(text)): \(cause)"))
    }

    /// The most results; 0 for all.
    static func limit(_ request: HTTPRequest) throws(APIError) -> Int {
        guard let text = request.parameter("limit"), !text.isEmpty else { return 0 }
        switch integer(text) {
        case .failure(let error): throw .parameter("limit", error.message)
        case .success(let limit):
            guard limit >= 0 else { throw .parameter("limit", "limit must be non-negative") }
            return limit
        }
    }

    /// A boolean as Go's `strconv.ParseBool` reads it; nil if the parameter is absent or empty.
    ///
    /// - Parameter what: The text before the cause of an error.
    static func boolean(_ request: HTTPRequest, _ name: String, _ what: String) throws(APIError) -> Bool? {
        guard let text = request.parameter(name), !text.isEmpty else { return nil }
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        default:
            throw .parameter(name, "\(what): strconv.ParseBool: parsing \(GoQuote.quote(text)): invalid syntax")
        }
    }

    /// The wording of errors about selectors, which differs between endpoints.
    enum SelectorErrors {
        /// After `invalid parameter "match[]": `.
        case named
        /// Without an introduction.
        case plain
    }

    /// The selectors of `match[]`, each of which must select something.
    static func selectors(
        _ request: HTTPRequest, _ engine: QueryEngine, _ errors: SelectorErrors
    ) throws(APIError) -> [[Matcher]] {
        let budget = engine.syntaxBudget(request)
        var result: [[Matcher]] = []
        func fail(_ text: String) -> APIError {
            errors == .named ? .parameter("match[]", text) : .badData(text)
        }
        for text in request.parameters("match[]") {
            do throws(ParseError) {
                result.append(try PromQLParser.parseSelector(text, budget: budget))
            } catch {
                if let failure = budget.queryError { throw APIError(failure) }
                throw fail("\(error)")
            }
        }
        if result.contains(where: { $0.allSatisfy { $0.matches("") } }) {
            throw fail("match[] must contain at least one non-empty matcher")
        }
        return result
    }
}
