import GoCompatibility
import Model

/// Runs test scripts against an engine.
package struct PromQLTestRunner {
    /// The result of a script.
    package struct Report: Sendable {
        package var passed = 0
        /// The line and the reason of each failure, by line.
        package var failures: [(line: Int, message: String)] = []
        package var failed: Int { failures.count }
    }

    /// The settings for which the scripts were written: everything enabled, and one minute for subqueries without a
    /// step.
    package static var options: EngineOptions {
        var options = EngineOptions()
        options.parser = .all
        options.delayedNameRemoval = true
        options.defaultSubqueryStep = 60_000
        options.usesStartTimes = true
        return options
    }

    /// Runs a script; each `eval` counts as one test.
    ///
    /// An instant query is also evaluated with its time fixed by `@`, at other times, and in the middle of a range
    /// query.
    package static func run(script: String, engine: QueryEngine) -> Report {
        var report = Report()
        let commands: [(line: Int, command: TestScript.Command)]
        do throws(TestScript.SyntaxError) {
            commands = try TestScript(script).commands
        } catch {
            report.failures.append((error.line, error.message))
            return report
        }
        var store = ScriptStore()
        for (line, command) in commands {
            switch command {
            case .clear: store = ScriptStore()
            case .load(let load): self.load(load, into: store)
            case .evaluate(let evaluation):
                do {
                    try evaluate(evaluation, store, engine)
                    report.passed += 1
                } catch {
                    report.failures.append((line, "\(evaluation.query): \(error)"))
                }
            }
        }
        return report
    }

    // MARK: Loading

    private static func load(_ load: TestScript.Load, into store: ScriptStore) {
        for (index, (labels, values)) in load.series.enumerated() {
            store.append(labels, values, gap: load.gap, starts: load.starts[index] ?? [])
        }
        if load.convertsClassic { convertClassic(load, into: store) }
    }

    /// Adds a native histogram with custom bounds for each classic one.
    private static func convertClassic(_ load: TestScript.Load, into store: ScriptStore) {
        var histograms: [Labels: [Int: ClassicHistogram]] = [:]
        for (labels, values) in load.series {
            let name = labels.metricName
            guard let suffix = ["_bucket", "_count", "_sum"].first(where: name.hasSuffix) else { continue }
            var bound = 0.0
            if suffix == "_bucket" {
                guard let text = labels["le"], let parsed = ClassicBuckets.bound(text), !parsed.isNaN else { continue }
                bound = parsed
            }
            var builder = LabelsBuilder(labels.removing(["le"]))
            builder.set(Labels.nameLabel, String(name.dropLast(suffix.count)))
            let target = builder.labels()
            for (index, value) in values.enumerated() {
                guard case .float(let value)? = value, !Staleness.isMarker(value) else { continue }
                switch suffix {
                case "_bucket":
                    histograms[target, default: [:]][index, default: .init()].add(bound: bound, count: value)
                case "_count": histograms[target, default: [:]][index, default: .init()].count = value
                default: histograms[target, default: [:]][index, default: .init()].sum = value
                }
            }
        }
        for (labels, byIndex) in histograms {
            for (index, classic) in byIndex.sorted(by: { $0.key < $1.key }) {
                guard !classic.isEmpty, let histogram = classic.converted() else { continue }
                store.append(labels, Int64(index) &* load.gap, .histogram(histogram))
            }
        }
    }

    // MARK: Evaluating

    private static func evaluate(
        _ evaluation: TestScript.Evaluation, _ store: ScriptStore, _ engine: QueryEngine
    ) throws {
        let times = evaluation.times
        guard evaluation.isInstant else {
            return try check(evaluation) { () throws(QueryError) in
                try engine.range(
                    evaluation.query, source: store, start: times.start, end: times.end, step: times.step)
            } compare: {
                try ResultComparison.compare(evaluation, $0)
            }
        }
        try check(evaluation) { () throws(QueryError) in
            try engine.instant(evaluation.query, source: store, at: times.start)
        } compare: {
            try ResultComparison.compare(evaluation, $0)
        }
        guard evaluation.failure == nil else { return }
        for (query, time) in FixedTime.variants(evaluation.query, at: times.start) {
            do {
                try ResultComparison.compare(evaluation, try engine.instant(query, source: store, at: time))
            } catch {
                throw ResultComparison.Difference(description: "as \(query) at \(time): \(error)")
            }
        }
        guard !evaluation.isOrdered, evaluation.string == nil, evaluation.rangeVector == nil,
            !FixedTime.dependsOnRange(evaluation.query)
        else { return }
        do {
            let result = try engine.range(
                evaluation.query, source: store, start: times.start - 60_000, end: times.start + 60_000, step: 60_000)
            try ResultComparison.compareStep(evaluation, result, 1)
        } catch {
            throw ResultComparison.Difference(description: "as a range query: \(error)")
        }
    }

    private static func check(
        _ evaluation: TestScript.Evaluation, _ body: () throws(QueryError) -> QueryResult,
        compare: (QueryResult) throws -> Void
    ) throws {
        let result: QueryResult
        do throws(QueryError) {
            result = try body()
        } catch {
            guard let expected = evaluation.failure else { throw error }
            guard expected.matches(error.description) else {
                throw ResultComparison.Difference(description: "expected failure \(expected), got \(error)")
            }
            return
        }
        if evaluation.failure != nil {
            throw ResultComparison.Difference(description: "expected a failure, got \(result.value)")
        }
        try compare(result)
        try check("warning", evaluation.warnings, result.warnings)
        try check("info", evaluation.infos, result.infos)
    }

    private static func check(
        _ kind: String, _ expected: TestScript.AnnotationExpectation, _ found: [String]
    ) throws {
        if expected.isForbidden, !found.isEmpty {
            throw ResultComparison.Difference(description: "unexpected \(kind) \(found)")
        }
        guard !expected.patterns.isEmpty else { return }
        for pattern in expected.patterns where !found.contains(where: pattern.matches) {
            throw ResultComparison.Difference(description: "expected \(kind) \(pattern), got \(found)")
        }
        for text in found where !expected.patterns.contains(where: { $0.matches(text) }) {
            throw ResultComparison.Difference(description: "unexpected \(kind) \(GoQuote.quote(text))")
        }
    }
}
