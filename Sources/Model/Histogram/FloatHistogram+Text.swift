extension FloatHistogram: CustomStringConvertible {
    /// `{count:3, sum:2.5, [-0.001,0.001]:1, (1,2]:2}`: non-empty buckets in order of their bounds.
    public var description: String {
        var parts = ["count:\(FloatText.general(count))", "sum:\(FloatText.general(sum))"]
        for bucket in ascendingBuckets() where bucket.count != 0 {
            let open = bucket.lowerInclusive ? "[" : "("
            let close = bucket.upperInclusive ? "]" : ")"
            parts.append(
                "\(open)\(FloatText.general(bucket.lower)),\(FloatText.general(bucket.upper))\(close)"
                    + ":\(FloatText.general(bucket.count))")
        }
        return "{" + parts.joined(separator: ", ") + "}"
    }

    /// The notation of test scripts, `{{schema:1 count:3 sum:2.5 buckets:[1 0 2]}}`.
    ///
    /// If the buckets are too far apart to be written as one range, the text is ``description``.
    public var testNotation: String {
        var parts: [String] = []
        func field(_ name: String, _ value: Double) {
            if value != 0 { parts.append("\(name):\(FloatText.general(value))") }
        }
        func list(_ values: [Double]) -> String { "[" + values.map(FloatText.general).joined(separator: " ") + "]" }
        if schema != 0 { parts.append("schema:\(schema)") }
        field("count", count)
        field("sum", sum)
        field("z_bucket", zeroCount)
        field("z_bucket_w", zeroThreshold)
        if usesCustomBuckets { parts.append("custom_values:\(list(customBounds))") }
        switch resetHint {
        case .unknown: break
        case .reset: parts.append("counter_reset_hint:reset")
        case .notReset: parts.append("counter_reset_hint:not_reset")
        case .gauge: parts.append("counter_reset_hint:gauge")
        }
        for (prefix, side) in [("", positiveList), ("n_", negativeList)] {
            let side = side.filter { side.counts[$0] != 0 }
            // The indices ascend in every valid histogram.
            guard let first = side.indices.min(), let last = side.indices.max() else { continue }
            guard last - first < 10_000 else { return description }
            var counts = [Double](repeating: 0, count: last - first + 1)
            for position in side.indices.indices { counts[side.indices[position] - first] = side.counts[position] }
            if first != 0 { parts.append("\(prefix)offset:\(first)") }
            parts.append("\(prefix)buckets:\(list(counts))")
        }
        return "{{" + parts.joined(separator: " ") + "}}"
    }
}
