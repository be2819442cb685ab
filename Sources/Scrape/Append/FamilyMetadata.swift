import Exposition
import Model
import Synchronization

/// The metadata of one family in a scrape body, shared by all targets with equal metadata.
final class FamilyMetadata: Sendable {
    let name: String
    let metadata: MetricMetadata

    init(name: String, metadata: MetricMetadata) {
        self.name = name
        self.metadata = metadata
    }

    /// Stores its hash, because texts may be long and all targets use the table.
    private struct Key: Hashable {
        let name: ExactText
        let metadata: MetricMetadata
        private let hash: Int

        init(_ name: String, _ metadata: MetricMetadata) {
            self.name = ExactText(name)
            self.metadata = metadata
            var hasher = Hasher()
            hasher.combine(self.name)
            hasher.combine(metadata)
            hash = hasher.finalize()
        }

        func hash(into hasher: inout Hasher) { hasher.combine(hash) }
    }
    private struct Shared {
        var known: [Key: FamilyMetadata] = [:]
        var sweepAt = 1024
    }
    private static let shared = Mutex(Shared())

    /// Returns the single object for this name and metadata.
    static func shared(name: String, metadata: MetricMetadata) -> FamilyMetadata {
        let key = Key(name, metadata)
        return shared.withLock { shared in
            if let known = shared.known[key] { return known }
            if shared.known.count >= shared.sweepAt {
                for key in Array(shared.known.keys) {
                    // Only the table references it, so no target has it any more.
                    var taken = shared.known.removeValue(forKey: key)
                    if !isKnownUniquelyReferenced(&taken) { shared.known[key] = taken }
                }
                shared.sweepAt = max(1024, shared.known.count * 2)
            }
            let made = FamilyMetadata(name: name, metadata: metadata)
            shared.known[key] = made
            return made
        }
    }
}

/// The metadata of one target's scrape body; unchanged metadata costs one hash per line.
struct PageMetadata {
    private var lineHashes: [UInt64] = []
    private var cursor = 0
    private var isChanged = false
    /// The families by name.
    private(set) var families: [FamilyMetadata] = []

    mutating func begin() {
        cursor = 0
        isChanged = false
    }

    /// Compares a line of metadata with the same line of the last body.
    @inline(__always)
    mutating func see(_ line: UnsafeBufferPointer<UInt8>, seed: UInt64) {
        guard let base = line.baseAddress else { return }
        let hash = SeriesHash.hash(base, line.count, seed: seed)
        if cursor < lineHashes.count {
            if lineHashes[cursor] != hash {
                lineHashes[cursor] = hash
                isChanged = true
            }
        } else {
            lineHashes.append(hash)
            isChanged = true
        }
        cursor &+= 1
    }

    /// Ends the body.
    ///
    /// - Returns: Whether the metadata differ from the last body's, so that ``read(_:isOpenMetrics:)`` must be called.
    mutating func end() -> Bool {
        if cursor < lineHashes.count {
            lineHashes.removeLast(lineHashes.count - cursor)
            isChanged = true
        }
        return isChanged
    }

    /// Replaces the families by `entries`.
    ///
    /// - Returns: The families that are new or different.
    mutating func replace(_ entries: [ExactText: MetricMetadata]) -> [(metric: String, metadata: MetricMetadata)] {
        let old = Dictionary(families.map { (ExactText($0.name), $0) }, uniquingKeysWith: { $1 })
        var news: [(metric: String, metadata: MetricMetadata)] = []
        families = entries.keys.sorted().compactMap { name in
            guard let metadata = entries[name] else { return nil }
            if let known = old[name], known.metadata == metadata { return known }
            news.append((name.text, metadata))
            return FamilyMetadata.shared(name: name.text, metadata: metadata)
        }
        return news
    }

    /// Reads all metadata of a body in text format.
    ///
    /// - Returns: The families that are new or different.
    mutating func read(
        _ page: UnsafeBufferPointer<UInt8>, isOpenMetrics: Bool
    ) -> [(metric: String, metadata: MetricMetadata)] {
        var reader = ExpositionReader(page, isOpenMetrics: isOpenMetrics)
        var entries: [ExactText: MetricMetadata] = [:]
        while let entry = try? reader.next() {
            if entry == .end { break }
            reader.addMetadata(of: entry, to: &entries)
        }
        return replace(entries)
    }
}
