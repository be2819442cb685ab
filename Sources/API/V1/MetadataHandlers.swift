import GoCompatibility
import HTTP
import JSON
import Model
import PromQL
import Scrape

/// `series`, `labels`, `label/NAME/values`, `metadata`.
struct MetadataHandlers: Sendable {
    let context: APIContext
    let admission: QueryAdmission
    let overviews: QueryAdmission

    func series(_ request: HTTPRequest) throws -> HTTPResponse {
        try Parameters.check(request)
        if request.parameters("match[]").isEmpty { throw APIError.badData("no match[] parameter provided") }
        let limit = try Parameters.limit(request)
        let (start, end) = try Parameters.range(request)
        let selectors = try Parameters.selectors(request, context.engine, .named)
        return try context.answer(request, admission, .list) { answer in
            let (memory, deadline) = (answer.memory, answer.deadline)
            var found: [Labels] = []
            let warnings = SourceWarnings()
            for matchers in start <= end ? selectors : [] {
                let set = try context.source.select(
                    SelectRequest(
                        matchers: matchers, minTime: start, maxTime: end, labelsOnly: true,
                        limit: limit > 0 && limit < .max ? limit + 1 : 0, charge: { try memory.charge($0) },
                        check: { try deadline.check() }, warn: { warnings.add($0) }))
                for index in 0..<set.count {
                    if index & 1023 == 1023 { try deadline.check() }
                    let labels = set.labels(index)
                    try memory.charge(Self.bytesPerSeries + labels.bytes.count)
                    found.append(labels)
                }
            }
            if selectors.count > 1 {
                found.sort()
                var unique: [Labels] = []
                for labels in found where unique.last != labels { unique.append(labels) }
                found = unique
            }
            return try bounded(found, limit, warnings, answer) { labels, writer in
                ResultWriter.labels(labels, &writer)
            }
        }
    }

    /// The memory of a series in a list without its labels.
    private static let bytesPerSeries = 64

    private func bounded<T>(
        _ all: [T], _ limit: Int, _ warnings: SourceWarnings, _ answer: AnswerAccount,
        _ write: (T, inout JSONWriter) -> Void
    ) throws -> HTTPResponse {
        let isTruncated = limit > 0 && all.count > limit
        return try Envelope.success(
            warnings: warnings.texts + (isTruncated ? ["results truncated due to limit"] : [])
        ) { writer in
            try writer.array(isTruncated ? all.prefix(limit) : all[...], answer, write)
        }
    }

    /// Answers with a list of texts.
    ///
    /// They are charged when they are known, because their number depends on the labels.
    private func texts(
        _ request: HTTPRequest, _ limit: Int, _ find: (AnswerAccount, SourceWarnings) throws -> [String]
    ) throws -> HTTPResponse {
        try context.answer(request, admission, .list) { answer in
            let warnings = SourceWarnings()
            let all = try find(answer, warnings)
            try answer.memory.charge(all.reduce(0) { $0 + 32 + $1.utf8.count })
            return try bounded(all, limit, warnings, answer) { text, writer in writer.string(text) }
        }
    }

    /// The names or values for several selectors, merged and sorted.
    func merged(_ selectors: [[Matcher]], _ ask: ([Matcher]) throws -> [String]) throws -> [String] {
        guard selectors.count > 1 else { return try ask(selectors.first ?? []) }
        var all: Set<ExactText> = []
        for matchers in selectors { all.formUnion(try ask(matchers).lazy.map { ExactText($0) }) }
        return all.sorted().map(\.text)
    }

    func labelNames(_ request: HTTPRequest) throws -> HTTPResponse {
        let limit = try Parameters.limit(request)
        let (start, end) = try Parameters.range(request)
        let selectors = try Parameters.selectors(request, context.engine, .plain)
        return try texts(request, start <= end ? limit : 0) { answer, warnings in
            guard start <= end else { return [] }
            let (memory, deadline) = (answer.memory, answer.deadline)
            return try merged(selectors) {
                try context.source.labelNames(
                    SelectRequest(
                        matchers: $0, minTime: start, maxTime: end, labelsOnly: true, charge: { try memory.charge($0) },
                        check: { try deadline.check() }, warn: { warnings.add($0) })
                )
            }
        }
    }

    func labelValues(_ request: HTTPRequest) throws -> HTTPResponse {
        var name = request.pathParameters["name"] ?? ""
        if name.hasPrefix("U__") { name = Self.unescape(name) }
        // A path that is not UTF-8 has replacement characters in place of the invalid bytes.
        guard !name.isEmpty, !name.unicodeScalars.contains("\u{FFFD}") else {
            throw APIError.badData("invalid label name: \(GoQuote.quote(name))")
        }
        let limit = try Parameters.limit(request)
        let (start, end) = try Parameters.range(request)
        let selectors = try Parameters.selectors(request, context.engine, .plain)
        return try texts(request, start <= end ? limit : 0) { answer, warnings in
            guard start <= end else { return [] }
            let (memory, deadline) = (answer.memory, answer.deadline)
            return try merged(selectors) {
                try context.source.labelValues(
                    name,
                    SelectRequest(
                        matchers: $0, minTime: start, maxTime: end, labelsOnly: true, charge: { try memory.charge($0) },
                        check: { try deadline.check() }, warn: { warnings.add($0) })
                )
            }
        }
    }

