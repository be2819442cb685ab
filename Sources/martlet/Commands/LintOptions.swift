/// The checks of style that `check config` and `check rules` make.
struct LintOptions {
    private(set) var findsDuplicateRules = false
    private(set) var findsLongIntervals = false
    /// The unknown names.
    private(set) var unknown: [String] = []

    /// Reads a list of names with commas; `none` disables all checks.
    ///
    /// - Parameter ofRules: Whether only rules are checked.
    init(_ text: String, ofRules: Bool) {
        for name in text.split(separator: ",", omittingEmptySubsequences: false) {
            switch name {
            case "duplicate-rules": findsDuplicateRules = true
            case "too-long-scrape-interval" where !ofRules: findsLongIntervals = true
            case "all": (findsDuplicateRules, findsLongIntervals) = (true, !ofRules)
            case "none":
                self = LintOptions()
                return
            default: unknown.append(String(name))
            }
        }
    }

    private init() {}
}
