import Model
import Platform
import Synchronization

/// A part of the store that cannot be read, so that answers lack what it holds.
public struct LeftOutPart: Sendable, Hashable {
    public enum Kind: String, Sendable, CaseIterable {
        /// A file is gone.
        case missing
        /// The system refuses to read a file.
        case unreadable
        /// A file does not hold what it should.
        case damaged
    }

    /// The name of a block, or of a file of the log.
    public var name: String
    public var isBlock: Bool
    public var kind: Kind
    /// What was found, with the path.
    public var reason: String
    /// The times of what is missing, ms; nil if they are not known.
    public var times: ClosedRange<Int64>?

    /// A sentence for people who ask queries.
    public var description: String {
        isBlock
            ? "block \(name) is left out, or parts of it: \(kind.rawValue)"
            : "samples of \(name) are missing: it is \(kind.rawValue)"
    }

    /// What tells parts apart: a checkpoint may be missing where an earlier one was damaged.
    fileprivate var key: String { isBlock ? name : "\(name) \(kind.rawValue)" }
}

/// The parts of a store that cannot be read.
final class LeftOut: Sendable {
    private let parts = Mutex<[String: LeftOutPart]>([:])

    /// All parts, by name.
    var all: [LeftOutPart] { parts.withLock { $0.values.sorted { $0.name < $1.name } } }

    /// What is known of a block.
    subscript(name: String) -> LeftOutPart? { parts.withLock { $0[name] } }

    /// Notes a part; returns whether this is news.
    @discardableResult
    func note(_ part: LeftOutPart) -> Bool {
        parts.withLock { parts in
            let isNew = parts[part.key]?.kind != part.kind
            if isNew { parts[part.key] = part }
            return isNew
        }
    }

    /// Forgets what is known of a block.
    func clear(_ name: String) { parts.withLock { $0[name] = nil } }

    func clear(_ part: LeftOutPart) { parts.withLock { $0[part.key] = nil } }

    /// What an error says of a file; nil if it is about something else.
    static func kind(_ error: any Error) -> LeftOutPart.Kind? {
        switch error {
        case let error as FileError: error.isNotFound ? .missing : .unreadable
        case is BlockError, is StorageError: .damaged
        default: nil
        }
    }

    /// The parts that hold samples between two times, or may do so because their times are not known.
    func touching(_ minTime: Int64, _ maxTime: Int64) -> [LeftOutPart] {
        let known = parts.withLock { $0 }
        guard !known.isEmpty else { return [] }
        return known.values
            .filter { $0.times.map { $0.lowerBound <= maxTime && $0.upperBound >= minTime } ?? true }
            .sorted { $0.name < $1.name }
    }
}

extension TimeSeriesStore {
    /// What answers lack, because it cannot be read.
    public var leftOut: [LeftOutPart] { blockSet.leftOut.all }
}

extension TimeSeriesStore {
    /// Tells who asks which parts within the wanted times cannot be read.
    func warn(_ request: SelectRequest) {
        guard let warn = request.warn else { return }
        for part in blockSet.leftOut.touching(request.minTime, request.maxTime) { warn(part.description) }
    }
}

extension BlockReader {
    /// Adds what `texts` finds in the block; a block that cannot be read is left out.
    func add(_ request: SelectRequest, to all: inout Set<ExactText>, _ texts: () throws -> [String]) throws {
        do { all.formUnion(try texts().lazy.map { ExactText($0) }) } catch { try leaveOut(error, request) }
    }
}

/// Says when the files of the blocks are to be looked at again.
struct LookPace {
    private var next = Int64.min

    /// Whether it is time, ns of the monotonic clock; if so, the next time is ten seconds later.
    mutating func isDue(_ now: Int64) -> Bool {
        guard now >= next else { return false }
        next = now &+ 10_000_000_000
        return true
    }
}
