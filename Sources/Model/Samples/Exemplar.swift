/// A trace reference attached to a sample.
public struct Exemplar: Sendable, Hashable {
    public var labels: Labels
    public var value: Double
    /// Milliseconds since the epoch.
    public var timestamp: Int64
    /// Whether the exemplar had its own timestamp; otherwise it has that of its sample.
    ///
    /// It is not part of the identity: it only decides whether a repeated exemplar is a new one.
    public var hasTimestamp: Bool

    public init(labels: Labels, value: Double, timestamp: Int64, hasTimestamp: Bool = true) {
        self.labels = labels
        self.value = value
        self.timestamp = timestamp
        self.hasTimestamp = hasTimestamp
    }

    public static func == (a: Exemplar, b: Exemplar) -> Bool {
        a.labels == b.labels && a.value == b.value && a.timestamp == b.timestamp
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(labels)
        hasher.combine(value)
        hasher.combine(timestamp)
    }
}

/// The reason why an exemplar was not stored.
public enum ExemplarRejection: String, Sendable, Hashable {
    /// It is older than the newest of its series, or before it at the same time.
    case outOfOrder = "out of order exemplar"
    /// Its labels have more than 128 characters.
    case labelsTooLong = "label length for exemplar exceeds maximum of 128 UTF-8 characters"
    /// Its series has no samples.
    case unknownSeries = "unknown series of an exemplar"
}
