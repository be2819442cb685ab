import HTTP
import JSON
import Model
import Platform
import PromQL
import Scrape

/// `search/…`: the names of metrics, names of labels and values of a label that match terms, as lines of JSON.
struct SearchHandlers: Sendable {
    let context: APIContext
    /// Shared with the queries: a search may cost as much.
    let admission: QueryAdmission
    let lists: MetadataHandlers

    func metricNames(_ request: HTTPRequest) throws -> HTTPResponse {
        let search = try parameters(request, "metric_names")
        let includesMetadata = try SearchRequest.boolean(request, "include_metadata") ?? false
        return try answer(request, search, includesMetadata: includesMetadata) {
            try context.source.labelValues("__name__", $0)
        }
    }

    func labelNames(_ request: HTTPRequest) throws -> HTTPResponse {
        try answer(request, try parameters(request, "label_names")) { try context.source.labelNames($0) }
    }

    func labelValues(_ request: HTTPRequest) throws -> HTTPResponse {
        let search = try parameters(request, "label_values")
        guard let name = request.parameter("label"), !name.isEmpty else {
            throw APIError.badData("missing required parameter \"label\"")
        }
        return try answer(request, search) { try context.source.labelValues(name, $0) }
    }

    private func parameters(_ request: HTTPRequest, _ kind: String) throws(APIError) -> SearchRequest {
        guard let most = context.settings.maxSearchLimit else { throw .unavailable("search API disabled") }
        try Parameters.check(request)
        return try SearchRequest(request, context.engine, kind: kind, now: context.clock.now(), maxLimit: most)
    }

    private func answer(
        _ request: HTTPRequest, _ search: SearchRequest, includesMetadata: Bool = false,
        _ ask: (SelectRequest) throws -> [String]
    ) throws -> HTTPResponse {
        try context.answer(request, admission, .search) { answer in
            let (memory, deadline) = (answer.memory, answer.deadline)
            let warnings = SourceWarnings()
            let values = try lists.merged(search.selectors) {
                try ask(
                    SelectRequest(
                        matchers: $0, minTime: search.start, maxTime: search.end, labelsOnly: true,
                        charge: { try memory.charge($0) }, check: { try deadline.check() },
                        warn: { warnings.add($0) }))
            }
            try memory.charge(values.reduce(0) { $0 + Self.bytesPerValue + $1.utf8.count })
            let found = try search.found(in: values) { try answer.work($0) }
            let entries = includesMetadata ? context.scrape?.metadata(metric: nil) ?? [] : []
            try memory.charge(entries.count * Self.bytesPerValue)
            let metadata =
                includesMetadata
                ? try SearchMetadata(entries.map { ($0.metric, $0.metadata) }) { try answer.work($0) } : nil
            return try write(found, search, metadata, warnings.texts, answer)
        }
    }

    /// The approximate memory of a value in the lists of all and of those that are found, without its text.
    private static let bytesPerValue = 128

    /// The lines of an answer: one for each batch of records, and a last one.
    private func write(
        _ found: [(value: String, score: Double)], _ search: SearchRequest, _ metadata: SearchMetadata?,
        _ warnings: [String], _ answer: AnswerAccount
    ) throws -> HTTPResponse {
        let shown = found.prefix(search.limit)
        var body: [UInt8] = []
        var rest = shown
        repeat {
            let batch = rest.prefix(search.batch)
            rest = rest.dropFirst(batch.count)
            let isFirst = body.isEmpty
            try Self.line(&body) { writer in
                writer.key("results")
                try writer.array(batch, answer) { record, writer in
                    let score = search.includesScore ? record.score : nil
                    Self.write(record.value, score, metadata?.of(record.value), &writer)
                }
                if isFirst, !warnings.isEmpty {
                    writer.key("warnings")
                    writer.array { writer in for text in warnings { writer.string(text) } }
                }
            }
        } while !rest.isEmpty
        try Self.line(&body) { writer in
            writer.key("status")
            writer.string("success")
            writer.key("has_more")
            writer.bool(found.count > shown.count)
        }
        return HTTPResponse(headers: [("Content-Type", "application/x-ndjson; charset=utf-8")], body: body)
    }

    /// Adds an object as a line.
    private static func line(_ body: inout [UInt8], _ write: (inout JSONWriter) throws -> Void) throws {
        var writer = JSONWriter(capacity: 0)
        swap(&writer.bytes, &body)
        try writer.object(write)
        swap(&writer.bytes, &body)
        body.append(UInt8(ascii: "\n"))
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

    /// - Parameter work: Called with the work before it is done; an error that it throws ends the rest.
    init(
        _ entries: [(family: String, metadata: MetricMetadata)], work: (Int) throws -> Void
    ) rethrows {
        for (name, metadata) in entries {
            let family = ExactText(name)
            try work(64 + 16 * (families[family]?.count ?? 0))
            if families[family]?.contains(metadata) != true { families[family, default: []].append(metadata) }
        }
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
