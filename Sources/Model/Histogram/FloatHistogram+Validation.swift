extension FloatHistogram {
    /// The reason why a histogram cannot be stored, in Prometheus's words.
    public struct ValidationError: Error, Sendable, Equatable, CustomStringConvertible {
        public var description: String

        public init(description: String) { self.description = description }
    }

    /// The schemas that senders may use; those above 8 are reduced to 8 when a histogram is stored.
    public static let acceptedSchemas: ClosedRange<Int32> = -4...52

    /// Throws if the parts are inconsistent or violate the rules of the schema.
    public func validate() throws(ValidationError) {
        try validateLayout()
        try validateCounts()
    }

    /// The histogram for the storage: checked, and at a resolution for computations.
    public func accepted() throws(ValidationError) -> FloatHistogram {
        try validate()
        return schema > ExponentialBounds.schemas.upperBound ? reduced(to: ExponentialBounds.schemas.upperBound) : self
    }

    /// Throws if schema, spans, buckets and bounds are inconsistent, so that no reader could use them.
    public func validateLayout() throws(ValidationError) {
        if usesCustomBuckets {
            try validateCustom()
            return
        }
        guard Self.acceptedSchemas.contains(schema) else {
            throw ValidationError(
                description: "histogram has an invalid schema, which must be between -4 and 8 for exponential"
                    + " buckets, or -53 for custom buckets, got schema \(schema)")
        }
        try validateSide("positive side: ", positiveSpans, positiveBuckets)
        try validateSide("negative side: ", negativeSpans, negativeBuckets)
        guard customBounds.isEmpty else {
            throw ValidationError(description: "histogram with exponential schema must not have custom bounds")
        }
    }

    private func validateCounts() throws(ValidationError) {
        try validateBuckets("negative side: ", negativeBuckets)
        try validateBuckets("positive side: ", positiveBuckets)
        if count < 0 {
            throw ValidationError(
                description: "observation count is \(FloatText.general(count)): "
                    + "histogram's observation count is negative")
        }
        if zeroCount < 0 {
            throw ValidationError(
                description: "zero bucket has observation count of \(FloatText.general(zeroCount)): "
                    + "histogram has a bucket whose observation count is negative")
        }
        if !hasFloatCounts { try validateTotal() }
    }

    /// Throws if the sum of integer counts is not the count of observations; only NaNs are in no bucket.
    private func validateTotal() throws(ValidationError) {
        var total = zeroCount
        for bucket in positiveBuckets { total += bucket }
        for bucket in negativeBuckets { total += bucket }
        // Larger integers are not exact here; the readers of requests check them before.
        guard total <= 0x1p53, count <= 0x1p53, sum.isNaN ? total > count : total != count else { return }
        throw Self.totalMismatch(found: "\(UInt64(total))", count: "\(UInt64(count))", sum: sum)
    }

    /// The error for buckets with `found` observations in a histogram with `count`.
    public static func totalMismatch(found: String, count: String, sum: Double) -> ValidationError {
        let rule =
            sum.isNaN
            ? "histogram's observation count should be at least the number of observations found in the buckets"
            : "histogram's observation count should equal the number of observations found in the buckets "
                + "(in absence of NaN)"
        return ValidationError(
            description: "\(found) observations found in buckets, but the Count field is \(count): \(rule)")
    }

    private func validateCustom() throws(ValidationError) {
        var previous = -Double.infinity
        for bound in customBounds {
            if bound.isNaN {
                throw ValidationError(description: "custom buckets: histogram custom bounds must not be NaN")
            }
            if bound <= previous {
                throw ValidationError(
                    description: "custom buckets: previous bound is "
                        + "\(FloatText.fixed(previous)) and current is \(FloatText.fixed(bound)): "
                        + "histogram custom bounds must be in strictly increasing order")
            }
            previous = bound
        }
        if previous == .infinity {
            throw ValidationError(
                description: "custom buckets: last +Inf bound must not be explicitly defined: "
                    + "histogram custom bounds must be finite")
        }
        try validateSide("custom buckets: ", positiveSpans, positiveBuckets)
        var needed = 0
        for span in positiveSpans { needed &+= Int(span.offset) &+ Int(span.length) }
        if needed > customBounds.count + 1 {
            throw ValidationError(
                description: "custom buckets: only \(customBounds.count) custom bounds defined which is insufficient "
                    + "to cover total span length of \(needed): histogram custom bounds are too few")
        }
        let rules: [(Bool, String)] = [
            (zeroCount != 0, "must have zero count of 0"), (zeroThreshold != 0, "must have zero threshold of 0"),
            (!negativeSpans.isEmpty, "must not have negative spans"),
            (!negativeBuckets.isEmpty, "must not have negative buckets"),
        ]
        for (isBroken, text) in rules where isBroken { throw ValidationError(description: "custom buckets: \(text)") }
    }

    private func validateSide(_ place: String, _ spans: [Span], _ buckets: [Double]) throws(ValidationError) {
        var length = 0
        for (position, span) in spans.enumerated() {
            if position > 0 || usesCustomBuckets, span.offset < 0 {
                throw ValidationError(
                    description: "\(place)span number \(position + 1) with offset \(span.offset): "
                        + "histogram has a span whose offset is negative")
            }
            length &+= Int(span.length)
        }
        if length != buckets.count {
            throw ValidationError(
                description: "\(place)spans need \(length) buckets, have \(buckets.count) buckets: "
                    + "histogram spans specify different number of buckets than provided")
        }
    }

    private func validateBuckets(_ place: String, _ buckets: [Double]) throws(ValidationError) {
        for (position, bucket) in buckets.enumerated() where bucket < 0 {
            throw ValidationError(
                description: "\(place)bucket number \(position + 1) has observation count of "
                    + "\(FloatText.general(bucket)): histogram has a bucket whose observation count is negative")
        }
    }
}
