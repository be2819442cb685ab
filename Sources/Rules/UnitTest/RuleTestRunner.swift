import Config
import GoCompatibility
import Model
import Platform
import PromQL

/// Runs rule unit-test files as `promtool test rules` does, with its output.
package struct RuleTestRunner: Sendable {
    private let tools: RuleTestTools
    /// Whether unknown keys are ignored, in the tests and in rules.
    private let ignoresUnknownKeys: Bool
    /// Whether rules may have martlet's own keys.
    private let readsOwnKeys: Bool

    package init(_ tools: RuleTestTools, ignoresUnknownKeys: Bool = false, readsOwnKeys: Bool = false) {
        self.tools = tools
        self.readsOwnKeys = readsOwnKeys
        self.ignoresUnknownKeys = ignoresUnknownKeys
    }

    /// The result of one file.
    package struct Report: Sendable {
        package var warnings: [String] = []
        /// One text per failure in promtool's format; empty for success.
        package var failures: [String] = []
        /// The number of test groups that were run.
        package var groups = 0
    }

    /// Runs files one after another, and prints the output of promtool.
    ///
    /// - Parameters:
    ///   - run: Names of test groups must match one of these, if there are any.
    ///   - output: Standard output, one line per call; `failure`, standard error.
    /// - Returns: Whether all succeeded; false if no name matches, because then nothing was tested.
    package func run(
        files: [String], run patterns: [SearchRegex] = [], output: (String) -> Void, failure: (String) -> Void
    ) -> Bool {
        var succeeded = true
        var groups = 0
        for file in files {
            output("Unit Testing:  \(file)")
            let report = run(file: file, run: patterns)
            groups += report.groups
            for warning in report.warnings { output("  WARNING: \(warning)") }
            if report.failures.isEmpty {
                output("  SUCCESS")
            } else {
                succeeded = false
                failure("  FAILED:")
                for text in report.failures {
                    failure(text)
                    output("")
                }
            }
            output("")
        }
        if succeeded, groups == 0, !patterns.isEmpty {
            failure("  FAILED: no test group has a name that was asked for")
            return false
        }
        return succeeded
    }

    /// Runs one file.
    package func run(file path: String, run patterns: [SearchRegex] = []) -> Report {
        var report = Report()
        do {
            let file = try RuleTestFileLoader.load(path: path, ignoresUnknownKeys: ignoresUnknownKeys)
            var ruleFiles: [RuleFile] = []
            for pattern in file.ruleFiles {
                let paths = try FileGlob.expand(pattern)
                if paths.isEmpty { report.warnings.append("no file match pattern \(pattern)") }
                for path in paths where !ruleFiles.contains(where: { $0.path == path }) {
                    ruleFiles.append(
                        try RuleFileLoader.load(
                            path: path, ignoresUnknownKeys: ignoresUnknownKeys, readsOwnKeys: readsOwnKeys))
                }
            }
            for test in file.tests where patterns.isEmpty || patterns.contains(where: { $0.matches(test.name) }) {
                report.groups += 1
                report.failures += run(test, of: file, ruleFiles)
            }
        } catch {
            report.failures.append("\(error)")
        }
        return report
    }

    // MARK: One scenario

    /// The input samples of one series that have not been appended yet.
    private struct Input {
        var ref: SeriesRef
        var values: [SeriesNotation.Value?]
        var next = 0
    }

    private func run(_ test: RuleTestGroup, of file: RuleTestFile, _ ruleFiles: [RuleFile]) -> [String] {
        let (definitions, errors) = RuleSet.definitions(
            ruleFiles, evaluationInterval: test.interval, parse: tools.parseExpression)
        if !errors.isEmpty { return errors.map(\.description) }
        let store = ArrayStore()
        let series = store.openGroup("input")
        let interval = file.evaluationInterval
        let tools = tools
        let environment = RuleEnvironment(
            query: { expression, time, _ in try tools.query(store, expression, time, interval) },
            queryText: { text, time in
                let expression = try tools.parseExpression(text)
                return try tools.query(store, expression, time, interval).samples(forTemplate: expression.syntax)
            }, histogramText: tools.histogramText, store: store, source: store, clock: SystemClock(),
            externalLabels: Labels(test.externalLabels.map { ($0.name, $0.value) }), externalURL: test.externalURL)
        var groups: [RuleGroup] = []
        var inputs: [Input] = []
        var places: [SeriesRef: Int] = [:]
        do {
            for definition in definitions {
                groups.append(RuleGroup(try RuleGroup.Compiled(definition), needsRestore: false, store: store))
            }
            for (index, input) in test.inputSeries.enumerated() {
                do {
                    let (labels, parsed) = try tools.parseSeries(input.series, input.values, index + 1)
                    let ref = store.resolve(labels, in: series)
                    // If a series is defined twice, the last values are used.
                    if let known = places.updateValue(places[ref] ?? inputs.count, forKey: ref) {
                        inputs[known].values = parsed
                    } else {
                        inputs.append(Input(ref: ref, values: parsed))
                    }
                } catch let error as ParseError {
                    // Its position is one in a text that is not in the file.
                    return [input.place.error("parse error: \(error.message)").description]
                } catch { return [input.place.error("\(error)").description] }
            }
        } catch { return ["\(error)"] }
        let order = [ExactText: Int](file.groupOrder.enumerated().map { (ExactText($0.element), $0.offset) }) { a, _ in
            a
        }
        // Stable: groups of equal order stay as they are in the files.
        groups = groups.enumerated().sorted {
            let (a, b) = (
                order[ExactText($0.element.definition.name)] ?? 0, order[ExactText($1.element.definition.name)] ?? 0
            )
            return a == b ? $0.offset < $1.offset : a < b
        }.map(\.element)
        return evaluate(test, interval, &groups, &inputs, store, environment)
            + checkExpressions(test, file, store, interval)
    }

    /// Evaluates the groups from the start to the last requested time, and compares alerts at the requested times.
    private func evaluate(
        _ test: RuleTestGroup, _ interval: Int64, _ groups: inout [RuleGroup], _ inputs: inout [Input],
        _ store: ArrayStore, _ environment: RuleEnvironment
    ) -> [String] {
        var failures: [String] = []
        let last = (test.alertTests.map(\.time) + test.expressionTests.map(\.time)).max() ?? 0
        var elapsed: Int64 = 0
        while elapsed <= last {
            let time = test.startTime &+ elapsed
            for index in inputs.indices { append(&inputs[index], until: elapsed, test, store) }
            var errors: [String] = []
            for index in groups.indices {
                groups[index].evaluate(at: time, environment)
                for rule in groups[index].rules {
                    guard let error = rule.health.lastError else { continue }
                    errors.append(
                        "    rule: \(rule.definition.name), time: \(DurationText.format(time)), err: \(error)")
                }
            }
            failures += errors
            if !errors.isEmpty { return failures }
            for check in test.alertTests where check.time >= elapsed && check.time < elapsed + interval {
                if let failure = Self.compare(check, groups, test) { failures.append(failure) }
            }
            elapsed += interval
        }
        return failures
    }

    private func append(_ input: inout Input, until elapsed: Int64, _ test: RuleTestGroup, _ store: ArrayStore) {
        var batch = SampleBatch()
        while input.next < input.values.count, Int64(input.next) * test.interval <= elapsed {
            let time = test.startTime &+ Int64(input.next) * test.interval
            switch input.values[input.next] {
            case .float(let value): batch.append(input.ref, value, at: time)
            case .histogram(let histogram): batch.append(input.ref, histogram, at: time)
            case nil: break
            }
            input.next += 1
        }
        if batch.count > 0 { _ = try? store.commit(batch, in: SeriesGroup(raw: 0), durability: .whenPossible) }
    }

    // MARK: Alerts

    private struct AlertText: Equatable {
        var labels: Labels
        var annotations: Labels

        static func isBefore(_ a: AlertText, _ b: AlertText) -> Bool {
            a.labels == b.labels ? a.annotations < b.annotations : a.labels < b.labels
        }
    }

    private static func compare(
        _ check: RuleTestGroup.AlertTest, _ groups: [RuleGroup], _ test: RuleTestGroup
    ) -> String? {
        var got: [AlertText] = []
        for rule in groups.flatMap(\.rules) where rule.definition.name.isExactly(check.alertName) {
            for alert in rule.alerting?.alerts ?? [] where alert.state == .firing {
                got.append(AlertText(labels: alert.labels, annotations: alert.annotations))
            }
        }
        var expected = check.expected.map { labels, annotations in
            AlertText(
                labels: Labels(keepingEmpty: labels.map { ($0.name, $0.value) } + [("alertname", check.alertName)]),
                annotations: Labels(keepingEmpty: annotations.map { ($0.name, $0.value) }))
        }
        got.sort(by: AlertText.isBefore)
        expected.sort(by: AlertText.isBefore)
        if got == expected { return nil }
        return heading(test)
            + "    alertname: \(check.alertName), time: \(DurationText.format(check.time)), \n"
            + "        exp:\(show(expected)), \n        got:\(show(got))"
    }

    /// The heading of a test with a name.
    private static func heading(_ test: RuleTestGroup) -> String {
        test.name.isEmpty || test.name.hasPrefix("unnamed#") ? "" : "    name: \(test.name),\n"
    }

    private static func show(_ alerts: [AlertText]) -> String {
        if alerts.isEmpty { return "[]" }
        let lines = alerts.enumerated().map { index, alert in
            "\(index):\n  Labels:\(alert.labels)\n  Annotations:\(alert.annotations)"
        }
        return "[\n\(lines.joined(separator: ",\n"))\n]".replacingNewlines(with: "\n            ")
    }

    // MARK: Expressions

    private struct SampleText: Equatable {
        var labels: Labels
        var value: Double
        var histogram: String

        var text: String {
            "\(labels) " + (histogram.isEmpty ? FloatText.exponent(value).replacingExponent : histogram)
        }

        func isEqual(_ other: SampleText, fuzzy: Bool) -> Bool {
            guard labels == other.labels, histogram == other.histogram else { return false }
            if !histogram.isEmpty || (value.isNaN && other.value.isNaN) || value == other.value { return true }
            return fuzzy && value.nextDown <= other.value && other.value <= value.nextUp
        }
    }

    private func checkExpressions(
        _ test: RuleTestGroup, _ file: RuleTestFile, _ store: ArrayStore, _ interval: Int64
    ) -> [String] {
        test.expressionTests.compactMap { check in
            let start = "    expr: \(GoQuote.quote(check.expression)), time: \(DurationText.format(check.time)),"
            do {
                var got = try tools.query(
                    store, try tools.parseExpression(check.expression), test.startTime &+ check.time, interval
                ).samples().map { sample in
                    SampleText(
                        labels: sample.labels, value: sample.histogram == nil ? sample.value : 0,
                        histogram: sample.histogram.map(tools.histogramText) ?? "")
                }
                var expected: [SampleText] = []
                for (labels, value, histogram) in check.expected {
                    do {
                        let parsed = labels.isEmpty ? Labels.empty : try tools.parseMetric(labels)
                        expected.append(
                            SampleText(
                                labels: parsed, value: histogram.isEmpty ? value : 0,
                                histogram: histogram.isEmpty
                                    ? "" : tools.histogramText(try tools.parseHistogram(histogram))))
                    } catch { return "\(start) err: labels \(GoQuote.quote(labels)): \(error)" }
                }
                got.sort { $0.labels < $1.labels }
                expected.sort { $0.labels < $1.labels }
                let isSame =
                    got.count == expected.count
                    && zip(expected, got).allSatisfy { $0.isEqual($1, fuzzy: file.fuzzyCompare) }
                if isSame { return nil }
                func show(_ samples: [SampleText]) -> String {
                    samples.isEmpty ? "nil" : samples.map(\.text).joined(separator: ", ")
                }
                return "\(start)\n        exp: \(show(expected))\n        got: \(show(got))"
            } catch { return "\(start) err: \(error)" }
        }
    }
}

extension String {
    fileprivate func replacingNewlines(with text: String) -> String {
        split(separator: "\n", omittingEmptySubsequences: false).joined(separator: text)
    }

    /// The text with Go's `E` in place of `e`, except in names of special values.
    fileprivate var replacingExponent: String {
        String(map { $0 == "e" ? "E" : $0 })
    }
}
