import Platform
import Synchronization
import Telemetry

extension TimeSeriesStore {
    /// Keeps spill files of which a block lacks a chunk under another name, and notes that durably.
    ///
    /// The block takes their place, so that nothing would tell of the loss after the next start.
    func setAside(_ damaged: [SpillFile], _ window: Range<Int64>) {
        guard !damaged.isEmpty else { return }
        var notes = damageNotes.withLock { $0 }
        for file in damaged {
            var name = "spill/" + FilePath.name(file.path)
            do {
                let kept = try SetAside.link(file.path, fileSystem)
                name = "spill/" + (SetAside.original(FilePath.name(kept)) ?? FilePath.name(file.path))
            } catch {
                logger.error("The damaged spill file cannot be set aside", ["file": file.path, "err": "\(error)"])
            }
            let entry = DamageNotes.Entry(
                file: name, kind: .damaged, found: clock.now(), times: window.lowerBound...(window.upperBound &- 1))
            notes.add(entry)
            blockSet.leftOut.note(part(entry))
        }
        damageNotes.withLock { $0 = notes }
        write(notes)
    }
}
