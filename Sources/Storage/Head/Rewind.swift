import Model
import Synchronization

/// Series that continue at an earlier time, because the wall clock was set back.
///
/// Their samples in the head are not in the order of time; readers and the making of blocks sort them.
extension Head {
    /// Starts a series again at `time` if its newest sample is later; needs the group's lock.
    func rewindIfLater(_ id: UInt32, than time: Int64, _ group: HeadGroup) {
        group.lock.assertHeld()
        let state = states.at(id)
        let newest = state.pointee.lastTime
        guard newest > time else { return }
        seal(id, group)
        state.pointee.isRewound = true
        group.rewoundUntil = max(group.rewoundUntil, newest)
        state.pointee.lastTime = .min
    }

    /// Removes the out-of-order sample of a time that the chunks of a rewound series get again: the later one counts.
    ///
    /// Needs the group's lock.
    func forgetReplaced(_ id: UInt32, _ time: Int64, _ group: HeadGroup) {
        group.lock.assertHeld()
        guard !group.outOfOrder.isEmpty, let samples = group.outOfOrder[id] else { return }
        let position = samples.position(after: time)
        guard samples.element(before: position)?.time == time else { return }
        group.outOfOrder[id]?.remove(before: position)
        if group.outOfOrder[id]?.isEmpty == true { group.outOfOrder[id] = nil }
    }

    /// Clears the marks of rewound series when all their times before the rewind are before `time`, the start of the
    /// head; needs the group's lock.
    func endRewinds(_ group: HeadGroup, from time: Int64) {
        group.lock.assertHeld()
        guard group.rewoundUntil != .min, group.rewoundUntil < time else { return }
        group.rewoundUntil = .min
        for id in group.extents.joined() { states[id].isRewound = false }
    }

    /// Restores the groups' `rewoundUntil` for series that a checkpoint marks as rewound, while the store is opened.
    func restoreRewinds() {
        let newest = newest.load(ordering: .relaxed)
        for group in registry.withLock({ groups }) {
            group.lock.withLock {
                if group.extents.joined().contains(where: { states[$0].isRewound }) { group.rewoundUntil = newest }
            }
        }
    }
}
