import Model

/// Giving back the labels of series that are gone.
///
/// Texts, pairs and records of an index are only ever added to, so that they are read without a lock. An index of the
/// living is built beside the old one and takes its place; who still holds labels by the old one reads on in it.
extension Head {
    /// Dead series that are not worth it.
    private static let fewDead = 10_000

    /// Exchanges the index for one of the living, if many are dead; needs the upkeep's lock.
    ///
    /// Ids stay what they are. All groups wait while the numbers of the records are written, which takes about 50 ns
    /// per series; the index itself is built before.
    func compactLabels(evenFew: Bool = false) throws(StorageError) {
        upkeep.assertHeld()
        let (dead, live, old) = registry.withLock { (deadLabels, liveSeries, index) }
        guard dead > 0, evenFew || dead > Self.fewDead && dead > live / 4 else { return }
        let fresh = try LabelIndex()
        let records = try Column<UInt32>(capacity: capacity, share: 0.02)
        func add(_ id: UInt32) throws(StorageError) {
            let labels = old.labels(record: states[id].labels)
            var failure: StorageError?
            labels.bytes.withUnsafeBufferPointer { packed in
                do throws(StorageError) {
                    records[Int(id)] = try fresh.insert(id, packed, hash: labels.stableHash)
                } catch { failure = error }
            }
            if let failure { throw failure }
        }
        // Nobody but the upkeep takes series away; those that are added meanwhile have later ids.
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
        index = fresh
        deadLabels = 0
    }

    /// Takes the locks of all groups, which it returns, and of the registry.
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
