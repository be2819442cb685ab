import Platform

extension BlockSet {
    /// Merges the blocks that the planner selects; returns whether it did.
    ///
    /// The sources of a merge that fails are not merged together again for a time, so that other merges are made.
    ///
    /// - Parameters:
    ///   - maxSize: The most bytes of the sources of a merge.
    ///   - freeSpace: The bytes that a merge may use.
    ///   - makeSpace: Frees bytes without removing the named blocks; returns whether there is enough space now.
    func compact(
        _ planner: CompactionPlanner, now: Int64, maxSize: Int = .max, freeSpace: Int = .max,
        makeSpace: (Int, Set<String>) throws -> Bool = { _, _ in true }, isCancelled: () -> Bool
    ) throws -> Bool {
        // Blocks that cannot be read completely cannot be merged.
        let readers = readers.filter { [nil, .missing].contains(leftOut[$0.meta.id]?.kind) }
        let marked = Set(readers.filter(\.hasDeletions).map(\.meta.id))
        failedMerges.forget(now: now)
        // Only the sizes of possible sources are computed, because this is called every second.
        var sizes: [String: Int] = [:]
        func size(_ block: BlockMeta) -> Int {
            if let known = sizes[block.id] { return known }
            // The files may be gone, and still open.
            let size = (try? readers.first { $0.meta.id == block.id }?.size()) ?? 0
            sizes[block.id] = size
            return size
        }
        let limits = CompactionPlanner.MergeLimits(
            maxSize: maxSize, freeSpace: freeSpace, failed: failedMerges.sources, size: size)
        let plan = planner.plan(readers.map(\.meta), deletions: marked, limits)
        let names = Set(plan.map(\.id))
        let sources = readers.filter { names.contains($0.meta.id) }
        guard !sources.isEmpty else { return false }
        let needed = CompactionPlanner.MergeLimits.space(forSources: plan.reduce(0) { $0 &+ size($1) })
        guard try makeSpace(needed, names), try fileSystem.freeSpace(directory) > needed else {
            failedMerges.note(names, now: now)
            return false
        }
        let id = newID(now: now)
        do {
            let meta = try BlockMerger.merge(
                fileSystem, sources.sorted { CompactionPlanner.isOlder($0.meta, $1.meta) },
                to: directory + "/" + id, xorOnly: usesXOROnly, isCancelled: isCancelled)
            try replace(sources, with: meta)
        } catch {
            failedMerges.note(names, now: now)
            discard(id)
            // Queries may still have the damaged part in their cache; it is lost at the next start.
            if let damage = error as? BlockError {
                sources.first { damage.file.hasPrefix($0.directory + "/") }?.noteDamage(damage)
            }
            throw error
        }
        return true
    }
}

/// The sources of merges that failed a short time ago.
struct FailedMerges: Sendable {
    /// The time for which the sources are not merged together again, ms.
    static let rest: Int64 = 60_000

    private var entries: [(names: Set<String>, at: Int64)] = []

    var sources: [Set<String>] { entries.map(\.names) }

    mutating func note(_ names: Set<String>, now: Int64) { entries.append((names, now)) }

    /// Forgets the merges that may be tried again; also after the clock was set back.
    mutating func forget(now: Int64) {
        entries.removeAll { now &- $0.at >= Self.rest || now < $0.at }
    }
}
