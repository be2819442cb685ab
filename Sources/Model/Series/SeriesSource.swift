/// Which series and times a reader wants.
public struct SelectRequest: Sendable {
    /// All must accept a series.
    public var matchers: [Matcher]
    /// First time wanted, ms, inclusive.
    public var minTime: Int64
    /// Last time wanted, ms, inclusive.
    public var maxTime: Int64
    /// The reader needs only the newest sample of each series at or before `maxTime`; a source may then read no more.
    public var newestOnly: Bool
    /// The reader needs no samples at all.
    public var labelsOnly: Bool
    /// Stop after this many series, 0 for all.
    public var limit: Int
    /// Whether the set must be in order of labels; else a source may give it in another order that does not change,
    /// such as that of arrival.
    public var isSorted: Bool
    /// Called with bytes before the set takes them for itself; what it throws ends the select.
    ///
    /// The set says in ``SeriesSet/heldBytes`` what it has taken in the end.
    public var charge: (@Sendable (Int) throws -> Void)?
    /// Called again and again while matchers are tried, which may take long; what it throws ends the select.
    public var check: (@Sendable () throws -> Void)?
    /// Called with a sentence about what the answer lacks, by the source and later by the set; from any thread, and more
    /// than once with the same.
    public var warn: (@Sendable (String) -> Void)?

    public init(
        matchers: [Matcher], minTime: Int64, maxTime: Int64, newestOnly: Bool = false, labelsOnly: Bool = false,
        limit: Int = 0, isSorted: Bool = true, charge: (@Sendable (Int) throws -> Void)? = nil,
        check: (@Sendable () throws -> Void)? = nil, warn: (@Sendable (String) -> Void)? = nil
    ) {
        self.matchers = matchers
        self.minTime = minTime
        self.maxTime = maxTime
        self.newestOnly = newestOnly
        self.labelsOnly = labelsOnly
        self.limit = limit
        self.isSorted = isSorted
        self.charge = charge
        self.check = check
        self.warn = warn
    }
}

/// A place to read series from: the store, or an array in a test.
///
/// Safe to call from many threads.
public protocol SeriesSource: AnyObject, Sendable {
    /// The matching series as they are at this moment; what is appended later is not seen through the result.
    func select(_ request: SelectRequest) throws -> any SeriesSet

    /// Names of labels of matching series, sorted bytewise. No matchers means all series.
    func labelNames(_ request: SelectRequest) throws -> [String]

    /// Values of label `name` of matching series, sorted bytewise.
    func labelValues(_ name: String, _ request: SelectRequest) throws -> [String]
}

/// Series under one snapshot, sorted by labels unless the request said otherwise; several threads may read different series at once.
public protocol SeriesSet: AnyObject, Sendable {
    var count: Int { get }

    /// About the bytes of memory that the set itself takes.
    var heldBytes: Int { get }

    /// The labels of series `index`.
    func labels(_ index: Int) -> Labels

    /// Replaces the contents of `columns` by the samples of series `index` within the requested time, oldest first.
    ///
    /// Staleness markers are included. With `newestOnly`, at least the newest sample is there.
    func read(_ index: Int, into columns: inout SampleColumns) throws
}

extension SeriesSet {
    public var heldBytes: Int { 0 }
}
