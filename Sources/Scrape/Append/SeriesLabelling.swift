import Config
import Exposition
import GoCompatibility
import Model

/// Makes the labels of a series from the labels of a line: target labels, relabelling, checks and limits.
struct SeriesLabelling: Sendable {
    let target: Labels
    let honorLabels: Bool
    let rules: [RelabelRule]
    let limits: ScrapeLimits
    let validation: NameValidation

    init(target: Labels, config: ScrapeConfig) {
        self.target = target
        honorLabels = config.honorLabels
        rules = config.metricRelabelRules
        limits = config.limits
        validation = config.metricNameValidation
    }

    /// The labels of the series, or nil if the rules drop it.
    ///
    /// - Parameters:
    ///   - type: The type of the family, from the last TYPE line: bounds and quantiles are written as in OpenMetrics.
    ///   - typeAndUnit: The type and unit that replace labels of these names in the line.
    func labels(
        _ text: SeriesText, type: MetricType, typeAndUnit: TypeAndUnit
    ) throws(ScrapeFailure) -> Labels? {
        let added = typeAndUnit.labels
        let special: String? =
            switch type {
            case .histogram: "le"
            case .summary: "quantile"
            default: nil
            }
        if rules.isEmpty, special == nil, let labels = merge(text, added) {
            try check(labels)
            return labels
        }
        var page = LabelsBuilder()
        var present: Set<ExactText> = []
        var repeated: String?
        if text.metricName != nil { present.insert(ExactText(Labels.nameLabel)) }
        for pair in text.pairs {
            let name = text.string(pair.name)
            if added.contains(where: { $0.name.isExactly(name) }) { continue }
            // Relabelling sees the first value, and may take the label or the whole series away, so the error waits until
            // then.
            guard present.insert(ExactText(name)).inserted else {
                repeated = repeated ?? name
                continue
            }
            let value = text.string(pair.value)
            page.set(name, name == special ? LabelFloat.normalised(value) : value)
        }
        for label in added {
            present.insert(ExactText(label.name))
            page.set(label.name, label.value)
        }
        if let name = text.metricName { page.set(Labels.nameLabel, text.string(name)) }
        var builder = page
        mix(&builder, page: page, present: present)
        guard Relabel.apply(rules, to: &builder) else { return nil }
        let labels = builder.labels()
        if labels.isEmpty { return nil }
        try check(labels)
        if let repeated, !page.get(repeated).isEmpty, builder.get(repeated).isExactly(page.get(repeated)),
            honorLabels || target[repeated] == nil
        {
            throw ScrapeFailure(.labels, "label name \(GoQuote.quote(repeated)) is not unique: invalid sample")
        }
        return labels
    }

    /// Merges the labels of target and line as bytes; nil if names conflict and must be resolved.
    private func merge(_ text: SeriesText, _ added: [Label]) -> Labels? {
        guard let metric = text.metricName else { return nil }
        struct Entry {
            var isTarget: Bool
            var name: Range<Int>
            var value: Range<Int>
        }
        var isClean = true
        var packed: [UInt8] = []
        let nameLabel = Labels.nameLabel
        var bytes = text.bytes
        let nameStart = bytes.count
        bytes.append(contentsOf: nameLabel.utf8)
        var entries = [Entry(isTarget: false, name: nameStart..<bytes.count, value: metric)]
        entries.reserveCapacity(text.pairs.count + 8)
        for pair in text.pairs { entries.append(Entry(isTarget: false, name: pair.name, value: pair.value)) }
        for label in added {
            let start = bytes.count
            bytes.append(contentsOf: label.name.utf8)
            let middle = bytes.count
            bytes.append(contentsOf: label.value.utf8)
            entries.append(Entry(isTarget: false, name: start..<middle, value: middle..<bytes.count))
        }
        target.forEachBytes { name, value in
            let start = bytes.count
            bytes.append(contentsOf: name)
            let middle = bytes.count
            bytes.append(contentsOf: value)
            entries.append(Entry(isTarget: true, name: start..<middle, value: middle..<bytes.count))
        }
        bytes.withUnsafeBufferPointer { bytes in
            func run(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(rebasing: bytes[range]) }
            for i in 1..<entries.count {
                var at = i
                while at > 0 {
                    let order = Labels.compare(run(entries[at - 1].name), run(entries[at].name))
                    if order == 0 { isClean = false }
                    if order <= 0 { break }
                    entries.swapAt(at - 1, at)
                    at -= 1
                }
            }
            guard isClean else { return }
            packed.reserveCapacity(bytes.count + 2 * entries.count)
            for entry in entries where !entry.value.isEmpty {
                Labels.appendRun(run(entry.name), to: &packed)
                Labels.appendRun(run(entry.value), to: &packed)
            }
        }
        return isClean ? Labels(packed: packed) : nil
    }

    /// Adds the target's labels and resolves conflicts.
    private func mix(_ builder: inout LabelsBuilder, page: LabelsBuilder, present: Set<ExactText>) {
        var clashing: [Label] = []
        for label in target.pairs {
            if honorLabels {
                if !present.contains(ExactText(label.name)) { builder.set(label.name, label.value) }
            } else {
                let exposed = page.get(label.name)
                if !exposed.isEmpty { clashing.append(Label(name: label.name, value: exposed)) }
                builder.set(label.name, label.value)
            }
        }
        for label in clashing.sorted(by: { $0.name.utf8.count < $1.name.utf8.count }) {
            var name = "exported_" + label.name
            while !builder.get(name).isEmpty { name = "exported_" + name }
            builder.set(name, label.value)
        }
    }

    private func check(_ labels: Labels) throws(ScrapeFailure) {
        let metric = labels.metricName
        if metric.isEmpty { throw ScrapeFailure(.labels, "missing metric name (__name__ label)") }
        // Relabelling can make the empty name, which no validation scheme allows.
        let isValid =
            validation == .legacy
            ? MetricName.isLegacy(metric) && labels.pairs.allSatisfy { LabelName.isLegacy($0.name) }
            : labels.allNames { !$0.isEmpty }
        if !isValid {
            throw ScrapeFailure(.labels, "invalid metric name or label names: \(labels.metricDescription)")
        }
        if limits.labels > 0 {
            let count = labels.count
            if count > limits.labels {
                throw ScrapeFailure(
                    .labelLimit,
                    "label_limit exceeded (metric: \(metric.prefix(50)), number of labels: \(count), "
                        + "limit: \(limits.labels))")
            }
        }
        guard limits.labelNameLength > 0 || limits.labelValueLength > 0 else { return }
        let shown = metric.prefix(50)
        for label in labels.pairs {
            let (name, value) = (label.name.utf8.count, label.value.utf8.count)
            if limits.labelNameLength > 0, name > limits.labelNameLength {
                throw ScrapeFailure(
                    .labelLimit,
                    "label_name_length_limit exceeded (metric: \(shown), label name: \(label.name.prefix(50)), "
                        + "length: \(name), limit: \(limits.labelNameLength))")
            }
            if limits.labelValueLength > 0, value > limits.labelValueLength {
                throw ScrapeFailure(
                    .labelLimit,
                    "label_value_length_limit exceeded (metric: \(shown), label name: \(label.name.prefix(50)), "
                        + "value: \(GoQuote.quote(String(label.value.prefix(50)))), length: \(value), "
                        + "limit: \(limits.labelValueLength))")
            }
        }
    }
}
