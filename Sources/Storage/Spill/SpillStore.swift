import Platform
import Synchronization

/// The spill files of all windows that are not in blocks yet.
final class SpillStore: Sendable {
    private struct State {
        var byWindow: [Int64: SpillFile] = [:]
        var byNumber: [UInt16: SpillFile] = [:]
        var next: UInt16 = 1
        /// The number that is combined with the checksums of records; 0 as long as the store has no id.
        var mask: UInt32 = 0
        /// The numbers of files of earlier runs that must not be overwritten.
        var taken: Set<UInt16> = []
    }

    let directory: String
    private let fileSystem: any FileSystem
    private let state = Mutex(State())

    init(_ directory: String, fileSystem: any FileSystem) throws(FileError) {
        self.directory = directory
        self.fileSystem = fileSystem
        try fileSystem.createDirectory(directory)
    }

    /// Combines the checksums of records with the id of the store from now on, so that those of another store do not
    /// fit; records of earlier versions still do.
    func belongs(to id: UInt64) {
        let mask = StoreIdentity.mask(id)
        state.withLock { state in
            state.mask = mask
            for file in state.byNumber.values { file.mask = mask }
        }
    }

    private func path(_ windowEnd: Int64, _ number: UInt16) -> String { "\(directory)/\(windowEnd)-\(number).spill" }

    /// The most files at the same time; positions in the lists of sealed chunks have 16 bits for a file.
    static let most = Int(UInt16.max) - 1

    /// The file for new chunks of a window; nil if there are the most files.
    ///
    /// ``HeadWindows`` limits the windows long before. Only a log of an earlier version may have so many.
    func file(windowEnd: Int64) -> SpillFile? {
        state.withLock { state in
            if let file = state.byWindow[windowEnd], !file.isDetached { return file }
            guard state.byNumber.count < Self.most else { return nil }
            let avoids = state.byNumber.count &+ state.taken.count < Int(UInt16.max)
            while state.byNumber[state.next] != nil || state.next == 0 || avoids && state.taken.contains(state.next) {
                state.next &+= 1
            }
            let file = SpillFile(
                path(windowEnd, state.next), windowEnd: windowEnd, number: state.next, size: 0, fileSystem: fileSystem)
            file.mask = state.mask
            state.byWindow[windowEnd] = file
            state.byNumber[state.next] = file
            state.next &+= 1
            return file
        }
    }

    /// Restores a file that a checkpoint names; bytes after `size` are lost.
    func restore(windowEnd: Int64, number: UInt16, size: Int) {
        state.withLock { state in
            let file = SpillFile(
                path(windowEnd, number), windowEnd: windowEnd, number: number, size: size, fileSystem: fileSystem)
            file.mask = state.mask
            if state.byWindow[windowEnd] == nil { state.byWindow[windowEnd] = file }
            state.byNumber[number] = file
            state.next = max(state.next, number == .max ? 1 : number + 1)
        }
    }

    /// Restores all files of the directory with their full size.
    func restoreAll() {
        for name in (try? fileSystem.list(directory)) ?? [] {
            guard let (windowEnd, number) = Self.windowAndNumber(name),
                let status = try? fileSystem.status(directory + "/" + name)
            else { continue }
            restore(windowEnd: windowEnd, number: number, size: status.size)
        }
    }

    /// The parts of the name of a spill file, `END-NUMBER.spill`; nil for any other name.
    static func windowAndNumber(_ name: String) -> (windowEnd: Int64, number: UInt16)? {
        guard name.hasSuffix(".spill") else { return nil }
        // The end of a window may be negative.
        let parts = name.dropLast(".spill".count).split(separator: "-", omittingEmptySubsequences: false)
        guard let number = parts.last.flatMap({ UInt16($0) }),
            let windowEnd = Int64(parts.dropLast().joined(separator: "-")), name == "\(windowEnd)-\(number).spill"
        else { return nil }
        return (windowEnd, number)
    }

    subscript(number: UInt16) -> SpillFile? { state.withLock { $0.byNumber[number] } }

    /// Detaches the files of a window, so that new chunks are written to a new file; returns the detached files.
    func detach(windowEnd: Int64) -> [SpillFile] {
        state.withLock { state in
            state.byWindow[windowEnd] = nil
            let files = state.byNumber.values.filter { $0.windowEnd == windowEnd }
            for file in files { file.isDetached = true }
            return files
        }
    }

    /// Removes a file whose chunks are not named any more.
    func remove(_ number: UInt16) {
        let file = state.withLock { state in
            let file = state.byNumber.removeValue(forKey: number)
            if let file, state.byWindow[file.windowEnd] === file { state.byWindow[file.windowEnd] = nil }
            return file
        }
        file?.remove()
    }

    /// All files.
    var files: [SpillFile] { state.withLock { $0.byNumber.values.sorted { $0.number < $1.number } } }

    /// The names of files of earlier runs that were not restored and are not empty.
    ///
    /// Their numbers are not used until ``dropStrangers(_:isDisowned:)``.
    func strangers() throws(FileError) -> [String] {
        let known = Set(files.map { FilePath.name($0.path) })
        // A file that cannot be examined is not known to be empty.
        let names = try fileSystem.list(directory).filter {
            !known.contains($0) && Self.windowAndNumber($0) != nil
                && (try? fileSystem.status(directory + "/" + $0).size) != 0
        }
        state.withLock { $0.taken = Set(names.compactMap { Self.windowAndNumber($0)?.number }) }
        return names
    }

    /// Removes the files of earlier runs, or sets them aside; unfinished copies and empty files are removed in any
    /// case.
    ///
    /// - Parameter isDisowned: Whether the log has all their samples, so that they are removed; otherwise they are set
    ///   aside.
    func dropStrangers(_ strangers: [String], isDisowned: Bool) {
        let known = Set(files.map { FilePath.name($0.path) })
        for name in (try? fileSystem.list(directory)) ?? []
        where !known.contains(name)
            && Self.windowAndNumber(name.hasSuffix(".tmp") ? String(name.dropLast(4)) : name) != nil
        {
            let path = directory + "/" + name
            if isDisowned || !strangers.contains(name) {
                try? fileSystem.remove(path)
            } else {
                _ = try? SetAside.rename(path, fileSystem)
            }
        }
        state.withLock { $0.taken = [] }
    }
}
