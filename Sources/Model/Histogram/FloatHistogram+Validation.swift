extension FloatHistogram {
    /// Why a histogram cannot be stored; the texts are Prometheus's.
    public struct ValidationError: Error, Sendable, Equatable, CustomStringConvertible {
        public var description: String
    }

    /// Throws if the parts contradict each other or the rules of its schema.
    public func validate() throws(ValidationError) {
        if usesCustomBuckets {
            try validateCustom()
        } else {
            guard schema >= -4, schema <= 52 else {
                throw ValidationError(
                    description: "histogram has an invalid schema, which must be between -4 and 8 for exponential"
                        + " buckets, or -53 for custom buckets, got schema \(schema)")
            }
            guard customBounds.isEmpty else {
                throw ValidationError(description: "histogram with exponential schema must not have custom bounds")
            }
            try validateSide("negative side: ", negativeSpans, negativeBuckets)
        }
        try validateSide("positive side: ", positiveSpans, positiveBuckets)
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
    }

    private func validateCustom() throws(ValidationError) {
        for (position, bound) in customBounds.enumerated() {
            if bound.isNaN {
                throw ValidationError(description: "custom buckets: histogram custom bounds must not be NaN")
            }
            if position > 0, bound <= customBounds[position - 1] {
                throw ValidationError(
                    description: "custom buckets: previous bound is "
                        + "\(FloatText.fixed(customBounds[position - 1])) and current is \(FloatText.fixed(bound)): "
                        + "histogram custom bounds must be in strictly increasing order")
            }
        }
        if let last = customBounds.last, last.isInfinite {
            throw ValidationError(
                description: "custom buckets: last +Inf bound must not be explicitly defined: "
                    + "histogram custom bounds must be finite")
        }
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
            length += Int(span.length)
        }
        if length != buckets.count {
            throw ValidationError(
                description: "\(place)spans need \(length) buckets, have \(buckets.count) buckets: "
                    + "histogram spans specify different number of buckets than provided")
        }
        for (position, bucket) in buckets.enumerated() where bucket < 0 {
            throw ValidationError(
                description: "\(place)bucket number \(position + 1) has observation count of "
                    + "\(FloatText.general(bucket)): histogram has a bucket whose observation count is negative")
        }
    }
}
