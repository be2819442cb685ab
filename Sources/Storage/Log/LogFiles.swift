import Encoding
import GoCompatibility
import Platform

/// The files of the log: their names, and how they start.
extension WriteAheadLog {
    static func path(_ directory: String, _ number: UInt64) -> String {
        directory + "/" + number.zeroPadded(8)
    }

    /// The numbers of the segments in a directory, ascending.
    static func segments(_ directory: String, _ fileSystem: any FileSystem) throws(FileError) -> [UInt64] {
        try fileSystem.list(directory).compactMap(number).sorted()
    }

    /// The number of the segment with this name; nil for any other name.
    static func number(of name: String) -> UInt64? {
        UInt64(name).flatMap { $0 <= lastSegment && FilePath.name(path("", $0)) == name ? $0 : nil }
    }

    static func header(_ number: UInt64) -> [UInt8] {
        var header = magic
        header.appendLittle(number)
        return header
    }

    /// Whether a file starts with the header of segment `number`, or with a part of it if the file is shorter.
    static func isOwn(_ path: String, _ number: UInt64, _ fileSystem: any FileSystem) throws(FileError) -> Bool {
        let start = try FileStart.read(path, headerSize, fileSystem)
        return header(number).starts(with: start)
    }

    /// Makes a file with the start of a segment, and syncs it to disk.
    ///
    /// A segment gets its name only when its header is on disk, so that a segment without a header is damaged, even at
    /// the end of the log.
    static func make(_ path: String, _ start: [UInt8], _ fileSystem: any FileSystem) throws(FileError) {
        var attempts = 0
        while true {
            attempts += 1
            let file = try fileSystem.open(path, .replace)
            defer { file.close() }
            try file.write(start)
            do throws(FileError) { return try file.syncData() } catch {
                // A second sync of the same file would prove nothing.
                guard attempts < 4 else { throw error }
                try fileSystem.remove(path)
            }
        }
    }

    /// Appends a frame whose content has two parts.
    static func append(
        _ first: ArraySlice<UInt8>, _ second: UnsafeRawBufferPointer?, _ flag: UInt32, to frame: inout [UInt8]
    ) {
        let second = second ?? UnsafeRawBufferPointer(start: nil, count: 0)
        first.withUnsafeBytes { framing.appendHeader($0, second, flags: flag, to: &frame) }
        frame += first
        frame.append(contentsOf: second)
    }
}
