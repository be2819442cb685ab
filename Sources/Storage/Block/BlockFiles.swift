import Platform

/// The files of a block's directory, by name.
package enum BlockFiles {
    package static let names = ["data", "index", "meta.json", "deleted"]

    /// Removes the files of a block and its directory.
    ///
    /// A directory with other files stays as it is; of a symbolic link, only the link is removed.
    package static func remove(_ directory: String, _ files: any FileSystem) throws(FileError) {
        switch try files.kind(directory) {
        case .link: return try files.remove(directory)
        case .directory: break
        case nil, .file, .other: return
        }
        let present = try files.list(directory)
        let known = Set(names + names.map { $0 + ".tmp" })
        guard present.allSatisfy(known.contains) else { return }
        // The data go first: if the removal is interrupted, the next start does not take the rest for a whole block.
        for name in present.sorted(by: { ($0 == "data" ? 0 : 1, $0) < ($1 == "data" ? 0 : 1, $1) }) {
            try files.remove(directory + "/" + name)
        }
        try files.removeDirectory(directory)
    }

    /// Whether a directory has all files that each block has.
    static func isComplete(_ directory: String, _ files: any FileSystem) -> Bool {
        ["data", "index", "meta.json"].allSatisfy { (try? files.exists(directory + "/" + $0)) ?? true }
    }

    /// Whether a directory has a block of Prometheus, whose chunks are in a directory of their own.
    static func isPrometheus(_ directory: String, _ files: any FileSystem) -> Bool {
        ((try? files.exists(directory + "/chunks")) ?? false) && !((try? files.exists(directory + "/data")) ?? true)
    }
}
