import GoCompatibility
import Model

extension Evaluator {
    func absent(_ call: Call, _ grid: StepGrid) throws -> [Column] {
        var isThere = [Bool](repeating: false, count: grid.count)
        try stream(call.arguments[0], grid) { _, values, _ in
            for i in 0..<grid.count where Column.isPresent(values[i]) { isThere[i] = true }
        }
        return [
            Column(labels: Self.absentLabels(call.arguments[0]), values: isThere.map { $0 ? Column.absent : 1 })
        ].filter { !$0.isEmpty }
    }

    /// `sort` and `sort_desc`.
    func sort(_ call: Call, _ grid: StepGrid, descends: Bool) throws -> [Column] {
        var columns = try vector(call.arguments[0], grid)
        for i in columns.indices where !columns[i].histograms.isEmpty {
            // Histograms have no order.
            columns[i].histograms = []
            for k in columns[i].values.indices where Column.isHistogram(columns[i].values[k]) {
                columns[i].values[k] = Column.absent
            }
        }
        columns.removeAll { $0.isEmpty }
        guard sorts(call, grid) else { return columns }
        columns.removeAll { !Column.isFloat($0.values[0]) }
        // NaN comes last; equal values come in the order that Go's sort leaves them in.
        GoSort.sort(&columns) { a, b in
            let (x, y) = (a.values[0], b.values[0])
            return y.isNaN || (descends ? x > y : x < y)
        }
        return columns
    }

    /// Whether an order of series means anything: not over several steps, for which an annotation is made.
    private func sorts(_ call: Call, _ grid: StepGrid) -> Bool {
        if isInstant { return grid.count == 1 }
        if grid.count > 1, !Self.isConstantInTime(call.arguments[0]) {
            annotations.warn(
                "sort is ineffective for range queries since results are always ordered by labels", at: call.range)
        }
        return false
    }

    /// Whether all that an expression selects is fixed by `@`, so that each step has the same value.
    static func isConstantInTime(_ expression: Expression) -> Bool {
        switch expression {
        case .number, .string: true
        case .selector(let e): e.at != nil
        case .matrix(let e): e.selector.at != nil
        case .subquery(let e): e.at != nil
        case .unary(let e): isConstantInTime(e.operand)
        case .binary(let e): isConstantInTime(e.left) && isConstantInTime(e.right)
        case .aggregation(let e): (e.parameter.map(isConstantInTime) ?? true) && isConstantInTime(e.expression)
        case .call(let e):
            !e.function.traits.contains(.variesWithTime) && !isDateOfStep(e)
                && e.arguments.allSatisfy(isConstantInTime)
        case .parentheses(let e): isConstantInTime(e.expression)
        }
    }

    /// Whether a part of the date of each step is asked for.
    private static func isDateOfStep(_ call: Call) -> Bool {
        if case .datePart = call.function.kernel { call.arguments.isEmpty } else { false }
    }

    /// `sort_by_label` and `sort_by_label_desc`.
    func sortByLabel(_ call: Call, _ grid: StepGrid, descends: Bool) throws -> [Column] {
        let columns = try vector(call.arguments[0], grid)
        guard sorts(call, grid) else { return columns }
        var names: [String] = []
        for argument in call.arguments.dropFirst() { names.append(try string(argument)) }
        return try columns.sorted { a, b in
            try budget.check()
            for name in names {
                let order = NaturalOrder.compare(a.labels[name] ?? "", b.labels[name] ?? "")
                if order != 0 { return descends ? order > 0 : order < 0 }
            }
            return descends ? b.labels < a.labels : a.labels < b.labels
        }
    }

    private func relabelled(_ columns: [Column], setsName: Bool, _ change: (Labels) throws -> Labels?) throws
        -> [Column]
    {
        var result = columns
        for i in result.indices {
            try budget.check()
            try budget.reserve(0, bytes: QueryBudget.columnOverhead)
            guard let labels = try change(result[i].labels) else { continue }
            if setsName { result[i].dropsName = false }
            result[i].labels = labels
        }
        return try mergeEqualLabels(result)
    }

