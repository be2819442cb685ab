import HTTP
import Model
import PromQL

/// Reads the parameters that many endpoints share.
enum Parameters {
    /// The earliest and latest times that mean "all", ms.
    static let minTime: Int64 = -9_223_372_036_854_775
    static let maxTime: Int64 = 9_223_372_036_854_775

    /// A time in ms; nil if the parameter is absent or empty.
    static func time(_ request: HTTPRequest, _ name: String) throws(APIError) -> Int64? {
        guard let text = request.parameter(name), !text.isEmpty else { return nil }
        if let time = TimeText.parse(text) { return time }
        switch text {
        case "-292273086-05-16T16:47:06Z": return minTime
        case "292277025-08-18T07:12:54.999999999Z": return maxTime
        default: throw .parameter(name, "cannot parse \(GoQuote.quote(text)) to a valid timestamp")
        }
    }

    /// A time range; all time by default.
    static func range(_ request: HTTPRequest) throws(APIError) -> (start: Int64, end: Int64) {
        let start = try time(request, "start") ?? minTime
        let end = try time(request, "end") ?? maxTime
        return (max(start, minTime), min(end, maxTime))
    }

    /// A duration in ms.
    static func duration(_ request: HTTPRequest, _ name: String) throws(APIError) -> Int64? {
        guard let text = request.parameter(name), !text.isEmpty else { return nil }
        if let seconds = Double(text) {
            let milliseconds = seconds * 1000
            guard milliseconds.magnitude <= 9.2e15 else {
                throw .parameter(name, "cannot parse \(GoQuote.quote(text)) to a valid duration. It overflows int64")
            }
            return Int64(milliseconds)
        }
        if let milliseconds = try? DurationText.parse(text) { return milliseconds }
        throw .parameter(name, "cannot parse \(GoQuote.quote(text)) to a valid duration")
    }

    /// The most results wanted; 0 for all.
    static func limit(_ request: HTTPRequest) throws(APIError) -> Int {
        guard let text = request.parameter("limit"), !text.isEmpty else { return 0 }
        guard let limit = Int(text) else {
            throw .parameter("limit", "strconv.Atoi: parsing \(GoQuote.quote(text)): invalid syntax")
        }
        guard limit >= 0 else { throw .parameter("limit", "limit must be non-negative") }
        return limit
    }

    /// The selectors of `match[]`.
    static func selectors(_ request: HTTPRequest) throws(APIError) -> [[Matcher]] {
        var result: [[Matcher]] = []
        for text in request.parameters("match[]") {
            do throws(ParseError) {
                result.append(try PromQLParser.parseSelector(text))
            } catch {
                if error.message.hasPrefix("vector selector must contain") {
                    throw .parameter("match[]", "match[] must contain at least one non-empty matcher")
                }
                throw .parameter("match[]", "\(error)")
            }
        }
        return result
    }
}
