/// Why the store could not do what it was asked to.
public enum StorageError: Error, Sendable, CustomStringConvertible {
    /// The system grants no more memory.
    case outOfMemory(String)
    /// More of something than the format has room for.
    case limit(String)
    /// Labels that cannot name a series.
    case invalidLabels(String)
    /// The store is closing.
    case closed
    /// The log cannot be written; samples are refused until it can.
    case notWritable(String)
    /// A file does not hold what it should.
    case damaged(String)
    /// The directory cannot hold a store; a sentence that says what to do.
    case unusable(String)

    public var description: String {
        switch self {
        case .outOfMemory(let what): "out of memory: \(what)"
        case .limit(let what): "limit reached: \(what)"
        case .invalidLabels(let what): what
        case .closed: "the storage is closed"
        case .notWritable(let why): "samples cannot be stored: \(why)"
        case .damaged(let what): "damaged file: \(what)"
        case .unusable(let why): why
        }
    }
}
