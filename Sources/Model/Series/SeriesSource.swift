/// The series and times that a reader selects.
public struct SelectRequest: Sendable {
    /// All of them must match a series.
    public var matchers: [Matcher]
    /// The first time, ms, inclusive.
    public var minTime: Int64
    /// The last time, ms, inclusive.
    public var maxTime: Int64
    /// Whether the reader needs only the newest sample of each series at or before `maxTime`; a source may then read
    /// only that.
    public var newestOnly: Bool
    /// Whether the reader needs no samples.
    public var labelsOnly: Bool
    /// The most series, 0 for all.
    public var limit: Int
    /// Whether the set must be in the order of labels; otherwise a source may use another stable order, for example
    /// that of arrival.
    public var isSorted: Bool
    /// Called with bytes before the set allocates them; an error that it throws ends the select.
    ///
    /// The set returns its final memory in ``SeriesSet/heldBytes``.
    public var charge: (@Sendable (Int) throws -> Void)?
    /// Called repeatedly while matchers are evaluated, which may take long; an error that it throws ends the select.
    public var check: (@Sendable () throws -> Void)?
    /// Called with a sentence about data that the answer lacks, by the source and later by the set; from any thread,
    /// and possibly several times with the same sentence.
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

/// A source of series: the storage, or an array in a test.
///
/// Several threads may use it at once.
public protocol SeriesSource: AnyObject, Sendable {
    /// The matching series at this moment; samples that are appended later are not visible in the result.
    func select(_ request: SelectRequest) throws -> any SeriesSet

    /// The label names of matching series, sorted bytewise. No matchers means all series.
    func labelNames(_ request: SelectRequest) throws -> [String]

    /// The values of label `name` of matching series, sorted bytewise.
    func labelValues(_ name: String, _ request: SelectRequest) throws -> [String]
}

/// The series of one snapshot, sorted by labels unless the request excludes that; several threads may read different
/// series at once.
public protocol SeriesSet: AnyObject, Sendable {
    var count: Int { get }

    /// The approximate bytes of the set itself.
    var heldBytes: Int { get }

    /// The labels of series `index`.
    func labels(_ index: Int) -> Labels

    /// Replaces the contents of `columns` with the samples of series `index` within the requested time, oldest first.
    ///
    /// Stale markers are included. With `newestOnly`, at least the newest sample is included.
    func read(_ index: Int, into columns: inout SampleColumns) throws
}

extension SeriesSet {
    public var heldBytes: Int { 0 }
}
