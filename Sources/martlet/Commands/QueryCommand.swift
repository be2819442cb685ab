import Config
import GoCompatibility
import HTTP
import JSON
import Model

/// `martlet query instant|range|series|labels SERVER …`: queries a server with its HTTP API.
enum QueryCommand {
    private static let start = Flag("start", .timeOrNone, nil, "Start of the range, Unix seconds or RFC 3339.")
    private static let end = Flag("end", .timeOrNone, nil, "End of the range, Unix seconds or RFC 3339.")
    private static let explain = Flag(
        "explain", .choice(["analyze", "plan"]), nil,
        "How the query is evaluated: plan, or analyze, which runs it.", implied: "analyze")
    private static let common =
        [
            Flag("format", .choice(["promql", "json"]), "promql", "How results are printed: promql, json.", short: "o")
        ] + client
    /// The flags of requests to a server.
    static let client = [
        Flag("header", .header, nil, "A header to send, NAME=VALUE.", repeats: true),
        Flag(
            "http.config.file", .text, nil,
            "File with an http_config: basic_auth, authorization, tls_config, proxies, headers."),
    ]

    private static func match(isRequired: Bool) -> Flag {
        Flag("match", .selector, nil, "A series selector.", repeats: true, isRequired: isRequired)
    }

    static let commands = [
        Subcommand(
            words: ["query", "instant"], summary: "Evaluates an expression at one time.",
            arguments: [.one("SERVER"), .one("EXPR")],
            flags: FlagSet(
                flags: [
                    Flag("time", .timeOrNone, nil, "Evaluation time, Unix seconds or RFC 3339; now by default."),
                    explain,
                ]
                    + common),
            run: instant),
        Subcommand(
            words: ["query", "range"], summary: "Evaluates an expression at the steps of a range.",
            arguments: [.one("SERVER"), .one("EXPR")],
            flags: FlagSet(
                flags: [
                    start, end,
                    Flag(
                        "step", .duration, "0s", "Distance of the range's steps; a 250th of the range by default."),
                    explain,
                ] + common),
            run: range),
        Subcommand(
            words: ["query", "series"], summary: "Lists series.", arguments: [.one("SERVER")],
            flags: FlagSet(flags: [match(isRequired: true), start, end] + common)
        ) { try ask("series", listing($0), $0) },
        Subcommand(
            words: ["query", "labels"], summary: "Lists the values of a label.",
            arguments: [.one("SERVER"), .one("NAME")],
            flags: FlagSet(flags: [match(isRequired: false), start, end] + common)
        ) { try ask("label/\(URLEncoding.encode($0.positional[1]))/values", listing($0), $0) },
    ]

    private static func instant(_ parsed: ParsedFlags) throws -> Int32 {
        var parameters = [("query", parsed.positional[1])]
        for name in ["time", "explain"] where !parsed.text(name).isEmpty {
            parameters.append((name, parsed.text(name)))
        }
        return try ask("query", parameters, parsed)
    }

    private static func range(_ parsed: ParsedFlags) throws -> Int32 {
        let end = parsed.time("end") ?? SystemTime.now
        let start = parsed.time("start") ?? end - 300_000
        guard start <= end else {
            throw CommandLineError(description: "--start lies after --end, which is now by default")
        }
        let asked = parsed.duration("step")
        let (span, isTooLong) = end.subtractingReportingOverflow(start)
        let step = asked > 0 ? asked : max(1000, (isTooLong ? .max : span) / 250 / 1000 * 1000)
        func seconds(_ milliseconds: Int64) -> String { FloatText.fixed(Double(milliseconds) / 1000) }
        var parameters = [
            ("query", parsed.positional[1]), ("start", seconds(start)), ("end", seconds(end)), ("step", seconds(step)),
        ]
        if parsed.isGiven("explain") { parameters.append(("explain", parsed.text("explain"))) }
        return try ask("query_range", parameters, parsed)
    }

    /// The parameters of a list of series or values.
    private static func listing(_ parsed: ParsedFlags) -> [(String, String)] {
        var parameters = parsed.all("match").map { ("match[]", $0) }
        for name in ["start", "end"] where !parsed.text(name).isEmpty { parameters.append((name, parsed.text(name))) }
        return parameters
    }

