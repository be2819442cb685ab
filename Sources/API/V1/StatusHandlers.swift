import Glibc
import GoCompatibility
import HTTP
import JSON
import Model
import Platform

/// `status/…` and the admin endpoints.
struct StatusHandlers: Sendable {
    let context: APIContext
    let admission: QueryAdmission
    let changes: QueryAdmission

    private func object(_ members: [(String, JSONValue)]) -> HTTPResponse {
        Envelope.success { $0.value(.object(members.map { (key: $0.0, value: $0.1) })) }
    }

    func configuration(_ request: HTTPRequest) -> HTTPResponse {
        object([("yaml", .string(context.control.configurationText))])
    }

    func flags(_ request: HTTPRequest) -> HTTPResponse {
        object(context.settings.flags.map { ($0.name, .string($0.value)) })
    }

    func build(_ request: HTTPRequest) -> HTTPResponse {
        Envelope.success { $0.value(Self.facts(context.settings.build)) }
    }

    /// The facts about a build, for `status/buildinfo` and `version`.
    static func facts(_ build: BuildInformation) -> JSONValue {
        .object([
            ("version", .string(build.version)), ("revision", .string(build.revision)),
            ("branch", .string(build.branch)), ("buildUser", .string(build.buildUser)),
            ("buildDate", .string(build.buildDate)), ("goVersion", .string("swift" + ProductVersion.swift)),
        ])
    }

    /// The last samples that were not stored, each with the newest sample of its series.
    func rejectedSamples(_ request: HTTPRequest) throws -> HTTPResponse {
        try context.answer(request) { answer in
            try Envelope.success { writer in
                try writer.array(context.store.lastRejected, answer) { sample, writer in
                    writer.object { writer in
                        writer.key("labels")
                        writer.object { writer in
                            for pair in sample.labels.pairs {
                                writer.key(pair.name)
                                writer.string(pair.value)
                            }
                        }
                        for (name, text) in [
                            ("job", sample.job), ("reason", sample.reason.rawValue),
                            ("time", RFC3339.text(sample.time)), ("value", FloatText.api(sample.value)),
                            ("newestTime", sample.newestTime.map { RFC3339.text($0) }),
                            ("newestValue", sample.newestValue.map { FloatText.api($0) }),
                        ] {
                            guard let text else { continue }
                            writer.key(name)
                            writer.string(text)
                        }
                    }
                }
            }
        }
    }

    /// Conditions that need attention, as the web pages of Prometheus show them.
    func notifications(_ request: HTTPRequest) -> HTTPResponse {
        var active: [String] = []
        if !context.control.lastReload.succeeded { active.append("Configuration reload has failed.") }
        if let reason = context.store.unhealthyReason { active.append("The storage accepts no samples: \(reason)") }
        active += context.store.missingParts.map { "Answers are incomplete: \($0)." }
        if context.control.isStopping {
            active.append("Prometheus is shutting down and gracefully stopping all operations.")
        }
        let now = JSONValue.string(RFC3339.text(context.clock.now()))
        let shown = active.map { text in
            JSONValue.object([
                (key: "text", value: .string(text)), (key: "date", value: now), (key: "active", value: .bool(true)),
            ])
        }
        return Envelope.success { $0.value(.array(shown)) }
    }

    func runtime(_ request: HTTPRequest) -> HTTPResponse {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let folder = getcwd(nil, 0).map { pointer in
            defer { free(pointer) }
            return String(cString: pointer)
        }
        let reload = context.control.lastReload
        return object([
            ("startTime", .string(RFC3339.text(context.settings.startTime))), ("CWD", .string(folder ?? "")),
            ("hostname", .string(host)), ("serverTime", .string(RFC3339.text(context.clock.now()))),
            ("reloadConfigSuccess", .bool(reload.succeeded)),
            ("lastConfigTime", .string(RFC3339.text(reload.time))),
            ("corruptionCount", .number(Double(context.store.damagedRecords))),
            ("goroutineCount", .number(0)),
            ("GOMAXPROCS", .number(Double(sysconf(Int32(_SC_NPROCESSORS_ONLN))))), ("GOMEMLIMIT", .number(0)),
            ("GOGC", .string("")), ("GODEBUG", .string("")), ("storageRetention", .string(context.store.retentionText)),
        ])
    }

    func store(_ request: HTTPRequest) throws -> HTTPResponse {
        var limit = 10
        if let text = request.parameter("limit"), !text.isEmpty {
            guard case .success(let number) = Parameters.integer(text), number > 0 else {
                throw APIError.badData("limit must be a positive number")
            }
            if number > 10_000 { throw APIError.badData("limit must not exceed 10000") }
            limit = number
        }
        let figures = try admission.run(.statistics, request, context.engine) { context.store.figures(limit: limit) }
        func list(_ entries: StoreFigures.List) -> JSONValue {
            .array(entries.map { .object([("name", .string($0.name)), ("value", .number(Double($0.value)))]) })
        }
        return Envelope.success { writer in
            writer.object { writer in
                writer.key("headStats")
                writer.object { writer in
                    let numbers: [(String, Int64)] = [
                        ("numSeries", Int64(figures.series)), ("numLabelPairs", Int64(figures.labelPairs)),
                        ("chunkCount", Int64(figures.chunks)), ("minTime", figures.minTime ?? .max),
                        ("maxTime", figures.maxTime ?? .min),
                    ]
                    for (name, number) in numbers {
                        writer.key(name)
                        writer.integer(number)
                    }
                }
                for (name, entries) in [
                    ("seriesCountByMetricName", figures.seriesByMetric),
                    ("labelValueCountByLabelName", figures.valuesByLabel),
                    ("memoryInBytesByLabelName", figures.bytesByLabel),
                    ("seriesCountByLabelValuePair", figures.seriesByPair),
                ] {
                    writer.key(name)
                    writer.value(list(entries))
                }
            }
        }
    }

    func replay(_ request: HTTPRequest) -> HTTPResponse {
        object([("min", .number(0)), ("max", .number(0)), ("current", .number(0))])
    }

    // MARK: Admin

    private func requireAdmin() throws(APIError) {
        guard context.settings.enablesAdmin else { throw .unavailable("admin APIs disabled") }
    }

    /// Changes the store, if this is enabled, when it is the request's turn.
    private func change(_ request: HTTPRequest, _ body: () throws -> HTTPResponse) throws -> HTTPResponse {
        try requireAdmin()
        return try changes.run(.change, request, context.engine, body)
    }

    func snapshot(_ request: HTTPRequest) throws -> HTTPResponse {
        try change(request) {
            let skipsHead = try Parameters.boolean(
                request, "skip_head", "unable to parse boolean 'skip_head' argument")
            return object([("name", .string(try context.store.snapshot(skipsHead: skipsHead ?? false)))])
        }
    }

    func deleteSeries(_ request: HTTPRequest) throws -> HTTPResponse {
        try change(request) {
            try Parameters.check(request)
            if request.parameters("match[]").isEmpty { throw APIError.badData("no match[] parameter provided") }
            let (start, end) = try Parameters.range(request)
            let selectors = try Parameters.selectors(request, context.engine, .named)
            for matchers in selectors { _ = try context.store.deleteSeries(matchers, minTime: start, maxTime: end) }
            return HTTPResponse(status: 204)
        }
    }

    func cleanTombstones(_ request: HTTPRequest) throws -> HTTPResponse {
        try change(request) {
            try context.store.cleanTombstones()
            return HTTPResponse(status: 204)
        }
    }
}
