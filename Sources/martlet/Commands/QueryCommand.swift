import HTTP
import JSON
import Model

/// `martlet query instant|range|series|labels SERVER …`: asks a server over its HTTP API.
enum QueryCommand {
    private static let flags = FlagSet(flags: [
        Flag("format", .text, "promql", "How results are printed: promql, json.", short: "o"),
        Flag("time", .text, "", "Evaluation time, Unix seconds or RFC 3339; now by default."),
        Flag("start", .text, "", "Start of the range, Unix seconds or RFC 3339."),
        Flag("end", .text, "", "End of the range, Unix seconds or RFC 3339."),
        Flag("step", .duration, "0s", "Distance of the range's steps; a 250th of the range by default."),
        Flag("explain", .text, "", "How the query is evaluated: plan, or analyze after it was run."),
        Flag("match", .text, "", "A series selector.", repeats: true),
        Flag("header", .text, "", "A header to send, NAME=VALUE.", repeats: true),
    ])

    static func run(_ words: [String]) throws -> Int32 {
        // `--explain` alone means that the query is run.
        let parsed = try flags.parse(behindKindOf: words.map { $0 == "--explain" ? "--explain=analyze" : $0 })
        if parsed.wantsHelp {
            print(
                "usage: martlet query instant|range SERVER EXPR | series SERVER --match=… | labels SERVER NAME\n\n"
                    + flags.help)
            return 0
        }
        guard let kind = words.first, let server = parsed.positional.first else {
            throw CommandLineError(
                description:
                    "expected a kind of query and a server, for instance: query instant http://localhost:9090 up")
        }
        let rest = Array(parsed.positional.dropFirst())
        var parameters: [(String, String)] = []
        var path = ""
        switch kind {
        case "instant":
            path = "query"
            parameters.append(("query", try expression(rest)))
            if !parsed.text("time").isEmpty { parameters.append(("time", parsed.text("time"))) }
        case "range":
            path = "query_range"
            parameters = try range(parsed, expression: try expression(rest))
        case "series":
            path = "series"
            parameters = parsed.all("match").map { ("match[]", $0) }
        case "labels":
            guard let name = rest.first else { throw CommandLineError(description: "expected the name of a label") }
            path = "label/\(URLEncoding.encode(name))/values"
            parameters = parsed.all("match").map { ("match[]", $0) }
        default:
            throw CommandLineError(description: "unknown kind of query \"\(kind)\": instant, range, series or labels")
        }
        if !parsed.text("explain").isEmpty, kind == "instant" || kind == "range" {
            parameters.append(("explain", parsed.text("explain")))
        }
        if kind == "series" || kind == "labels" {
            for name in ["start", "end"] where !parsed.text(name).isEmpty {
                parameters.append((name, parsed.text(name)))
            }
        }
        return try ask(server, path, parameters, parsed)
    }

    private static func expression(_ words: [String]) throws -> String {
        guard words.count == 1 else {
            throw CommandLineError(description: "expected one expression, in quotes if it has spaces")
        }
        return words[0]
    }

    private static func range(_ parsed: ParsedFlags, expression: String) throws -> [(String, String)] {
        func time(_ name: String, _ standard: Int64) throws -> Int64 {
            let text = parsed.text(name)
            if text.isEmpty { return standard }
            guard let time = TimeText.parse(text) else {
                throw CommandLineError(
                    description: "cannot parse \(GoQuote.quote(text)) of --\(name) to a valid timestamp")
            }
            return time
        }
        let end = try time("end", SystemTime.now)
        let start = try time("start", end - 300_000)
        guard start <= end else { throw CommandLineError(description: "the range's start lies after its end") }
        let asked = parsed.duration("step")
        let step = asked > 0 ? asked : max(1000, (end &- start) / 250 / 1000 * 1000)
        func seconds(_ milliseconds: Int64) -> String { FloatText.fixed(Double(milliseconds) / 1000) }
        return [("query", expression), ("start", seconds(start)), ("end", seconds(end)), ("step", seconds(step))]
    }

    private static func ask(
        _ server: String, _ path: String, _ parameters: [(String, String)], _ parsed: ParsedFlags
    ) throws -> Int32 {
        var base = server.contains("://") ? server : "http://" + server
        while base.hasSuffix("/") { base.removeLast() }
        let query = parameters.map { "\(URLEncoding.encode($0.0))=\(URLEncoding.encode($0.1))" }.joined(separator: "&")
        var request = ClientRequest(url: "\(base)/api/v1/\(path)?\(query)", timeout: 120_000)
        for header in parsed.all("header") {
            let parts = header.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { throw CommandLineError(description: "a header is NAME=VALUE, not \(header)") }
            request.headers.append((String(parts[0]), String(parts[1])))
        }
        let response = try HTTPClient().sendBlocking(request)
        let answer: JSONValue
        do throws(JSONError) {
            answer = try JSONValue.parse(response.body)
        } catch {
            Command.complain(
                "query error: HTTP \(response.status): \(String(decoding: response.body.prefix(300), as: UTF8.self))")
            return 1
        }
        guard answer["status"]?.string == "success", let data = answer["data"] else {
            Command.complain("query error: \(answer["errorType"]?.string ?? ""): \(answer["error"]?.string ?? "")")
            return 1
        }
        for remark in (answer["warnings"]?.array ?? []) + (answer["infos"]?.array ?? []) {
            Command.complain(remark.string ?? "")
        }
        let explanation = data["explain"]
        if parsed.text("format") == "json" {
            var writer = JSONWriter()
            writer.value(explanation ?? data["result"] ?? data)
            print(String(decoding: writer.bytes, as: UTF8.self))
        } else if let explanation {
            for line in ExplanationOutput.lines(explanation) { print(line) }
        } else {
            QueryOutput.write(data)
        }
        return 0
    }
}

/// Results as `promtool query` prints them.
enum QueryOutput {
    static func write(_ data: JSONValue) {
        if let list = data.array {
            for element in list { print(element.string ?? metric(element)) }
            return
        }
        guard let result = data["result"] else { return }
        switch data["resultType"]?.string {
        case "vector":
            for series in result.array ?? [] {
                let point = series["value"] ?? series["histogram"] ?? .null
                print("\(metric(series["metric"] ?? .null)) => \(value(point)) @[\(time(point))]")
            }
        case "matrix":
            for series in result.array ?? [] {
                print("\(metric(series["metric"] ?? .null)) =>")
                for point in series["values"]?.array ?? [] { print("\(value(point)) @[\(time(point))]") }
                for point in series["histograms"]?.array ?? [] { print("\(value(point)) @[\(time(point))]") }
            }
        case "scalar": print("scalar: \(value(result)) @[\(time(result))]")
        default: print(value(result))
        }
    }

    private static func time(_ point: JSONValue) -> String { FloatText.fixed(point.array?.first?.number ?? 0) }

    private static func value(_ point: JSONValue) -> String {
        guard let last = point.array?.last else { return "" }
        if let text = last.string { return text }
        return "{count:\(last["count"]?.string ?? ""), sum:\(last["sum"]?.string ?? "")}"
    }

    private static func metric(_ value: JSONValue) -> String {
        Labels((value.object ?? []).map { ($0.key, $0.value.string ?? "") }).metricDescription
    }
}
