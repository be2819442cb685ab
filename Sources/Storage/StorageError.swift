import Model
import Platform

/// An error of the store.
public enum StorageError: Error, Sendable, CustomStringConvertible {
    /// The system grants no more memory.
    case outOfMemory(String)
    /// There is more of something than the format allows.
    case limit(String)
    /// Labels that cannot name a series.
    case invalidLabels(String)
    /// The store is closing.
    case closed
    /// The log cannot be written; samples are refused until it can be written.
    case notWritable(String)
    /// The content of a file is damaged.
    case damaged(String)
    /// The directory cannot hold a store; the text is one sentence of advice.
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

    /// The error for records that were not written to the log; without space, the sender may try again.
    static func refusal(_ cause: FileError) -> any Error {
        let error = notWritable(cause.description)
        return cause.isFull ? StoreBusy(description: error.description) : error
    }
}
