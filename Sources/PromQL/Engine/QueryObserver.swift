/// Is notified of the begin and the end of every query.
package protocol QueryObserver: AnyObject, Sendable {
    /// A query begins.
    ///
    /// - Returns: What ``ended(_:_:)`` is given at its end.
    func began(_ query: String) -> Int

    /// A query has ended; the record is only made if somebody wants it.
    func ended(_ token: Int, _ record: () -> QueryRecord)
}

/// Who asked a query.
package enum QueryOrigin: Sendable, Equatable {
    case other
    case http(client: String, method: String, path: String)
    case rule(file: String, group: String)
}

/// What is known of a query that has ended.
package struct QueryRecord: Sendable {
    package var query: String
    /// ms.
    package var start: Int64
    /// ms.
    package var end: Int64
    /// ms; 0 for an instant query.
    package var step: Int64
    package var error: String?
    package var statistics: QueryStatistics
    package var origin: QueryOrigin
}
