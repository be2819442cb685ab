import Model

/// Converts an expression's result to the series of a recording rule.
enum RecordingRule {
    /// Sets the names and labels of the samples.
    static func evaluate(_ definition: RuleDefinition, _ samples: [RuleSample], limit: Int) throws(RuleError)
        -> [RuleSample]
    {
        var seen: Set<Labels> = []
        seen.reserveCapacity(samples.count)
        var result: [RuleSample] = []
        result.reserveCapacity(samples.count)
        for var sample in samples {
            var builder = LabelsBuilder(sample.labels)
            builder.set(Labels.nameLabel, definition.name)
            for label in definition.labels { builder.set(label.name, label.value) }
            sample.labels = builder.labels()
            guard seen.insert(sample.labels).inserted else {
                throw RuleError("vector contains metrics with the same labelset after applying rule labels")
            }
            result.append(sample)
        }
        if limit > 0, result.count > limit {
            throw RuleError("exceeded limit of \(limit) with \(result.count) series")
        }
        return result
    }
}
