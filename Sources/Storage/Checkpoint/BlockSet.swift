import Model
import Platform
import Synchronization
import Telemetry

/// The blocks of the store that the manifest names, opened.
final class BlockSet: @unchecked Sendable {
    // SAFETY: one thread at a time uses the manifest, under the store's `maintenanceLock`; a mutex protects the readers.
    let directory: String
    let cache = FrameCache()
    let fileSystem: any FileSystem
    let usesXOROnly: Bool
    /// The numbers of blocks that are allowed.
    let places: BlockPlaces
    private let manifest: Manifest
    private let open = Mutex<[BlockReader]>([])
    private let log = Log("storage")
    /// The number of times that the set of open blocks was made.
    let reloads = StoreCounters.Attempts()
    /// The blocks that were not finished or not named, and that may still be on disk after a power cut.
    private var unfinished: Set<String> = []
    /// The whole blocks that the start found and could not name because the disk was full.
    private var untaken: [String] = []
    /// The blocks that could not be opened.
    private(set) var damaged: [String] = []
    /// The files of damaged blocks as they were when they were last checked.
    private var checkedFiles: [String: [FileStatus?]] = [:]
    /// The deletions that wait for blocks that cannot be opened.
    private var pending = PendingDeletions()
    /// The merges that failed a short time ago.
    var failedMerges = FailedMerges()
    /// The parts of the blocks and of the log that cannot be read.
    let leftOut = LeftOut()

    /// Opens the blocks in `directory`; a damaged block is left out and logged, and its files stay.
    ///
    /// - Parameter openFiles: The most files that the process may have open.
    init(_ directory: String, fileSystem: any FileSystem, usesXOROnly: Bool = false, openFiles: Int = .max) throws {
        self.directory = directory
        self.fileSystem = fileSystem
        self.usesXOROnly = usesXOROnly
        places = BlockPlaces(openFiles: openFiles)
        try fileSystem.createDirectory(directory)
        do {
            manifest = try Manifest(fileSystem, directory: directory)
        } catch let error as BlockError {
            let path = directory + "/" + Manifest.fileName
            log.error("The manifest is damaged and set aside; the blocks that are there are taken", ["err": "\(error)"])
            damaged.append(Manifest.fileName)
            try SetAside.rename(path, fileSystem)
            manifest = try Manifest(fileSystem, directory: directory)
        }
        do { pending = try PendingDeletions.read(fileSystem, directory) } catch let error as BlockError {
            log.error("The list of pending deletions is damaged and set aside", ["err": "\(error)"])
            damaged.append(PendingDeletions.fileName)
            try SetAside.rename(directory + "/" + PendingDeletions.fileName, fileSystem)
        }
        try settleUnnamed()
        // The log and connections need descriptors, too, and blocks that are left out would look damaged.
        guard manifest.blocks.count <= places.most else {
            throw StorageError.tooManyBlocks(manifest.blocks.count, limit: openFiles)
        }
        pendingIsThere()
        var readers: [BlockReader] = []
        for name in manifest.blocks {
            do {
                readers.append(try reader(name))
            } catch {
                damaged.append(name)
                leftOut.note(closed(name, error))
                log.error("A block cannot be opened and is left out", ["block": name, "err": "\(error)"])
            }
        }
        set(readers)
        // Manifests of earlier versions do not have it, and a file is written before it is noted. The next start does it
        // if the disk is full.
        try? noteDeletions(of: readers)
    }

    /// Takes or removes the blocks that the manifest does not name.
    private func settleUnnamed() throws {
        // A whole block is neither named nor known to be removed if the manifest is damaged, or if the process was
        // killed before the block was named. In the second case its samples are also elsewhere, and are merged with
        // those; a merge is left out, so that there are not more blocks than before.
        func hasNamedParents(_ name: String) -> Bool {
            let parents = (try? BlockMeta.read(fileSystem, directory + "/" + name))?.parents ?? []
            return !parents.isEmpty
                && parents.allSatisfy {
                    manifest.blocks.contains($0) && BlockFiles.isComplete(directory + "/" + $0, fileSystem)
                }
        }
        let found = try Self.whole(in: directory, fileSystem).filter {
            !manifest.blocks.contains($0) && !manifest.removed.contains($0)
                // A part of a block is what an interrupted removal left, unless the manifest was damaged, too.
                && (manifest.isNew
                    || BlockFiles.isComplete(directory + "/" + $0, fileSystem) && !hasNamedParents($0))
        }
        if !found.isEmpty {
            log.warn(
                "The manifest does not name all blocks that are there; those that are whole are taken",
                ["blocks": "\(found.joined(separator: " "))"])
            do {
                try manifest.commit(.init(added: found, mark: manifest.mark))
            } catch let error as FileError where error.isFull && !manifest.isNew {
                log.error("The manifest cannot name the blocks that are there yet", ["err": "\(error)"])
                untaken = found
            }
        }
        // Without a manifest, it is not known which files are garbage.
        // A kill while a block is removed leaves a part of it, and so does a copy that was interrupted.
        for name in manifest.isNew || !untaken.isEmpty ? [] : try manifest.removeGarbage(in: directory) {
            log.warn("The files of a block that the manifest does not name were removed", ["block": name])
        }
    }

