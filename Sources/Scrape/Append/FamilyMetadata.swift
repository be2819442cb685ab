import Exposition
import Model
import Synchronization

/// What a page says about one family, shared by all targets that say the same.
final class FamilyMetadata: Sendable {
    let name: String
    let metadata: MetricMetadata

    init(name: String, metadata: MetricMetadata) {
        self.name = name
        self.metadata = metadata
    }

    /// Knows its hash, for texts may be long, and the table is used by all targets.
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

    /// The one object for this name and metadata.
    static func shared(name: String, metadata: MetricMetadata) -> FamilyMetadata {
        let key = Key(name, metadata)
        return shared.withLock { shared in
            if let known = shared.known[key] { return known }
            if shared.known.count >= shared.sweepAt {
                for key in Array(shared.known.keys) {
                    // Only the table knows it: no target shows it any more.
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

/// The metadata of one target's page; a page that says the same again costs one hash per line.
struct PageMetadata {
    private var lineHashes: [UInt64] = []
    private var cursor = 0
    private var isChanged = false
    /// By name.
    private(set) var families: [FamilyMetadata] = []

    mutating func begin() {
        cursor = 0
        isChanged = false
    }

    /// Compares a line of metadata with what stood there the last time.
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

    /// Ends the page.
    ///
    /// - Returns: Whether anything differs from the last page, so that it has to be read with ``read(_:isOpenMetrics:)``.
    mutating func end() -> Bool {
        if cursor < lineHashes.count {
            lineHashes.removeLast(lineHashes.count - cursor)
            isChanged = true
        }
        return isChanged
    }

    /// Replaces the families by `entries`.
    ///
    /// - Returns: Those that are new or different.
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

    /// Reads all metadata of a page of text.
    ///
    /// - Returns: Families that are new or different.
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