    /// Undoes the escaping of names for paths: `U__`, `__` for `_`, `_XX_` for a code point in hex.
    static func unescape(_ escaped: String) -> String {
        let bytes = Array(escaped.utf8.dropFirst(3))
        var out = ""
        var at = 0
        while at < bytes.count {
            guard bytes[at] == UInt8(ascii: "_") else {
                out.unicodeScalars.append(UnicodeScalar(bytes[at]))
                at += 1
                continue
            }
            if at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "_") {
                out += "_"
                at += 2
                continue
            }
            guard let end = bytes[(at + 1)...].firstIndex(of: UInt8(ascii: "_")), end - at <= 7,
                let code = UInt32(String(decoding: bytes[(at + 1)..<end], as: UTF8.self), radix: 16),
                let scalar = Unicode.Scalar(code)
            else { return escaped }
            out.unicodeScalars.append(scalar)
            at = end + 1
        }
        return out
    }

    func metadata(_ request: HTTPRequest) throws -> HTTPResponse {
        func number(_ name: String) throws -> Int {
            guard let text = request.parameter(name), !text.isEmpty else { return -1 }
            guard case .success(let value) = Parameters.integer(text) else {
                throw APIError.badData("\(name) must be a number")
            }
            return value
        }
        let (limit, perMetric) = (try number("limit"), try number("limit_per_metric"))
        let wanted = request.parameter("metric").flatMap { $0.isEmpty ? nil : $0 }
        return try context.answer(request, overviews, .overview) { answer in
            let byMetric = try allMetadata(wanted, answer)
            let names = byMetric.keys.sorted()
            return try Envelope.success { writer in
                try writer.object { writer in
                    for name in limit >= 0 ? names.prefix(limit) : names[...] {
                        writer.key(name.text)
                        let all = byMetric[name] ?? []
                        try writer.array(perMetric > 0 ? all.prefix(perMetric) : all[...], answer) { one, writer in
                            writer.object { write(one, &$0) }
                        }
                    }
                }
            }
        }
    }

    /// The memory of an entry of metadata in a list, without its texts, which the list shares.
    private static let bytesPerMetadata = 128

    /// The metadata of the targets, and of the store for metrics that no target exposes.
    private func allMetadata(_ wanted: String?, _ answer: AnswerAccount) throws -> [ExactText: [MetricMetadata]] {
        var byMetric: [ExactText: [MetricMetadata]] = [:]
        for entry in context.scrape?.metadata(metric: wanted) ?? [] {
            let name = ExactText(entry.metric)
            try answer.work(64 + 16 * (byMetric[name]?.count ?? 0))
            if byMetric[name]?.contains(entry.metadata) == true { continue }
            try answer.memory.charge(Self.bytesPerMetadata)
            byMetric[name, default: []].append(entry.metadata)
        }
        for (name, known) in context.store.metadata(metric: wanted.map { ExactText($0) }) where byMetric[name] == nil {
            try answer.memory.charge(Self.bytesPerMetadata)
            byMetric[name] = [known]
        }
        return byMetric
    }

    private func write(_ metadata: MetricMetadata, _ writer: inout JSONWriter) {
        for (key, value) in [("type", metadata.type.rawValue), ("help", metadata.help), ("unit", metadata.unit)] {
            writer.key(key)
            writer.string(value)
        }
    }

    func targetMetadata(_ request: HTTPRequest) throws -> HTTPResponse {
        var limit = -1
        if let text = request.parameter("limit"), !text.isEmpty {
            guard case .success(let number) = Parameters.integer(text) else {
                throw APIError.badData("limit must be a number")
            }
            limit = number
        }
        var matchers: [Matcher] = []
        if let text = request.parameter("match_target"), !text.isEmpty {
            let budget = context.engine.syntaxBudget(request)
            do throws(ParseError) { matchers = try PromQLParser.parseSelector(text, budget: budget) } catch {
                if let failure = budget.queryError { throw failure }
                throw APIError.parameter("match_target", "\(error)")
            }
        }
        let metric = request.parameter("metric").flatMap { $0.isEmpty ? nil : $0 }
        return try context.answer(request, overviews, .overview) { answer in
            let entries = try entries(metric, matchers, limit, answer)
            return try Envelope.success { writer in
                try writer.array(entries, answer) { entry, writer in
                    writer.object { writer in
                        writer.key("target")
                        ResultWriter.labels(entry.target, &writer)
                        if metric == nil {
                            writer.key("metric")
                            writer.string(entry.metric)
                        }
                        write(entry.metadata, &writer)
                    }
                }
            }
        }
    }

    private func entries(
        _ metric: String?, _ matchers: [Matcher], _ limit: Int, _ answer: AnswerAccount
    ) throws -> [TargetMetadata] {
        var entries: [TargetMetadata] = []
        for entry in context.scrape?.metadata(metric: metric) ?? [] {
            // The metadata of a target is written completely or not at all.
            if limit >= 0, entries.count >= limit, entries.last?.target != entry.target { break }
            try answer.work(64)
            guard matchers.allSatisfy({ $0.matches(entry.target) }) else { continue }
            try answer.memory.charge(Self.bytesPerMetadata)
            entries.append(entry)
        }
        return entries
    }
}