    /// A change of the manifest's notes, which it has besides the blocks.
    private func notes(
        cut: [CutFile] = [], deletions: [String: Int]? = nil, waiting: Set<String>? = nil, segment: UInt64 = 0
    ) -> Manifest.Edit {
        let known = manifest.notes
        return Manifest.Edit(
            removed: unfinished.sorted(), mark: manifest.mark,
            notes: ManifestNotes(
                cut: cut, deletions: deletions ?? known.deletions, waiting: waiting ?? known.waiting, lost: known.lost,
                segment: segment))
    }

    /// Makes a change, durably, and removes the unfinished blocks, which it names as removed.
    private func commit(_ edit: Manifest.Edit) throws {
        try manifest.commit(edit)
        let gone = unfinished
        unfinished = []
        for name in gone { try? BlockFiles.remove(directory + "/" + name, fileSystem) }
    }

    /// Writes the manifest as the next start would write it.
    func rewriteManifest() throws { try manifest.rewrite() }

    /// The number of blocks whose change failed, and that are still on disk.
    var unfinishedCount: Int { unfinished.count }

    /// The most blocks that a start may find.
    var possibleCount: Int { count &+ unfinished.count &+ untaken.count }

    /// Names the blocks that the start could not name, durably, and opens them.
    private func takeFound() throws {
        guard !untaken.isEmpty else { return }
        try commit(.init(added: untaken, removed: unfinished.sorted(), mark: manifest.mark))
        untaken = []
        look()
    }

    /// Makes sure that the next start does not open a block whose change failed.
    func settle() throws { if !unfinished.isEmpty || manifest.isDoubtful { try commit(notes()) } }

    /// The spill files that were cut (see ``CutFile``) since a segment of the log was started.
    func cutFiles(since segment: UInt64) -> Set<CutFile> { Set(manifest.notes.cut.filter { $0.segment >= segment }) }

    /// Notes, durably, that spill files are cut although their samples are not in a block.
    func noteCut(_ files: [CutFile]) throws { if !files.isEmpty { try commit(notes(cut: files)) } }

    /// The newest segment of the write-ahead log that is noted to have a frame; 0 if there is none.
    var newestSegment: UInt64 { manifest.notes.segment }

    /// Notes, durably, that a segment of the write-ahead log has a frame, so that a start without its file reports it.
    func noteSegment(_ number: UInt64) throws {
        guard number > newestSegment, !manifest.isDoubtful else { return }
        try commit(notes(segment: number))
    }

    /// Reports blocks whose pending deletions are missing from the list; they are left out as long as this is so.
    private func pendingIsThere() {
        let known = Set(pending.entries.map(\.block))
        let lost = manifest.notes.waiting.filter { manifest.blocks.contains($0) && !known.contains($0) }
        guard !lost.isEmpty else { return }
        if !damaged.contains(PendingDeletions.fileName) { damaged.append(PendingDeletions.fileName) }
        log.error(
            "The list of pending deletions is missing; the blocks that it named are left out",
            ["blocks": lost.sorted().joined(separator: " ")])
        // Later deletions in these blocks do not replace the lost ones.
        var edit = notes(waiting: manifest.notes.waiting.subtracting(lost))
        edit.notes?.lost.formUnion(lost)
        do { try commit(edit) } catch {
            log.error("The manifest cannot be written", ["err": "\(error)"])
        }
    }

