import Platform

extension FileSystem {
    /// The content of a file of any size.
    public func read(_ path: String) throws(FileError) -> [UInt8] { try read(path, limit: .max) }
}
