import GoCompatibility

/// The algorithm that finds what is near a term.
enum SearchAlgorithm: String, CaseIterable {
    /// The term's characters occur in order; consecutive ones score high, gaps score low.
    case subsequence
    /// The term is a part of the value, or similar to it by Jaro-Winkler.
    case jaroWinkler = "jarowinkler"
}

/// One term of a search.
struct SearchTerm {
    private let text: [Unicode.Scalar]
    private let algorithm: SearchAlgorithm
    /// The lowest score that matches, 0 to 1.
    private let threshold: Double
    private let isCaseSensitive: Bool

    init(_ text: String, _ algorithm: SearchAlgorithm, threshold: Double, isCaseSensitive: Bool) {
        self.text = Array((isCaseSensitive ? text : GoCase.lower(text)).unicodeScalars)
        self.algorithm = algorithm
        self.threshold = threshold
        self.isCaseSensitive = isCaseSensitive
    }

    /// The score of a value, up to 1; nil if it does not match.
    func score(_ value: String) -> Double? {
        if text.isEmpty { return 1 }
        return score(Array((isCaseSensitive ? value : GoCase.lower(value)).unicodeScalars))
    }

    /// The work to score a value of `length` characters at worst.
    func work(for length: Int) -> Int { text.count &* length }

    /// The score of a value that is in lower case if the case does not count.
    func score(_ value: [Unicode.Scalar]) -> Double? {
        if text.isEmpty { return 1 }
        if value.starts(with: text) { return 1 }
        switch algorithm {
        case .subsequence:
            let score = Subsequence.score(text, in: value)
            return score > 0 && score >= threshold ? score : nil
        case .jaroWinkler:
            if Self.contains(text, in: value) { return 0.9 }
            guard threshold > 0 else { return nil }
            let score = JaroWinkler.similarity(text, value)
            return score >= threshold ? score : nil
        }
    }

    /// Whether `text`, which is not empty, is a part of `value`; the time is linear in both.
    static func contains(_ text: [Unicode.Scalar], in value: [Unicode.Scalar]) -> Bool {
        guard value.count >= text.count else { return false }
        // The table of Knuth, Morris and Pratt: the length of the text that still matches after a mismatch.
        var fallback = [0]
        var matched = 0
        for scalar in text.dropFirst() {
            while matched > 0, text[matched] != scalar { matched = fallback[matched - 1] }
            if text[matched] == scalar { matched += 1 }
            fallback.append(matched)
        }
        matched = 0
        for scalar in value {
            while matched > 0, text[matched] != scalar { matched = fallback[matched - 1] }
            if text[matched] == scalar { matched += 1 }
            if matched == text.count { return true }
        }
        return false
    }
}

/// Scores values that have a pattern's characters in order.
enum Subsequence {
    /// The score of a match, up to 1, 0 without a match: the best of all start positions, each matched greedily.
    ///
    /// A run of n characters adds n². The characters before and between runs subtract their share of the value's
    /// length, those after the last run subtract half of it. In a long repetitive value, the number of start positions
    /// is limited by the steps.
    static func score(_ pattern: [Unicode.Scalar], in value: [Unicode.Scalar]) -> Double {
        var steps = 0
        return score(pattern, in: value, steps: &steps)
    }

    /// The steps for each character of a value, after which the best score so far is used.
    static let stepsPerCharacter = 64
    /// The steps for a whole value, after which the best score so far is used.
    private static let mostSteps = 1 << 22

    /// The score as in the function above; adds the characters that were compared to `steps`.
    static func score(_ pattern: [Unicode.Scalar], in value: [Unicode.Scalar], steps: inout Int) -> Double {
        guard !pattern.isEmpty, pattern.count <= value.count else { return 0 }
        var best = -1.0
        let limit = steps + min(value.count * stepsPerCharacter, mostSteps)
        for start in 0...(value.count - pattern.count) where value[start] == pattern[0] {
            // If the match cannot be completed from here, it cannot be completed from a later position.
            guard let score = greedy(pattern, value, from: start, steps: &steps) else { break }
            best = max(best, score)
            if steps > limit { break }
        }
        return best < 0 ? 0 : best / Double(pattern.count * pattern.count)
    }

    private static func greedy(
        _ pattern: [Unicode.Scalar], _ value: [Unicode.Scalar], from start: Int, steps: inout Int
    ) -> Double? {
        let share = 1 / Double(value.count)
        var score = 0.0
        var (at, matched, end) = (start, 0, 0)
        defer { steps += at - start }
        while matched < pattern.count {
            while at < value.count, value[at] != pattern[matched] { at += 1 }
            guard at < value.count else { return nil }
            score -= Double(at - end) * share
            let first = at
            while matched < pattern.count, at < value.count, value[at] == pattern[matched] {
                at += 1
                matched += 1
            }
            score += Double((at - first) * (at - first))
            end = at
        }
        return score - Double(value.count - end) * share * 0.5
    }
}

/// The similarity of Jaro and Winkler.
enum JaroWinkler {
    /// The most comparisons of two texts: their number grows with the product of the lengths.
    private static let mostComparisons = 1 << 22

    /// The similarity, 0 for nothing in common and 1 for the same text.
    ///
    /// It is also 0 for texts of thousands of characters, which are not used in searches.
    static func similarity(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Double {
        if a == b { return 1 }
        let (short, long) = a.count <= b.count ? (a, b) : (b, a)
        guard !short.isEmpty else { return 0 }
        let reach = max(long.count / 2 - 1, 0)
        let (comparisons, overflow) = short.count.multipliedReportingOverflow(by: long.count)
        guard !overflow, comparisons <= mostComparisons else { return 0 }
        var taken = [Bool](repeating: false, count: long.count)
        var common: [Unicode.Scalar] = []
        for (index, scalar) in short.enumerated() {
            let places = max(index - reach, 0)..<min(index + reach + 1, long.count)
            guard let place = places.first(where: { !taken[$0] && long[$0] == scalar }) else { continue }
            taken[place] = true
            common.append(scalar)
        }
        if common.isEmpty { return 0 }
        let mirrored = long.indices.lazy.filter { taken[$0] }.map { long[$0] }
        let misplaced = zip(common, mirrored).lazy.filter { $0 != $1 }.count
        let matches = Double(common.count)
        let jaro =
            (matches / Double(short.count) + matches / Double(long.count)
                + (matches - Double(misplaced) * 0.5) / matches) / 3
        let prefix = zip(short.prefix(4), long).prefix { $0 == $1 }.count
        return jaro + Double(prefix) * 0.1 * (1 - jaro)
    }
}
