/// The rule for when a checkpoint is due: a start reads it and the log after it, and writing it costs as many bytes as
/// it is long.
///
/// While much is written, the log may become as long as the checkpoint. Checkpoints may write twice the bytes of the
/// log. What remains of this allowance is used when less is written, so that the end of a burst does not stay in the
/// log until the next burst.
struct CheckpointPace: Sendable {
    /// The bytes of the log that do not justify a checkpoint: they are read in about 40 ms.
    private static let shortLog = 4 << 20

    private var seen = 0
    private var credit = 0

    /// Whether a checkpoint is due; called about once a second.
    ///
    /// - Parameters:
    ///   - log: The bytes of the log after the last checkpoint.
    ///   - checkpoint: The bytes of the last checkpoint.
    ///   - short: The bytes of the log that never justify a checkpoint, if less than usual.
    ///   - largest: The bytes of the log with which it is due in any case.
    mutating func isDue(log: Int, checkpoint: Int, short: Int, largest: Int) -> Bool {
        let grown = log >= seen ? log &- seen : log
        seen = log
        credit = min(credit &+ grown &* 2, 2 &* checkpoint)
        let worthOne = min(Self.shortLog, short, largest)
        if log > min(largest, max(worthOne, checkpoint)) { return true }
        return log > worthOne && grown <= checkpoint / 32 && credit >= checkpoint
    }

    /// Notes a checkpoint of `size` bytes.
    mutating func wrote(_ size: Int) {
        seen = 0
        credit = max(0, credit &- size)
    }
}