    private static func ask(
        _ path: String, _ parameters: [(String, String)], _ parsed: ParsedFlags
    ) throws -> Int32 {
        guard let data = try data(parsed.positional[0], path, parameters, parsed) else { return 1 }
        let explanation = data["explain"]
        if parsed.text("format") == "json" {
            var writer = JSONWriter()
            writer.value(explanation ?? data["result"] ?? data)
            print(String(decoding: writer.bytes, as: UTF8.self))
        } else if let explanation {
            for line in ExplanationOutput.lines(explanation) { print(line) }
        } else {
            for line in QueryOutput.lines(data) { print(line) }
        }
        return 0
    }

    /// The data of an answer of a server's API; nil after an error, which is printed.
    ///
    /// - Parameter path: The path after `/api/v1/`.
    static func data(
        _ server: String, _ path: String, _ parameters: [(String, String)], _ parsed: ParsedFlags
    ) throws -> JSONValue? {
        var base = server.contains("://") ? server : "http://" + server
        while base.hasSuffix("/") { base.removeLast() }
        let query = parameters.map { "\(URLEncoding.encode($0.0))=\(URLEncoding.encode($0.1))" }.joined(separator: "&")
        var request = ClientRequest(url: "\(base)/api/v1/\(path)?\(query)", timeout: 120_000)
        for header in parsed.all("header") {
            let name = header.prefix { $0 != "=" }
            request.headers.append((String(name), String(header.dropFirst(name.count + 1))))
        }
        let file = parsed.text("http.config.file")
        let client = file.isEmpty ? HTTPClientConfig() : try HTTPClientConfig.load(path: file)
        let response = try HTTPClient(client).sendBlocking(request)
        let answer: JSONValue
        do throws(JSONError) {
            answer = try JSONValue.parse(response.body)
        } catch {
            Command.complain(
                "query error: HTTP \(response.status): \(String(decoding: response.body.prefix(300), as: UTF8.self))")
            return nil
        }
        guard answer["status"]?.string == "success", let data = answer["data"] else {
            Command.complain("query error: \(answer["errorType"]?.string ?? ""): \(answer["error"]?.string ?? "")")
            return nil
        }
        for remark in (answer["warnings"]?.array ?? []) + (answer["infos"]?.array ?? []) {
            Command.complain(remark.string ?? "")
        }
        return data
    }
}

/// Results as `promtool query` prints them.
enum QueryOutput {
    static func lines(_ data: JSONValue) -> [String] {
        if let list = data.array { return list.map { $0.string ?? series($0) } }
        guard let result = data["result"] else { return [] }
        var lines: [String] = []
        switch data["resultType"]?.string {
        case "vector":
            lines = (result.array ?? []).map { series in
                let point = series["value"] ?? series["histogram"] ?? .null
                return "\(metric(series["metric"] ?? .null)) => \(shown(point))"
            }
        case "matrix":
            for series in result.array ?? [] {
                lines.append("\(metric(series["metric"] ?? .null)) =>")
                lines += (series["values"]?.array ?? []).map(shown) + (series["histograms"]?.array ?? []).map(shown)
            }
        case "scalar": lines = ["scalar: \(shown(result))"]
        default: lines = [result.array?.last?.string ?? ""]
        }
        // As promtool does, which prints the text of the result and a line feed.
        return lines.isEmpty ? [""] : lines
    }

    private static func shown(_ point: JSONValue) -> String { "\(value(point)) @[\(time(point))]" }

    private static func time(_ point: JSONValue) -> String { FloatText.fixed(point.array?.first?.number ?? 0) }

    private static func value(_ point: JSONValue) -> String {
        guard let last = point.array?.last else { return "" }
        // Without an exponent, which the API has.
        if let text = last.string { return Double(text).map(FloatText.fixed) ?? text }
        return "{count:\(last["count"]?.string ?? ""), sum:\(last["sum"]?.string ?? "")}"
    }

    /// A series as a list of labels, the name among them; as promtool prints it, which never quotes the names of labels.
    private static func series(_ value: JSONValue) -> String {
        let labels = Labels((value.object ?? []).map { ($0.key, $0.value.string ?? "") })
        return "{" + labels.pairs.map { "\($0.name)=\(GoQuote.quote($0.value))" }.joined(separator: ", ") + "}"
    }

    private static func metric(_ value: JSONValue) -> String {
        Labels((value.object ?? []).map { ($0.key, $0.value.string ?? "") }).metricDescription
    }
}
