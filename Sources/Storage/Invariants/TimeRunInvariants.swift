extension TimeRunTable {
    /// Checks numbers, times and the list of free numbers.
    func checkInvariants(_ owner: String, withTimes: Bool) throws(BrokenInvariant) {
        let unused = Set(free)
        try BrokenInvariant.require(unused.count == free.count, "\(owner): a run is free twice")
        for number in numbers {
            let run = self[number]
            try BrokenInvariant.require(
                run.isInUse != unused.contains(number), "\(owner): run \(number) is in use and free, or neither")
            guard run.isInUse else { continue }
            try BrokenInvariant.require(
                run.count > 0 && run.count <= run.capacity && run.spilledCount <= run.count,
                "\(owner): run \(number) has \(run.count) times, \(run.spilledCount) of them spilled, and space for "
                    + "\(run.capacity)")
            if withTimes { try check(number, run, owner) }
        }
        for number in unused {
            try BrokenInvariant.require(numbers.contains(number), "\(owner): run \(number) is free, and there is none")
        }
        for (time, number) in starts {
            let isRight = numbers.contains(number) && self[number].isInUse && self[number].base == time
            try BrokenInvariant.require(isRight, "\(owner): run \(number) does not begin at \(time)")
        }
        try BrokenInvariant.require(latest < end, "\(owner): run \(latest) is the latest, and there is none")
    }

    private func check(_ number: UInt32, _ run: TimeRun, _ owner: String) throws(BrokenInvariant) {
        try BrokenInvariant.require(run.offset(0) == 0, "\(owner): run \(number) begins behind its first time")
        for at in 1..<max(1, Int(run.count)) {
            try BrokenInvariant.require(
                run.offset(at - 1) < run.offset(at), "\(owner): the times of run \(number) do not ascend at \(at)")
        }
        let last = run.time(Int(run.count) - 1)
        try BrokenInvariant.require(
            last < run.windowEnd, "\(owner): run \(number) goes on until \(last), behind \(run.windowEnd)")
    }
}
