/// Sets damaged files aside: they are renamed and never removed.
package enum SetAside {
    package static let suffix = ".damaged"

    /// Renames a file, or any other entry with its name, to `NAME.damaged`, or `NAME.2.damaged` and so on if that
    /// exists; returns the new name.
    @discardableResult
    package static func rename(_ path: String, _ fileSystem: any FileSystem) throws(FileError) -> String {
        let (name, free) = try name(path, nil, fileSystem)
        if let free { try fileSystem.rename(path, to: free) }
        return name
    }

    /// Makes a second name for a file that will be replaced, unless it has one already; returns that name.
    @discardableResult
    package static func link(_ path: String, _ fileSystem: any FileSystem) throws(FileError) -> String {
        let identity = try fileSystem.status(path).identity
        let (name, free) = try name(path, identity, fileSystem)
        if let free { try fileSystem.link(path, to: free) }
        return name
    }

    /// The name of a file that is set aside without the suffix, such as `NAME` or `NAME.2`; nil for any other name.
    package static func original(_ name: String) -> String? {
        name.hasSuffix(suffix) ? String(name.dropLast(suffix.count)) : nil
    }

    /// The first name that is free, or that belongs to the file `identity`; then it is not free.
    private static func name(
        _ path: String, _ identity: UInt64?, _ fileSystem: any FileSystem
    ) throws(FileError) -> (name: String, free: String?) {
        var number = 1
        while true {
            let name = path + (number > 1 ? ".\(number)" : "") + suffix
            guard try fileSystem.exists(name) else { return (name, name) }
            if let identity, identity != 0, (try? fileSystem.status(name).identity) == identity { return (name, nil) }
            number += 1
        }
    }
}
