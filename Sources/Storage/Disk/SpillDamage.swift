import Platform
import Synchronization
import Telemetry

extension TimeSeriesStore {
    /// Keeps spill files under another name if a block lacks one of their chunks, and notes this durably.
    ///
    /// The block replaces the files, so that otherwise nothing would report the loss after the next start.
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
