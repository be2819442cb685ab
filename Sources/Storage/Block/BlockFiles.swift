import Platform

/// The files of a block's directory, by name.
package enum BlockFiles {
    package static let names = ["data", "index", "meta.json", "deleted"]

    /// Removes a block's files and its directory; a directory that holds anything else stays as it is, and of a link only
    /// the name goes.
    package static func remove(_ directory: String, _ files: any FileSystem) throws(FileError) {
        switch try files.kind(directory) {
        case .link: return try files.remove(directory)
        case .directory: break
        case nil, .file, .other: return
        }
        let present = try files.list(directory)
        let known = Set(names + names.map { $0 + ".tmp" })
        guard present.allSatisfy(known.contains) else { return }
        for name in present { try files.remove(directory + "/" + name) }
        try files.removeDirectory(directory)
    }

    /// Whether a directory holds a block of Prometheus: its chunks lie in a directory of their own.
    static func isPrometheus(_ directory: String, _ files: any FileSystem) -> Bool {
        ((try? files.exists(directory + "/chunks")) ?? false) && !((try? files.exists(directory + "/data")) ?? true)
    }
}
