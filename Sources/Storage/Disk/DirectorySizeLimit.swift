import Platform

/// The file system that limits the size of the data directory.
extension TimeSeriesStore {
    /// The file system that keeps the directory within the size of the options, if they have one.
    static func watch(_ options: StoreOptions, _ fileSystem: any FileSystem) throws -> BoundedFileSystem {
        if let bounded = fileSystem as? BoundedFileSystem { return bounded }
        return try bound(fileSystem, directory: options.directory, size: options.retentionSize)
    }

    /// A file system on which `directory` never has more than `size` bytes; 0 for no limit.
    ///
    /// Callers that keep other files in the directory use it for these, and pass it to
    /// ``open(options:fileSystem:clock:)``.
    public static func bound(
        _ fileSystem: any FileSystem, directory: String, size: Int64
    ) throws(FileError) -> BoundedFileSystem {
        // The removal of blocks starts with a record that they are gone, which must always fit.
        return try BoundedFileSystem(
            fileSystem, root: directory, limit: Int(clamping: size), slack: 16 * BoundedFileSystem.page,
            uncounted: snapshots
        ) { $0.hasSuffix(Manifest.fileName) || $0.hasSuffix(Manifest.fileName + ".tmp") }
    }
}