    /// Deletes the samples of matching series between two times, durably: in the open blocks now, in the other ones when
    /// they are opened.
    ///
    /// - Returns: The number of matching series, and what is needed to reverse it.
    /// - Throws: An error after which nothing is deleted, unless an error was logged that says so.
    func delete(_ matchers: [Matcher], minTime: Int64, maxTime: Int64) throws -> (series: Int, deletion: BlockDeletion)
    {
        // Otherwise the next start takes blocks with what is deleted now.
        try takeFound()
        let blocks = readers.filter { $0.minTime <= maxTime && $0.maxTime >= minTime }
        let request = SelectRequest(matchers: matchers, minTime: minTime, maxTime: maxTime, labelsOnly: true)
        // All reads come before the first change.
        let matching = try blocks.map {
            (block: $0, count: try $0.select(request).count, ranks: try $0.ranks(matchers))
        }
        let before = pending
        var deletion = BlockDeletion()
        do {
            if try deleteInClosed(matchers, minTime: minTime, maxTime: maxTime) { deletion.pending = before }
            for (block, _, ranks) in matching {
                let earlier = try block.delete(ranks, minTime: minTime, maxTime: maxTime)
                deletion.earlier.append((block, earlier))
            }
            try noteDeletions(of: blocks)
        } catch {
            reverse(deletion)
            throw error
        }
        return (matching.map(\.count).max() ?? 0, deletion)
    }

    /// Reverses a deletion whose other parts failed, durably; where that fails, the deletion stays.
    func reverse(_ deletion: BlockDeletion) {
        do {
            if let earlier = deletion.pending { try waitAgain(for: earlier) }
            // The manifest must not name a block without its file `deleted`, nor more deletions than the file has.
            var counts = manifest.notes.deletions
            for (block, earlier) in deletion.earlier {
                counts[block.meta.id] = earlier.isEmpty ? nil : earlier.entries.count
            }
            if manifest.isDoubtful || counts != manifest.notes.deletions { try commit(notes(deletions: counts)) }
            for (block, earlier) in deletion.earlier { try block.restore(earlier) }
        } catch { reportKept(error) }
    }

    /// Notes, durably, how many deletions blocks have, unless that is noted already.
    private func noteDeletions(of blocks: [BlockReader]) throws {
        var counts = manifest.notes.deletions
        for block in blocks where block.hasDeletions { counts[block.meta.id] = block.deletionCount }
        if counts != manifest.notes.deletions { try commit(notes(deletions: counts)) }
    }

    private func reportKept(_ error: any Error) {
        log.error("A deletion that failed cannot be reversed in all blocks", ["err": "\(error)"])
    }

    /// The names of the complete blocks in a directory, without the sources of other blocks.
    private static func whole(in directory: String, _ fileSystem: any FileSystem) throws(FileError) -> [String] {
        let names = try fileSystem.list(directory).filter {
            let path = directory + "/" + $0
            return BlockMeta.isID($0) && (try? fileSystem.status(path).isDirectory) ?? false
                && !BlockFiles.isPrometheus(path, fileSystem)
        }
        let metas = names.compactMap { try? BlockMeta.read(fileSystem, directory + "/" + $0) }
        let gone = metas.filter { meta in metas.contains { $0.replaces(meta) } }.map(\.id)
        // A block whose description cannot be read is kept, because it may be repaired.
        return names.filter { !gone.contains($0) }
    }

    /// Opens a block, and carries out the deletions that waited for it.
    private func reader(_ name: String) throws -> BlockReader {
        let reader = try BlockReader(fileSystem, directory: directory + "/" + name, cache: cache, leftOut: leftOut)
        let own = pending.entries.filter { $0.block == name }
        let notes = manifest.notes
        func lost(_ what: String) -> BlockError {
            BlockError(file: reader.directory, section: "deletions", offset: 0, reason: what)
        }
        if let count = notes.deletions[name] {
            guard reader.hasDeletions else {
                throw lost("the file `deleted` is missing, which says what is deleted in the block")
            }
            guard reader.deletionCount >= count else {
                throw lost("the file `deleted` is an older one: it has \(reader.deletionCount) of \(count) deletions")
            }
        }
        if notes.lost.contains(name) || own.isEmpty && notes.waiting.contains(name) {
            throw lost("deletions that waited for the block are lost")
        }
        if own.isEmpty { return reader }
        for entry in own { try reader.delete(entry.matchers, minTime: entry.minTime, maxTime: entry.maxTime) }
        pending.removeAll { $0.block == name }
        try noteDeletions(of: [reader])
        // If one of these fails, the next start deletes the same again.
        try? commit(self.notes(waiting: notes.waiting.subtracting([name])))
        try? pending.write(fileSystem, directory)
        return reader
    }

