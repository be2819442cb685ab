import Encoding
import Model
import Platform

/// An error of the store.
public enum StorageError: MemoryShortage, Sendable, CustomStringConvertible {
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
    /// A file of the store has more than fits into memory, so that the store is not opened; nothing was changed.
    case unfit(file: String, limit: String)

    public var isOutOfMemory: Bool {
        if case .outOfMemory = self { return true }
        return false
    }

    public var description: String {
        switch self {
        case .outOfMemory(let what): "out of memory: \(what)"
        case .limit(let what): "limit reached: \(what)"
        case .invalidLabels(let what): what
        case .closed: "the storage is closed"
        case .notWritable(let why): "samples cannot be stored: \(why)"
        case .damaged(let what): "damaged file: \(what)"
        case .unusable(let why): why
        case .unfit(let file, let limit):
            "\(file) has more than fits into memory: \(limit); nothing was changed: raise the limit, or move the file away "
                + "to start without what only it has"
        }
    }

    /// There are too many blocks for the limit of open files.
    static func tooManyBlocks(_ count: Int, limit: Int) -> StorageError {
        .unusable(
            "there are \(count) blocks, and each needs an open file, but the limit of open files is \(limit): raise "
                + "`ulimit -n`, or LimitNOFILE= of the service, to \(count &+ 1024)")
    }

    /// The lack of memory or of open files that an error reports; nil if the error is about something else.
    ///
    /// Such an error does not show that a file is damaged.
    static func shortage(_ error: any Error) -> StorageError? {
        switch error {
        case let error as StorageError:
            switch error {
            case .outOfMemory, .limit, .unfit: return error
            case .invalidLabels, .closed, .notWritable, .damaged, .unusable: return nil
            }
        case let error as FileError where error.isShortage: return .outOfMemory("\(error)\(AddressSpace.note)")
        case let error as CompressionError where error.isShortage: return .outOfMemory("\(error)\(AddressSpace.note)")
        default: return nil
        }
    }

    /// The error for records that were not written to the log; without space, the sender may try again.
    static func refusal(_ cause: FileError) -> any Error {
        let error = notWritable(cause.description)
        return cause.isFull ? StoreBusy(description: error.description) : error
    }
}
