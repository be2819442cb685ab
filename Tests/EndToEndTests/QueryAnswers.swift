import JSON
import TestSupport

/// What the query API answered, as far as the end-to-end tests look at it.
struct QueryAnswers {
    let probe: HTTPProbe

    /// The samples of a range-vector expression at `time`: per series, (time in s, value) pairs as text.
    func samples(_ expression: String, time: String? = nil) -> [String: [String]] {
        var path = "/api/v1/query?query=" + HTTPProbe.escape(expression)
        if let time { path += "&time=" + time }
        guard let answer = probe.get(path), answer.status == 200, let json = try? JSONValue.parse(answer.body) else {
            return [:]
        }
        var result: [String: [String]] = [:]
        for series in json["data"]?["result"]?.array ?? [] {
            let labels = (series["metric"]?.object ?? []).map { "\($0.key)=\($0.value.string ?? "")" }.sorted()
            let points = series["values"]?.array ?? (series["value"].map { [$0] } ?? [])
            result[labels.joined(separator: ",")] = points.map { point in
                "\(point.array?.first?.number ?? .nan) \(point.array?.last?.string ?? "")"
            }
        }
        return result
    }

    /// The values of an instant expression, in order of the answer.
    func values(_ expression: String) -> [Double] {
        samples(expression).values.flatMap { $0 }.compactMap { Double($0.split(separator: " ").last ?? "") }
    }

    /// The first value of an instant expression.
    func value(_ expression: String) -> Double? { values(expression).first }
}