    /// Adds a deletion that waits for the blocks that cannot be opened, durably; returns whether there are such blocks.
    private func deleteInClosed(_ matchers: [Matcher], minTime: Int64, maxTime: Int64) throws -> Bool {
        let open = Set(readers.map(\.meta.id))
        var next = pending
        next.removeAll { !manifest.blocks.contains($0.block) }
        var isNew = false
        for name in manifest.blocks where !open.contains(name) {
            // Their times may be unknown.
            let times = leftOut[name]?.times ?? .min ... .max
            guard times.lowerBound <= maxTime, times.upperBound >= minTime else { continue }
            try next.add(.init(block: name, matchers: matchers, minTime: minTime, maxTime: maxTime))
            isNew = true
        }
        guard isNew else { return false }
        let before = pending
        do {
            try next.write(fileSystem, directory)
            try commit(notes(waiting: manifest.notes.waiting.union(next.entries.map(\.block))))
        } catch {
            // The file may have been replaced although its write failed.
            do { try before.write(fileSystem, directory) } catch { reportKept(error) }
            throw error
        }
        pending = next
        return true
    }

    /// Replaces the pending deletions by earlier ones, durably.
    private func waitAgain(for earlier: PendingDeletions) throws {
        let left = Set(earlier.entries.map(\.block))
        try commit(notes(waiting: manifest.notes.waiting.intersection(left)))
        try earlier.write(fileSystem, directory)
        pending = earlier
    }

    /// A block that cannot be opened; its times are those of its index or description, or all times.
    private func closed(_ name: String, _ error: any Error) -> LeftOutPart {
        let path = directory + "/" + name
        var times = Int64.min...Int64.max
        if let index = try? BlockIndex(fileSystem, path + "/index"), index.minTime <= index.maxTime {
            times = index.minTime...index.maxTime
        } else if let meta = try? BlockMeta.read(fileSystem, path), meta.minTime <= meta.maxTime {
            times = meta.minTime...meta.maxTime
        }
        let isThere = (try? fileSystem.exists(path)) ?? true
        return LeftOutPart(
            name: name, isBlock: true, kind: isThere ? LeftOut.kind(error) ?? .damaged : .missing, reason: "\(error)",
            times: times)
    }

    /// Checks whether the files of all blocks exist, and opens the blocks that could not be opened before.
    func look() {
        if !untaken.isEmpty, (try? takeFound()) != nil { return }
        var replaced: [BlockReader] = []
        for reader in readers {
            if let part = reader.look() {
                if leftOut.note(part) {
                    log.error(
                        "A file of a block was lost while it was in use",
                        ["block": part.name, "reason": part.kind.rawValue, "err": part.reason])
                }
            } else if leftOut[reader.meta.id] != nil, let fresh = reopened(reader) {
                replaced.append(fresh)
                leftOut.clear(reader.meta.id)
                log.info("The files of a block can be read again", ["block": reader.meta.id])
            }
        }
        var opened = readers.filter { reader in !replaced.contains { $0.meta.id == reader.meta.id } } + replaced
        let names = Set(opened.map(\.meta.id))
        for name in manifest.blocks where !names.contains(name) {
            do {
                opened.append(try reader(name))
                leftOut.clear(name)
                damaged.removeAll { $0 == name }
                log.info("A block that was left out can be read again", ["block": name])
            } catch { leftOut.note(closed(name, error)) }
        }
        if opened.count > names.count || !replaced.isEmpty { set(opened) }
    }

    /// Opens a block again that was left out, and verifies it; nil if it is damaged, or did not change since it was
    /// found damaged.
    private func reopened(_ reader: BlockReader) -> BlockReader? {
        let name = reader.meta.id
        let stamp = ["data", "index", "meta.json"].map { try? fileSystem.status(reader.directory + "/" + $0) }
        guard checkedFiles[name] != stamp else { return nil }
        checkedFiles[name] = stamp
        do {
            let fresh = try self.reader(name)
            try fresh.verify()
            checkedFiles[name] = nil
            return fresh
        } catch {
            if StorageError.shortage(error) != nil {
                checkedFiles[name] = nil
            } else {
                leftOut.note(closed(name, error))
            }
            return nil
        }
    }

