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

    /// The magic and the size of headers without the id of the store.
    static let firstMagic: [UInt8] = Array("MLTWAL1\n".utf8)
    static let firstHeaderSize = 16

    /// The start of a file: magic (8) · number (8) · id of the store (8) · crc32c of all before it (4).
    ///
    /// In version 1 it ended after the number, as it does as long as the store has no id.
    struct Header: Equatable {
        var number: UInt64
        /// The id of the store; nil in version 1.
        var store: UInt64?

        init(number: UInt64, store: UInt64?) {
            self.number = number
            self.store = store
        }

        /// The header at the start of a file; nil if it is damaged.
        init?(_ start: some Collection<UInt8>) {
            let fields = start.dropFirst(magic.count)
            func number(_ bytes: some Collection<UInt8>) -> UInt64 {
                bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
            }
            if start.starts(with: firstMagic) {
                self.init(number: number(fields.prefix(8)), store: nil)
            } else {
                self.init(number: number(fields.prefix(8)), store: number(fields.dropFirst(8).prefix(8)))
            }
            guard start.starts(with: bytes), store != 0 else { return nil }
        }

        var bytes: [UInt8] {
            var bytes = store == nil ? firstMagic : magic
            bytes.appendLittle(number)
            guard let store else { return bytes }
            bytes.appendLittle(store)
            bytes.appendLittle(CRC32C.hash(bytes))
            return bytes
        }
    }

    /// The position of the first frame of a file with a damaged header.
    static func firstFrame(_ bytes: UnsafeRawBufferPointer) -> Int {
        framing.frame(bytes, at: headerSize) != nil ? headerSize : firstHeaderSize
    }

    /// Whether a file starts with the header of segment `number`, or with a part of it if the file is shorter.
    ///
    /// A file of another store does not.
    func isOwn(_ path: String, _ number: UInt64) throws(FileError) -> Bool {
        let start = try FileStart.read(path, Self.headerSize, fileSystem)
        return [store, nil].contains { id in
            let header = Header(number: number, store: id).bytes
            return header.starts(with: start.prefix(header.count))
        }
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
