import HTTP
import Rules

/// The page of rule groups that `group_limit` and `group_next_token` ask for.
struct RulePage: Sendable {
    /// The most groups; nil for all.
    private let limit: Int?
    /// The token of the first group; nil for the first page.
    private let start: String?

    /// Reads the parameters.
    init(_ request: HTTPRequest) throws(APIError) {
        let limit = request.parameter("group_limit") ?? ""
        let token = request.parameter("group_next_token") ?? ""
        start = token.isEmpty ? nil : token
        if limit.isEmpty {
            if start != nil {
                throw APIError.parameter(
                    "group_next_token", "group_limit needs to be present in order to paginate over the groups")
            }
            self.limit = nil
            return
        }
        switch Parameters.integer(limit, by: "ParseInt", upTo: Int(Int32.max)) {
        case .failure(let error):
            throw APIError.parameter("group_limit", "group_limit needs to be a valid number: \(error.message)")
        case .success(let number) where number <= 0:
            throw APIError.parameter("group_limit", "group_limit needs to be greater than 0")
        case .success(let number): self.limit = number
        }
    }

    /// The groups of the page, and the token of the next page; nil after the last one.
    ///
    /// - Parameter filter: What is shown of a group; nil if it is left out.
    func select(
        _ groups: [RuleGroupStatus], _ filter: (RuleGroupStatus) -> RuleGroupStatus?
    ) throws(APIError) -> (page: [RuleGroupStatus], next: String?) {
        var rest = groups[...]
        if let start {
            guard let first = groups.firstIndex(where: { Self.token(of: $0) == start }) else {
                throw APIError.badData("invalid group_next_token '\(start)'. were rule groups changed?")
            }
            rest = groups[first...]
        }
        var page: [RuleGroupStatus] = []
        for group in rest {
            guard let shown = filter(group) else { continue }
            if let limit, page.count >= limit { return (page, Self.token(of: group)) }
            page.append(shown)
        }
        return (page, nil)
    }

    private static func token(of group: RuleGroupStatus) -> String { Digest.hex(Digest.sha256(Array(group.key.utf8))) }
}
