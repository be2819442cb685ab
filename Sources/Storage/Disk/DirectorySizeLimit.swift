import Platform

/// The file system that bounds the data directory.
extension TimeSeriesStore {
    /// The file system that keeps the directory within the size of the options, if they have one.
    static func watch(_ options: StoreOptions, _ fileSystem: any FileSystem) throws -> BoundedFileSystem {
        if let bounded = fileSystem as? BoundedFileSystem { return bounded }
        return try bound(fileSystem, directory: options.directory, size: options.retentionSize)
    }

    /// A file system on which `directory` never holds more than `size` bytes; 0 for any number.
    ///
    /// To be given to ``open(options:fileSystem:clock:)`` by whoever keeps other files in the directory, too.
    public static func bound(
        _ fileSystem: any FileSystem, directory: String, size: Int64
    ) throws(FileError) -> BoundedFileSystem {
        // Removing blocks begins with writing down that they are gone.
        return try BoundedFileSystem(
            fileSystem, root: directory, limit: Int(clamping: size), slack: 16 * BoundedFileSystem.page,
            uncounted: snapshots
        ) { $0.hasSuffix(Manifest.fileName) || $0.hasSuffix(Manifest.fileName + ".tmp") }
    }
}
