import HTTP
import JSON
import Model
import Platform
import PromQL
import Scrape

/// `search/…`: the names of metrics, names of labels and values of a label that match terms, as lines of JSON.
struct SearchHandlers: Sendable {
    let context: APIContext
    private var lists: MetadataHandlers { MetadataHandlers(context: context) }

    func metricNames(_ request: HTTPRequest) throws -> HTTPResponse {
        let search = try parameters(request, "metric_names")
        let includesMetadata = try SearchRequest.boolean(request, "include_metadata") ?? false
        let metadata = includesMetadata ? SearchMetadata(context) : nil
        return try answer(request, search, metadata) { try context.source.labelValues("__name__", $0) }
    }

    func labelNames(_ request: HTTPRequest) throws -> HTTPResponse {
        try answer(request, try parameters(request, "label_names"), nil) { try context.source.labelNames($0) }
    }

    func labelValues(_ request: HTTPRequest) throws -> HTTPResponse {
        let search = try parameters(request, "label_values")
        guard let name = request.parameter("label"), !name.isEmpty else {
            throw APIError.badData("missing required parameter \"label\"")
        }
        return try answer(request, search, nil) { try context.source.labelValues(name, $0) }
    }

    private func parameters(_ request: HTTPRequest, _ kind: String) throws(APIError) -> SearchRequest {
        guard let most = context.settings.maxSearchLimit else { throw .unavailable("search API disabled") }
        try Parameters.check(request)
        return try SearchRequest(request, kind: kind, now: context.clock.now(), maxLimit: most)
    }

    private func answer(
        _ request: HTTPRequest, _ search: SearchRequest, _ metadata: SearchMetadata?,
        _ ask: (SelectRequest) throws -> [String]
    ) throws -> HTTPResponse {
        let deadline = RequestDeadline(request, context.engine)
        return try lists.charged { memory in
            let warnings = SourceWarnings()
            let values = try lists.merged(search.selectors) {
                try ask(
                    SelectRequest(
                        matchers: $0, minTime: search.start, maxTime: search.end, labelsOnly: true,
                        charge: { try memory.charge($0) }, check: { try deadline.check() },
                        warn: { warnings.add($0) }))
            }
            try memory.charge(values.reduce(0) { $0 + 32 + $1.utf8.count })
            let found = search.found(in: values)
            let shown = found.prefix(search.limit)
            try memory.charge(shown.reduce(0) { $0 + 64 + $1.value.utf8.count })
            var body: [UInt8] = []
            var rest = shown
            repeat {
                let batch = rest.prefix(search.batch)
                rest = rest.dropFirst(batch.count)
                let isFirst = body.isEmpty
                body += Self.line { writer in
                    writer.key("results")
                    writer.array { writer in
                        for (value, score) in batch {
                            Self.write(value, search.includesScore ? score : nil, metadata?.of(value), &writer)
                        }
                    }
                    if isFirst, !warnings.texts.isEmpty {
                        writer.key("warnings")
                        writer.array { writer in for text in warnings.texts { writer.string(text) } }
                    }
                }
            } while !rest.isEmpty
            body += Self.line { writer in
                writer.key("status")
                writer.string("success")
                writer.key("has_more")
                writer.bool(found.count > shown.count)
            }
            return HTTPResponse(headers: [("Content-Type", "application/x-ndjson; charset=utf-8")], body: body)
        }
    }

    private static func line(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { body(&$0) }
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    private static func write(
        _ name: String, _ score: Double?, _ metadata: MetricMetadata?, _ writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.key("name")
            writer.string(name)
            if let score {
                writer.key("score")
                writer.number(score)
            }
            guard let metadata else { return }
            for (key, text) in [("type", metadata.type.rawValue), ("help", metadata.help), ("unit", metadata.unit)]
            where !text.isEmpty {
                writer.key(key)
                writer.string(text)
            }
        }
    }
}

/// The metadata that active targets report for metrics, by the names of their series.
struct SearchMetadata {
    private var families: [ExactText: [MetricMetadata]] = [:]

    init(_ entries: [(family: String, metadata: MetricMetadata)]) {
        for (name, metadata) in entries {
            let family = ExactText(name)
            if families[family]?.contains(metadata) != true { families[family, default: []].append(metadata) }
        }
    }

    init(_ context: APIContext) {
        self.init((context.scrape?.metadata(metric: nil) ?? []).map { ($0.metric, $0.metadata) })
    }

    /// The suffixes of a family's series, by its type.
    private static func suffixes(_ type: MetricType) -> [String] {
        switch type {
        case .counter: ["_total"]
        case .histogram: ["_bucket", "_sum", "_count"]
        case .gaugeHistogram: ["_bucket", "_gsum", "_gcount", "_sum", "_count"]
        case .summary: ["_sum", "_count"]
        case .info: ["_info"]
        default: []
        }
    }

    /// The metadata for a series name: of the family with that name, else of the family whose type has such series.
    func of(_ name: String) -> MetricMetadata? {
        if let exact = families[ExactText(name)]?.first { return exact }
        guard let end = name.lastIndex(of: "_") else { return nil }
        let suffix = String(name[end...])
        return families[ExactText(String(name[..<end]))]?.first { Self.suffixes($0.type).contains(suffix) }
    }
}
