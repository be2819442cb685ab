import Model
import Synchronization

/// Series that go on at an earlier time, because the wall clock was set back.
///
/// Their samples are then not in order of time in the head: readers and blocks sort them.
extension Head {
    /// Begins a series anew at `time` if its newest sample is later; needs the group's lock.
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

    /// Ends the care for series whose samples in the head are all behind `time` again; needs the group's lock.
    func endRewinds(_ group: HeadGroup, from time: Int64) {
        group.lock.assertHeld()
        guard group.rewoundUntil != .min, group.rewoundUntil < time else { return }
        group.rewoundUntil = .min
        for id in group.extents.joined() { states[id].isRewound = false }
    }

    /// Notes what a checkpoint says of rewound series; while the store is opened.
    func restoreRewinds() {
        let newest = newest.load(ordering: .relaxed)
        for group in registry.withLock({ groups }) {
            group.lock.withLock {
                if group.extents.joined().contains(where: { states[$0].isRewound }) { group.rewoundUntil = newest }
            }
        }
    }
}
