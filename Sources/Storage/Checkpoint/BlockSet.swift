import Platform
import Synchronization
import Telemetry

/// The blocks of the store: what the manifest names, opened.
final class BlockSet: @unchecked Sendable {
    // SAFETY: the manifest is used by one thread at a time, under the store's upkeep lock; readers are behind a mutex.
    let directory: String
    let cache = FrameCache()
    private let fileSystem: any FileSystem
    private let manifest: Manifest
    private let open = Mutex<[BlockReader]>([])
    private let log = Log("storage")
    /// Blocks that could not be opened.
    private(set) var damaged: [String] = []

    /// Opens the blocks in `directory`; one that is damaged is left out, logged and stays where it is.
    init(_ directory: String, fileSystem: any FileSystem) throws {
        self.directory = directory
        self.fileSystem = fileSystem
        try fileSystem.createDirectory(directory)
        manifest = try Manifest(fileSystem, directory: directory)
        try manifest.removeGarbage(in: directory)
        var readers: [BlockReader] = []
        for name in manifest.blocks {
            do {
                readers.append(try BlockReader(fileSystem, directory: directory + "/" + name, cache: cache))
            } catch {
                damaged.append(name)
                log.error("A block cannot be opened and is left out", ["block": name, "err": "\(error)"])
            }
        }
        set(readers)
    }

    private func set(_ readers: [BlockReader]) {
        let sorted = readers.sorted {
            ($0.minTime, $0.meta.level, $0.meta.id) < ($1.minTime, $1.meta.level, $1.meta.id)
        }
        open.withLock { $0 = sorted }
    }

    /// All open blocks in order of time.
    var readers: [BlockReader] { open.withLock { $0 } }

    /// Begins a block.
    func writer(now: Int64, baseTime: Int64) throws -> BlockWriter {
        var options = BlockWriter.Options()
        options.baseTime = baseTime
        return try BlockWriter(fileSystem, parent: directory, id: BlockMeta.makeID(now: now), options: options)
    }

    /// Takes a finished block, in place of `removed`, durably, and removes their files.
    func replace(_ removed: [BlockReader], with added: BlockMeta?) throws {
        let names = removed.map(\.meta.id)
        let reader = try added.map {
            try BlockReader(fileSystem, directory: directory + "/" + $0.id, cache: cache)
        }
        guard reader != nil || !names.isEmpty else { return }
        try manifest.commit(.init(added: added.map { [$0.id] } ?? [], removed: names, mark: manifest.mark))
        set(readers.filter { !names.contains($0.meta.id) } + [reader].compactMap { $0 })
        for reader in removed { try? fileSystem.removeAll(reader.directory) }
    }

    /// Merges what the planner says; returns whether it did anything.
    func compact(_ planner: CompactionPlanner, now: Int64, isCancelled: () -> Bool) throws -> Bool {
        let readers = readers
        let marked = Set(readers.filter(\.hasDeletions).map(\.meta.id))
        let names = Set(planner.plan(readers.map(\.meta), deletions: marked).map(\.id))
        let sources = readers.filter { names.contains($0.meta.id) }
        guard !sources.isEmpty else { return false }
        let size = try sources.reduce(0) { $0 + (try $1.size()) }
        // A merge needs about the room of its sources; with less, wait until there is.
        guard try fileSystem.freeSpace(directory) > size + size / 5 else { return false }
        let meta = try BlockMerger.merge(
            fileSystem, sources.sorted { ($0.meta.level, $1.meta.id) > ($1.meta.level, $0.meta.id) },
            parent: directory, id: BlockMeta.makeID(now: now), isCancelled: isCancelled)
        try replace(sources, with: meta)
        return true
    }

    /// Drops whole blocks that are too old, and the oldest while everything together is too large.
    func retain(now: Int64, time: Int64, size: Int, others: Int) throws {
        let all = readers
        var gone = Set(CompactionPlanner.expired(all.map(\.meta), now: now, retention: time).map(\.id))
        if size > 0 {
            var sizes: [String: Int] = [:]
            for reader in all { sizes[reader.meta.id] = (try? reader.size()) ?? 0 }
            let kept = all.map(\.meta).filter { !gone.contains($0.id) }
            for meta in CompactionPlanner.excess(kept, sizes: sizes, other: others, limit: size) {
                gone.insert(meta.id)
            }
        }
        let removed = all.filter { gone.contains($0.meta.id) }
        if !removed.isEmpty {
            try replace(removed, with: nil)
            log.info("Dropped blocks beyond retention", ["blocks": "\(removed.count)"])
        }
    }

    /// Bytes of all blocks.
    var size: Int { readers.reduce(0) { $0 + ((try? $1.size()) ?? 0) } }
}
