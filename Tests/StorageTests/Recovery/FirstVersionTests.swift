import Glibc
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// Directories of version 1, whose files state no id of a store.
@Suite struct FirstVersionTests {
    /// The files of the pages of formats, as version 1 wrote them.
    private static let first = [
        "store.martlet": """
        4d 41 52 54 4c 45 54 53 01 00 00 00 00 00 00 00
        """,
        "checkpoint": """
        4d 4c 54 43 4b 50 32 0a 01 00 00 00 00 00 00 00
        1b 00 00 00 24 00 00 00 a1 c1 4e 74 28 b5 2f fd
        20 1b d9 00 00 02 01 80 f4 ee 06 80 c0 b8 84 fa
        62 fe ff ff ff ff ff ff ff ff 01 01 0c 45 b8 ac
        02 00 00 00 00 00 00 00 27 00 00 00 30 00 00 00
        7c 4a 84 6d 28 b5 2f fd 20 27 39 01 00 04 08 5f
        5f 6e 61 6d 65 5f 5f 02 75 70 08 69 6e 73 74 61
        6e 63 65 01 61 02 00 01 02 03 01 00 00 02 00 01
        90 00 b6 8c 03 00 00 00 00 00 00 00 25 00 00 00
        2e 00 00 00 bf 66 63 2e 28 b5 2f fd 20 25 29 01
        00 03 6a 6f 62 01 03 80 c0 b8 84 fa 62 02 80 c0
        b8 84 fa 62 80 b4 a7 8b fa 62 00 ff ff ff ff 00
        00 f0 00 01 00 00 04 00 00 00 00 00 00 00 4f 00
        00 00 3b 00 00 00 f5 39 db 56 28 b5 2f fd 20 4f
        95 01 00 84 02 01 00 08 40 00 10 47 d0 8b 01 00
        00 02 00 0f 00 01 00 00 01 00 01 01 00 00 00 00
        01 2c 00 d0 cf b5 03 0d 01 00 02 00 00 03 10 00
        34 96 49 c0 02 05 00 00 00 00 00 00 00 0c 00 00
        00 15 00 00 00 f2 18 91 be 28 b5 2f fd 20 0c 61
        00 00 04 02 75 70 05 67 61 75 67 65 00 00 06 00
        00 00 00 00 00 00 09 00 00 00 12 00 00 00 36 1b
        d5 dd 28 b5 2f fd 20 09 49 00 00 01 01 80 c0 b8
        84 fa 62 27
        """,
        "wal/00000002": """
        4d 4c 54 57 41 4c 31 0a 02 00 00 00 00 00 00 00
        0f 00 00 00 54 f5 d8 78 03 00 00 00 01 00 02 b0
        aa ba 84 fa 62 01 08 32 00 00 00 1c 3c d0 57 01
        01 05 6f 74 68 65 72 02 01 01 17 08 5f 5f 6e 61
        6d 65 5f 5f 02 75 70 08 69 6e 73 74 61 6e 63 65
        01 62 03 01 00 00 01 02 02 b0 aa ba 84 fa 62 01
        0e
        """,
        "spill/1700006400000-1.spill": """
        18 36 77 14 02 00 d0 9a 46 d0 8b 01 00 00 00 00
        00 00 98 3a 00 00 06 f2 35 ad 04 01 28 00 00 02
        00 00 00 04 14 00 f0
        """,
    ]

    /// The directory of the pages with the files of version 1.
    private static func directory() throws -> FaultyFileSystem {
        let files = FaultyFileSystem()
        var all = try FormatPages.examples()
        all["blocks/pending-deletions"] = nil
        for (name, text) in first {
            all[name] = text.split(whereSeparator: \.isWhitespace).compactMap { UInt8($0, radix: 16) }
        }
        for (name, bytes) in all {
            try files.createDirectories(FilePath.parent("data/" + name))
            let file = try files.open("data/" + name, .replace)
            try file.write(bytes)
            try file.syncData()
        }
        return files.afterPowerCut(.kept)
    }

