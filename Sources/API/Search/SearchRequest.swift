import GoCompatibility
import HTTP
import Model
import PromQL

/// The parameters of all searches.
struct SearchRequest {
    enum Order {
        case ascending, descending, score
    }

    static let mostTerms = 32
    /// The most characters of a term: the work to compare it with a value grows with both lengths.
    static let mostCharacters = 256
    static let standardLimit = 100
    static let standardBatch = 100

    var selectors: [[Matcher]]
    var terms: [SearchTerm]
    var order = Order.ascending
    private var isCaseSensitive: Bool
    var includesScore: Bool
    /// ms.
    var start: Int64
    /// ms.
    var end: Int64
    var limit: Int
    /// The number of records in a line.
    var batch: Int

    /// - Parameters:
    ///   - engine: Has the limits of the selectors.
    ///   - kind: The endpoint's last part, for errors.
    ///   - now: ms.
    ///   - maxLimit: `--web.search.max-limit`; 0 for none.
    init(
        _ request: HTTPRequest, _ engine: QueryEngine, kind: String, now: Int64, maxLimit: Int
    ) throws(APIError) {
        start = try Self.time(request, "start") ?? now - 3_600_000
        end = try Self.time(request, "end") ?? now
        if end < start { throw .badData("end timestamp must not be before start timestamp") }
        selectors = try Parameters.selectors(request, engine, .plain)
        let texts = request.parameters("search[]")
        if texts.count > Self.mostTerms {
            throw .badData("too many search[] terms: got \(texts.count), maximum is \(Self.mostTerms)")
        }
        for text in texts {
            let length = text.unicodeScalars.count
            if length > Self.mostCharacters {
                throw .badData(
                    "search[] term is too long: got \(length) characters, maximum is \(Self.mostCharacters)")
            }
        }
        let threshold = try Self.integer(request, "fuzz_threshold", 0...100, "must be 0-100") ?? 0
        var algorithm = SearchAlgorithm.subsequence
        if let name = Self.text(request, "fuzz_alg") {
            guard let known = SearchAlgorithm(rawValue: name) else {
                let all = SearchAlgorithm.allCases.map(\.rawValue).joined(separator: " ")
                throw .badData("unsupported fuzz_alg \(GoQuote.quote(name)): must be one of [\(all)]")
            }
            algorithm = known
        }
        let isCaseSensitive = try Self.boolean(request, "case_sensitive") ?? true
        self.isCaseSensitive = isCaseSensitive
        terms = texts.map {
            SearchTerm($0, algorithm, threshold: Double(threshold) / 100, isCaseSensitive: isCaseSensitive)
        }
        includesScore = try Self.boolean(request, "include_score") ?? false
        limit = try Self.limit(request, maxLimit)
        let size = try Self.integer(request, "batch_size", 0...Int.max, "must be non-negative integer") ?? 0
        batch = size == 0 ? Self.standardBatch : size
        order = try Self.order(request, hasTerms: !texts.isEmpty, kind: kind)
    }

    private static func text(_ request: HTTPRequest, _ name: String) -> String? {
        request.parameter(name).flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func time(_ request: HTTPRequest, _ name: String) throws(APIError) -> Int64? {
        do throws(APIError) {
            return try Parameters.time(request, name)
        } catch {
            // The errors of these endpoints do not name the parameter.
            throw .badData(error.message.replacing("invalid parameter \(GoQuote.quote(name)): ", with: ""))
        }
    }

    private static func integer(
        _ request: HTTPRequest, _ name: String, _ range: ClosedRange<Int>, _ rule: String
    ) throws(APIError) -> Int? {
        guard let text = text(request, name) else { return nil }
        guard case .success(let number) = Parameters.integer(text), range.contains(number) else {
            throw .badData("invalid \(name) \(GoQuote.quote(text)): \(rule)")
        }
        return number
    }

    static func boolean(_ request: HTTPRequest, _ name: String) throws(APIError) -> Bool? {
        do throws(APIError) {
            return try Parameters.boolean(request, name, "")
        } catch {
            throw .badData("invalid \(name) \(GoQuote.quote(request.parameter(name) ?? "")): must be boolean")
        }
    }

    /// A missing limit becomes at most `most`; a given limit above that is an error.
    private static func limit(_ request: HTTPRequest, _ most: Int) throws(APIError) -> Int {
        let standard = most > 0 ? min(standardLimit, most) : standardLimit
        guard let wanted = try integer(request, "limit", 0...Int.max, "must be non-negative integer"), wanted > 0 else {
            return standard
        }
        if most > 0, wanted > most {
            throw .badData("limit \(wanted) exceeds the configured maximum (\(most), see --web.search.max-limit)")
        }
        return wanted
    }

    private static func order(_ request: HTTPRequest, hasTerms: Bool, kind: String) throws(APIError) -> Order {
        let (by, direction) = (text(request, "sort_by"), text(request, "sort_dir"))
        if let direction {
            if by == nil { throw .badData("sort_dir is only valid when sort_by is set") }
            if by == "score" { throw .badData("sort_dir is not supported for sort_by=score") }
            guard direction == "asc" || direction == "dsc" else {
                throw .badData("invalid sort_dir \(GoQuote.quote(direction)): must be \"asc\" or \"dsc\"")
            }
        }
        switch by {
        case nil: return .ascending
        case "alpha": return direction == "dsc" ? .descending : .ascending
        case "score":
            if !hasTerms { throw .badData("sort_by=score requires search[] to be set") }
            return .score
        case .some(let other):
            throw .badData("invalid sort_by \(GoQuote.quote(other)) for \(kind): must be \"alpha\" or \"score\"")
        }
    }

    /// The values that match one of the terms, in order, at most one more than the limit.
    ///
    /// - Parameters:
    ///   - values: The sorted values.
    ///   - work: Called with the work before it is done; an error that it throws ends the search.
    func found(in values: [String], work: (Int) throws -> Void) throws -> [(value: String, score: Double)] {
        var found: [(value: String, score: Double)] = []
        let most = limit < .max ? limit + 1 : limit
        for value in order == .descending ? values.reversed() : values {
            try work(64 + value.utf8.count)
            if terms.isEmpty {
                found.append((value, 1))
            } else if let score = try score(value, work) {
                found.append((value, score))
            }
            if order != .score, found.count >= most { break }
        }
        if order == .score {
            // The values are in order, and values with equal scores stay in that order.
            let ranked = found.enumerated().sorted {
                ($1.element.score, $0.offset) < ($0.element.score, $1.offset)
            }
            found = ranked.prefix(most).map(\.element)
        }
        return found
    }

    /// The best score of the terms; nil if none matches.
    private func score(_ value: String, _ work: (Int) throws -> Void) throws -> Double? {
        let scalars = Array((isCaseSensitive ? value : GoCase.lower(value)).unicodeScalars)
        var best: Double?
        for term in terms {
            try work(term.work(for: scalars.count))
            guard let score = term.score(scalars) else { continue }
            best = max(best ?? score, score)
        }
        return best
    }
}