    private func set(_ readers: [BlockReader]) {
        let sorted = readers.sorted {
            ($0.minTime, $0.meta.level, $0.meta.id) < ($1.minTime, $1.meta.level, $1.meta.id)
        }
        // Of blocks that overlap, the newest is last: a query takes its sample of a time, as a merge does.
        let ordered = CompactionPlanner.overlaps(sorted, times: { ($0.minTime, $0.maxTime) }).flatMap { group in
            group.sorted { CompactionPlanner.isOlder($0.meta, $1.meta) }
        }
        open.withLock { $0 = ordered }
        reloads.succeed()
    }

    /// The number of blocks of the store, readable or not.
    var count: Int { manifest.blocks.count }

    /// Whether the directory had neither a manifest nor blocks when it was opened.
    var wasEmpty: Bool { manifest.isNew && manifest.blocks.isEmpty }

    /// All open blocks, in the order of time; of those that overlap, the newest is last.
    var readers: [BlockReader] { open.withLock { $0 } }

    /// Starts a block.
    ///
    /// - Throws: ``StorageError/tooManyBlocks(_:limit:)`` if the next start would not accept another block.
    func writer(now: Int64, baseTime: Int64) throws -> BlockWriter {
        guard possibleCount < places.most else {
            throw StorageError.tooManyBlocks(count, limit: places.openFiles)
        }
        var options = BlockWriter.Options()
        options.baseTime = baseTime
        options.xorOnly = usesXOROnly
        return try BlockWriter(fileSystem, parent: directory, id: newID(now: now), options: options)
    }

    /// A name for a block that counts as newer than all blocks, although the wall clock may have been set back.
    func newID(now: Int64) -> String {
        let newest = manifest.blocks.compactMap(BlockMeta.time(ofID:)).max() ?? 0
        return BlockMeta.makeID(now: max(now, newest &+ 1))
    }

    /// Adds a finished block in place of the blocks `removed`, durably, and removes their files.
    ///
    /// - Parameter cut: The spill files whose samples the block has.
    func replace(_ removed: [BlockReader], with added: BlockMeta?, cut: [CutFile] = []) throws {
        let names = removed.map(\.meta.id)
        let reader: BlockReader?
        do {
            reader = try added.map { try self.reader($0.id) }
            guard reader != nil || !names.isEmpty else { return try noteCut(cut) }
            var edit = notes(cut: cut)
            (edit.added, edit.removed) = (added.map { [$0.id] } ?? [], edit.removed + names)
            try commit(edit)
        } catch {
            reloads.fail()
            if let added { discard(added.id) }
            throw error
        }
        set(readers.filter { !names.contains($0.meta.id) } + [reader].compactMap { $0 })
        for name in names { leftOut.clear(name) }
        for reader in removed { try? BlockFiles.remove(reader.directory, fileSystem) }
    }

    /// Removes a block that was not finished, or that the manifest does not name.
    ///
    /// The next start takes whole blocks that the manifest does not name: samples that are deleted until then would
    /// return. So the next change of the manifest names the block as removed unless it is certain that it is gone. A
    /// manifest that may name the block must find it until then.
    func discard(_ name: String) {
        let path = directory + "/" + name
        do {
            if !manifest.isDoubtful, try !fileSystem.exists(path) { return }
            unfinished.insert(name)
            guard !manifest.isDoubtful else { return }
            try BlockFiles.remove(path, fileSystem)
            guard try !fileSystem.exists(path) else { return }
            try fileSystem.syncDirectory(directory)
            unfinished.remove(name)
        } catch { unfinished.insert(name) }
    }

    /// Removes whole blocks that are older than the retention.
    func retain(now: Int64, time: Int64) throws {
        let gone = Set(CompactionPlanner.expired(readers.map(\.meta), now: now, retention: time).map(\.id))
        let removed = readers.filter { gone.contains($0.meta.id) }
        if !removed.isEmpty {
            try replace(removed, with: nil)
            log.info("Dropped blocks beyond retention", ["blocks": "\(removed.count)"])
        }
    }

    /// The block that ends first, except the named blocks.
    func oldest(except names: Set<String>) -> BlockReader? {
        readers.filter { !names.contains($0.meta.id) }.min { ($0.maxTime, $0.meta.id) < ($1.maxTime, $1.meta.id) }
    }

    /// The bytes of all blocks.
    var size: Int { readers.reduce(0) { $0 + ((try? $1.size()) ?? 0) } }
}
