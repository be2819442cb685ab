/// The numbers of blocks that a limit of open files allows; each block uses an open file.
///
/// The log, spill files, merges and connections use open files, too.
struct BlockPlaces: Equatable, Sendable {
    /// The most files that the process may have open.
    var openFiles = Int.max

    /// The number above which a round of maintenance makes many merges.
    var many: Int { openFiles / 8 }
    /// The number up to which several blocks are made at a time; with more, merges are first.
    var free: Int { openFiles / 4 }
    /// The number up to which blocks of old samples are made.
    var mostWithOld: Int { openFiles / 2 }
    /// The most blocks: a start with more is refused, so a running store makes no more.
    var most: Int { openFiles &- min(64, openFiles / 2) }
}
