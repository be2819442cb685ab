/// When a checkpoint is due: a start reads it and the log behind it, and each one costs as many bytes as it is long.
///
/// While much is written, the log may become as long as the checkpoint. What that leaves of an allowance of twice the
/// log is spent when less comes, so that the end of a burst does not lie in the log until the next.
struct CheckpointPace: Sendable {
    /// Bytes of the log that are not worth a checkpoint: they are read in about 40 ms.
    private static let shortLog = 4 << 20

    private var seen = 0
    private var credit = 0

    /// Whether one is due, asked about once a second.
    ///
    /// - Parameters:
    ///   - log: Bytes of the log behind the last checkpoint.
    ///   - checkpoint: Bytes of the last checkpoint.
    ///   - short: Bytes of the log that are never worth one, if less than usual.
    ///   - largest: Bytes of the log with which it is due in any case.
    mutating func isDue(log: Int, checkpoint: Int, short: Int, largest: Int) -> Bool {
        let grown = log >= seen ? log &- seen : log
        seen = log
        credit = min(credit &+ grown &* 2, 2 &* checkpoint)
        let worthOne = min(Self.shortLog, short, largest)
        if log > min(largest, max(worthOne, checkpoint)) { return true }
        return log > worthOne && grown <= checkpoint / 32 && credit >= checkpoint
    }

    /// Notes one of `size` bytes.
    mutating func wrote(_ size: Int) {
        seen = 0
        credit = max(0, credit &- size)
    }
}