    private static func open(
        _ files: any FileSystem, _ change: (inout StoreOptions) -> Void = { _ in }
    ) throws -> TimeSeriesStore {
        var options = FormatExample.options
        change(&options)
        return try TimeSeriesStore.open(
            options: options, fileSystem: files, clock: ManualClock(now: FormatExample.middle + 20_000))
    }

    private static func push(_ store: TimeSeriesStore, _ time: Int64) throws {
        try store.push("up", at: [FormatExample.middle + time])
    }

    @Test(arguments: [false, true]) func `it opens with everything, and gets an id`(isKilled: Bool) throws {
        var files = try Self.directory()
        var store = try Self.open(files)
        #expect(store.leftOut.isEmpty && store.damagedRecords == 0)
        #expect(try store.stored().times.count == 10)
        let marker = try files.read("data/store.martlet")
        #expect(StoreMarker.id(in: marker) == FormatExample.store)
        // What makes an earlier version refuse it: a later version, twice.
        #expect(marker.prefix(16).elementsEqual(Array("MARTLETS".utf8) + [2, 0, 0, 0, 2, 0, 0, 0]))
        try Self.push(store, 30_000)
        let log = WriteAheadLog.path("data/wal", store.log.segment)
        #expect(WriteAheadLog.Header(try files.read(log))?.store == FormatExample.store)
        if isKilled { store.abandon() } else { try store.close() }
        files = files.afterPowerCut(.kept)
        let stated = try StoreIdentity.stated(in: "data", files)
        #expect(stated.checkpoint == (isKilled ? nil : FormatExample.store))
        #expect(!stated.log.isEmpty && Set(stated.log.values) == [FormatExample.store])
        // The chunks of before and those of now are in one spill file.
        store = try Self.open(files)
        try Self.push(store, 7_200_000 + 30_000)
        try store.checkpoint()
        #expect(store.leftOut.isEmpty && store.damagedRecords == 0)
        #expect(try store.stored().times.count == 12)
        #expect(store.brokenInvariant == nil)
        try store.close()
        #expect(try Self.open(files).stored().times.count == 12)
    }

    @Test func `a start that is refused leaves the marker as it is`() throws {
        let files = try Self.directory()
        let error = #expect(throws: StorageError.self) { _ = try Self.open(files) { $0.space.series = 1 } }
        guard case .unfit = try #require(error) else { throw try #require(error) }
        #expect(try files.read("data/store.martlet") == StoreMarker.first)
        #expect(try Self.open(files).stored().times.count == 10)
    }

    @Test func `as long as the marker cannot be written, no file states an id`() throws {
        let whole = try Self.directory()
        try Self.open(whole).abandon()
        let number = try #require(whole.operations.firstIndex { $0.path.hasSuffix("store.martlet.tmp") }) + 1
        let files = try Self.directory()
        files.inject(.fail(ENOSPC), at: number)
        let store = try Self.open(files)
        try Self.push(store, 30_000)
        try store.checkpoint()
        try Self.push(store, 45_000)
        store.abandon()
        #expect(try StoreIdentity.stated(in: "data", files) == StoreIdentity.Stated())
        #expect(try files.read("data/store.martlet") == StoreMarker.first)
        let again = try Self.open(files)
        #expect(try again.stored().times.count == 12 && again.damagedRecords == 0)
        #expect(StoreMarker.id(in: try files.read("data/store.martlet")) == FormatExample.store)
    }

    @Test func `a power cut at any step of the first start loses nothing`() throws {
        let whole = try Self.directory()
        let store = try Self.open(whole)
        try Self.push(store, 30_000)
        try store.close()
        #expect(whole.operations.count > 20)
        for number in 1...whole.operations.count {
            let files = try Self.directory()
            files.inject(.stop, at: number)
            if let store = try? Self.open(files) {
                try? Self.push(store, 30_000)
                try? store.close()
            }
            for aftermath in FaultyFileSystem.Aftermath.allCases {
                let store = try Self.open(files.afterPowerCut(aftermath))
                #expect(try store.stored().times.count >= 10, "\(number) \(aftermath)")
                #expect(store.leftOut.isEmpty && store.damagedRecords == 0, "\(number) \(aftermath)")
            }
        }
    }
}