    /// Most bytes of a value that these functions make: nested, they can make it grow without bound, and a regular
    /// expression on a long text cannot be stopped.
    private static let longestValue = 16 << 20

    private static func checkLength(_ length: Int, _ call: Call) throws {
        guard length > longestValue else { return }
        throw QueryError.execution(
            "label value of \(length) bytes is too long in \(call.function.name)(): at most \(longestValue)")
    }

    func labelReplace(_ call: Call, _ grid: StepGrid) throws -> [Column] {
        let arguments = try call.arguments.dropFirst().map { try string($0) }
        let (destination, replacement, sourceLabel, pattern) = (arguments[0], arguments[1], arguments[2], arguments[3])
        let references = replacement.utf8.count { $0 == UInt8(ascii: "$") }
        let regex: AnchoredRegex
        do throws(AnchoredRegex.SyntaxError) {
            regex = try AnchoredRegex(pattern)
        } catch {
            throw QueryError.execution("invalid regular expression in label_replace(): \(pattern)")
        }
        guard !destination.isEmpty else {
            throw QueryError.execution("invalid destination label name in label_replace(): \(destination)")
        }
        return try relabelled(try vector(call.arguments[0], grid), setsName: destination == Labels.nameLabel) {
            labels in
            let source = labels[sourceLabel] ?? ""
            // Each group is at most the whole source.
            let most = replacement.utf8.count + references * source.utf8.count
            try budget.check(bytes: labels.bytes.count + most)
            try budget.reserve(0, bytes: labels.bytes.count + most)
            guard let value = regex.expand(replacement, matching: source) else { return nil }
            try Self.checkLength(value.utf8.count, call)
            var builder = LabelsBuilder(labels)
            builder.set(destination, value)
            return builder.labels()
        }
    }

    func labelJoin(_ call: Call, _ grid: StepGrid) throws -> [Column] {
        let arguments = try call.arguments.dropFirst().map { try string($0) }
        let (destination, separator, sources) = (arguments[0], arguments[1], arguments.dropFirst(2))
        for name in sources where name.isEmpty {
            throw QueryError.execution("invalid source label name in label_join(): \(name)")
        }
        guard !destination.isEmpty else {
            throw QueryError.execution("invalid destination label name in label_join(): \(destination)")
        }
        return try relabelled(try vector(call.arguments[0], grid), setsName: destination == Labels.nameLabel) {
            labels in
            let texts = sources.map { labels[$0] ?? "" }
            let length = texts.reduce(0) { $0 + $1.utf8.count } + separator.utf8.count * max(0, texts.count - 1)
            try Self.checkLength(length, call)
            try budget.check(bytes: labels.bytes.count + length)
            try budget.reserve(0, bytes: labels.bytes.count + length)
            var builder = LabelsBuilder(labels)
            builder.set(destination, texts.joined(separator: separator))
            return builder.labels()
        }
    }
}

/// Order of strings in which runs of digits compare as numbers.
enum NaturalOrder {
    static func compare(_ a: String, _ b: String) -> Int {
        let (x, y) = (chunks(a), chunks(b))
        for (left, right) in zip(x, y) {
            if let m = Double(left), let n = Double(right), left.utf8.allSatisfy(isDigit),
                right.utf8.allSatisfy(isDigit)
            {
                if m != n { return m < n ? -1 : 1 }
            } else if left != right {
                return left.utf8.lexicographicallyPrecedes(right.utf8) ? -1 : 1
            }
        }
        return x.count - y.count
    }

    private static func isDigit(_ c: UInt8) -> Bool { c >= 0x30 && c <= 0x39 }

    private static func chunks(_ text: String) -> [String] {
        var result: [[UInt8]] = []
        var wasDigit = false
        for c in text.utf8 {
            if result.isEmpty || isDigit(c) != wasDigit { result.append([]) }
            result[result.count - 1].append(c)
            wasDigit = isDigit(c)
        }
        return result.map { String(decoding: $0, as: UTF8.self) }
    }
}
