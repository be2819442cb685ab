import Model
import Platform
import Synchronization

/// A part of the store that cannot be read, so that answers lack its samples.
public struct LeftOutPart: Sendable, Hashable {
    public enum Kind: String, Sendable, CaseIterable {
        /// A file is missing.
        case missing
        /// The system refuses to read a file.
        case unreadable
        /// The content of a file is damaged.
        case damaged
    }

    /// The name of a block, or of a file or directory in the data directory.
    public var name: String
    public var isBlock: Bool
    public var kind: Kind
    /// The error, with the path.
    public var reason: String
    /// The time range of the missing samples, ms; nil if it is not known.
    public var times: ClosedRange<Int64>?
    /// Whether there is a file of another store in its place.
    public var isOther = false

    /// A sentence for users who query.
    public var description: String {
        isBlock
            ? "block \(name) is left out, or parts of it: \(kind.rawValue)"
            : "samples of \(name) are missing: it is \(isOther ? "of another store" : kind.rawValue)"
    }

    /// The key that distinguishes parts: a checkpoint may be missing after an earlier one was damaged.
    fileprivate var key: String { isBlock ? name : "\(name) \(kind.rawValue)" }
}

/// The parts of a store that cannot be read.
final class LeftOut: Sendable {
    private let parts = Mutex<[String: LeftOutPart]>([:])

    /// All parts, by name.
    var all: [LeftOutPart] { parts.withLock { $0.values.sorted { $0.name < $1.name } } }

    /// The part that is the block of this name; nil if the block can be read.
    subscript(name: String) -> LeftOutPart? { parts.withLock { $0[name] } }

    /// Notes a part; returns whether it was not known before.
    @discardableResult
    func note(_ part: LeftOutPart) -> Bool {
        parts.withLock { parts in
            let isNew = parts[part.key]?.kind != part.kind
            if isNew { parts[part.key] = part }
            return isNew
        }
    }

    /// Removes the part that is a block.
    func clear(_ name: String) { parts.withLock { $0[name] = nil } }

    func clear(_ part: LeftOutPart) { parts.withLock { $0[part.key] = nil } }

    /// The kind of loss that an error reports; nil if it is not about a file.
    static func kind(_ error: any Error) -> LeftOutPart.Kind? {
        switch error {
        case let error as FileError: error.isNotFound ? .missing : .unreadable
        case let error where StorageError.shortage(error) != nil: .unreadable
        case is BlockError, is StorageError: .damaged
        default: nil
        }
    }

    /// The parts that have samples between two times, or may have some because their times are not known.
    func touching(_ minTime: Int64, _ maxTime: Int64) -> [LeftOutPart] {
        let known = parts.withLock { $0 }
        guard !known.isEmpty else { return [] }
        return known.values
            .filter { $0.times.map { $0.lowerBound <= maxTime && $0.upperBound >= minTime } ?? true }
            .sorted { $0.name < $1.name }
    }
}

extension TimeSeriesStore {
    /// The parts that cannot be read, so that answers lack their samples.
    public var leftOut: [LeftOutPart] { blockSet.leftOut.all }
}

extension TimeSeriesStore {
    /// Adds a warning to the answer for each part within the requested time range that cannot be read.
    func warn(_ request: SelectRequest) {
        guard let warn = request.warn else { return }
        for part in blockSet.leftOut.touching(request.minTime, request.maxTime) { warn(part.description) }
    }
}

extension BlockReader {
    /// Adds the texts of the block that `texts` returns; a block that cannot be read is left out.
    func add(_ request: SelectRequest, to all: inout Set<ExactText>, _ texts: () throws -> [String]) throws {
        do { all.formUnion(try texts().lazy.map { ExactText($0) }) } catch { try leaveOut(error, request) }
    }
}

/// The schedule of the checks of the blocks' files.
struct LookPace {
    private var next = Int64.min

    /// Whether a check is due at `now`, ns of the monotonic clock; if so, the next one is due ten seconds later.
    mutating func isDue(_ now: Int64) -> Bool {
        guard now >= next else { return false }
        next = now &+ 10_000_000_000
        return true
    }
}
