import Synchronization

/// Collects the warnings of sources about incomplete answers, each sentence once; for several threads.
public final class SourceWarnings: Sendable {
    private let known = Mutex<[String]>([])

    public init() {}

    public func add(_ text: String) { known.withLock { if !$0.contains(text) { $0.append(text) } } }

    public var texts: [String] { known.withLock { $0 } }
}
