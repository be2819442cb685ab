import Model
import Platform

/// The removal of the labels of removed series.
///
/// The texts, pairs and records of an index are only added, never changed, so that they are read without a lock. A new
/// index of the live series is built beside the old index and replaces it. Readers that have labels of the old index
/// continue to use it.
extension Head {
    /// The number of removed series up to which the index is not replaced.
    private static let fewDead = 10_000

    /// Replaces the index by one of the live series, if many series were removed; needs the `maintenanceLock`.
    ///
    /// Ids do not change. All groups are locked while the positions of the records are written, which takes about 50 ns
    /// per series; the index itself is built before.
    func compactLabels(evenFew: Bool = false) throws(StorageError) {
        maintenanceLock.assertHeld()
        let (dead, live, old) = registry.withLock { (deadLabels, liveSeries, index) }
        guard dead > 0, evenFew || dead > Self.fewDead && dead > live / 4 else { return }
        let fresh = try LabelIndex(space)
        let records = try Column<UInt32>(capacity: capacity)
        func add(_ id: UInt32) throws(StorageError) {
            guard Int(id) < records.capacity else {
                throw .outOfMemory("the records of \(capacity) series\(AddressSpace.note)")
            }
            let labels = old.labels(record: states[id].labels)
            var failure: StorageError?
            labels.bytes.withUnsafeBufferPointer { packed in
                do throws(StorageError) {
                    records[Int(id)] = try fresh.insert(id, packed, hash: labels.stableHash)
                } catch { failure = error }
            }
            if let failure { throw failure }
        }
        // Only the holder of the `maintenanceLock` removes series; series that are added meanwhile have later ids.
        let (known, end) = registry.withLock { (liveIds(below: idEnd), idEnd) }
        for id in known { try add(id) }
        let groups = lockAll()
        defer {
            registry.unlock()
            for group in groups { group.lock.unlock() }
        }
        var added: [UInt32] = []
        _ = addLiveIds(end..<idEnd, atMost: .max, to: &added)
        for id in added { try add(id) }
        for id in known { states[id].labels = records[Int(id)] }
        for id in added { states[id].labels = records[Int(id)] }
        fresh.replaces(old)
        fresh.share(under: registry)
        fresh.keepReserve()
        index = fresh
        deadLabels = 0
    }

    /// Takes the locks of all groups and the registry's lock; returns the groups.
    func lockAll() -> [HeadGroup] {
        while true {
            let groups = registry.withLock { self.groups }
            for group in groups { group.lock.lock() }
            registry.lock()
            if self.groups.count == groups.count { return groups }
            registry.unlock()
            for group in groups { group.lock.unlock() }
        }
    }
}
