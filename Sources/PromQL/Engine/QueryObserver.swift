/// An object that is notified of the start and the end of every query.
package protocol QueryObserver: AnyObject, Sendable {
    /// Notifies the observer that a query begins.
    ///
    /// - Returns: The token of the query for ``ended(_:_:)``.
    func began(_ query: String) -> Int

    /// Notifies the observer that a query has ended; the observer calls `record` only if it needs the record.
    func ended(_ token: Int, _ record: () -> QueryRecord)
}

/// The origin of a query.
package enum QueryOrigin: Sendable, Equatable {
    case other
    case http(client: String, method: String, path: String)
    case rule(file: String, group: String)
}

/// The record of a query that has ended.
package struct QueryRecord: Sendable {
    /// The text of the query.
    package var query: String
    /// The time of the first step, ms.
    package var start: Int64
    /// The requested end, ms.
    package var end: Int64
    /// The step, ms; 0 for an instant query.
    package var step: Int64
    /// The text of the error; nil if the query succeeded.
    package var error: String?
    package var statistics: QueryStatistics
    package var origin: QueryOrigin
}
