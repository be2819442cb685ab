import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// `docs/formats/` held against the real readers and writers, by the bytes that it shows.
@Suite("Pages of formats")
struct FormatPagesTests {
    /// Files that the other modules write; their tests read these examples.
    private static let elsewhere: Set = ["ledger/ledger", "queries.active"]
    /// What zstd writes may change with its version: these bytes are only read.
    private static let compressed: Set = ["checkpoint"]
    /// Shown by their first bytes only.
    private static let shortened: Set = ["reserve"]

    @Test("each file of a store is shown as the writer writes it")
    func writers() throws {
        let made = try FormatExample().make()
        let shown = try FormatPages.examples()
        for (name, bytes) in made.sorted(by: { $0.key < $1.key }) where !Self.compressed.contains(name) {
            let part = Self.shortened.contains(name) ? Array(bytes.prefix(16)) : bytes
            #expect(shown[name] == part, "docs/formats/ must show \(name):\n\(FormatPages.dump(part))")
        }
        for name in Self.compressed where shown[name]?.isEmpty != false {
            Issue.record("docs/formats/ must show \(name):\n\(FormatPages.dump(made[name] ?? []))")
        }
        let unknown = Set(shown.keys).subtracting(made.keys).subtracting(Self.elsewhere)
        #expect(unknown.isEmpty, "nothing writes \(unknown)")
    }

    @Test("a store of the files that are shown opens, and has their samples")
    func readers() throws {
        let files = FaultyFileSystem()
        for (name, bytes) in try FormatPages.examples() where name != "blocks/pending-deletions" {
            let path = "data/" + name
            try files.createDirectories(FilePath.parent(path))
            let file = try files.open(path, .replace)
            try file.write(bytes)
            try file.syncData()
        }
        let clock = ManualClock(now: FormatExample.middle + 20_000)
        let store = try TimeSeriesStore.open(options: FormatExample.options, fileSystem: files, clock: clock)
        #expect(store.leftOut.isEmpty && store.damagedRecords == 0)
        let set = try store.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
        var found: [String: [Int64: Double]] = [:]
        var columns = SampleColumns()
        for index in 0..<set.count {
            try set.read(index, into: &columns)
            for i in 0..<columns.count {
                found[set.labels(index)["instance"] ?? "", default: [:]][columns.timestamps[i]] = columns.values[i]
            }
        }
        let (middle, early) = (FormatExample.middle, FormatExample.middle - FormatExample.window)
        #expect(
            found == [
                "a": [
                    early - 45_000: 1, early - 30_000: 1, early - 15_000: 1, middle - 30_000: 1, middle - 15_000: 2.5,
                    middle: 3, middle + 15_000: 4,
                ],
                "b": [early - 30_000: 0, early - 15_000: 1, middle + 15_000: 7],
            ])
        try store.close()
    }

    /// One wrong byte, and what the pages say of it.
    struct Damage: CustomTestStringConvertible {
        var name: String
        /// From the beginning of the file, or from its end if it is negative.
        var offset: Int
        /// Samples that are still found, of 10.
        var samples: Int
        /// Asks for the series of this instance only.
        var instance: String?
        /// The file is kept under another name.
        var isSetAside = false

        var testDescription: String { "\(name) \(offset)" }
    }

    private static let block = "blocks/" + FormatExample.block
    static let damages: [Damage] = [
        .init(name: "store.martlet", offset: 0, samples: 10, isSetAside: true),
        .init(name: "reserve", offset: 0, samples: 10),
        // The header, a frame of values, one of series; the page of labels is missed by who asks for labels.
        .init(name: block + "/data", offset: 0, samples: 5),
        .init(name: block + "/data", offset: 0x88, samples: 5),
        .init(name: block + "/data", offset: 0x30, samples: 5),
        .init(name: block + "/data", offset: -1, samples: 10),
        .init(name: block + "/data", offset: -1, samples: 1, instance: "b"),
        .init(name: block + "/index", offset: 0x14, samples: 5),
        .init(name: block + "/index", offset: -1, samples: 5),
        .init(name: block + "/meta.json", offset: -1, samples: 5),
        .init(name: block + "/deleted", offset: -1, samples: 5),
        // The record at the end is cut off; the block is there, so it is taken.
        .init(name: "blocks/manifest.log", offset: -1, samples: 10),
        .init(name: "blocks/manifest.log", offset: 0, samples: 10, isSetAside: true),
        // The first frame is damaged, the last is torn.
        .init(name: "wal/00000002", offset: 0x24, samples: 9, isSetAside: true),
        .init(name: "wal/00000002", offset: -1, samples: 9),
        .init(name: "checkpoint", offset: -1, samples: 10, isSetAside: true),
        .init(name: "spill/1700006400000-1.spill", offset: -1, samples: 8),
        .init(name: "spill/1700006400000-1.spill", offset: 0, samples: 8),
    ]

    @Test("one wrong byte does what the pages say", arguments: damages)
    func damage(_ damage: Damage) throws {
        let files = FaultyFileSystem()
        for (name, bytes) in try FormatPages.examples() where name != "blocks/pending-deletions" {
            var bytes = bytes
            if name == damage.name { bytes[damage.offset < 0 ? bytes.count + damage.offset : damage.offset] ^= 0x40 }
            try files.createDirectories(FilePath.parent("data/" + name))
            let file = try files.open("data/" + name, .replace)
            try file.write(bytes)
            try file.syncData()
        }
        let clock = ManualClock(now: FormatExample.middle + 20_000)
        let store = try TimeSeriesStore.open(options: FormatExample.options, fileSystem: files, clock: clock)
        let matchers = damage.instance.map { [Matcher(name: "instance", equals: $0)] } ?? []
        let set = try store.select(SelectRequest(matchers: matchers, minTime: .min, maxTime: .max, warn: { _ in }))
        var count = 0
        var columns = SampleColumns()
        for index in 0..<set.count {
            try set.read(index, into: &columns)
            count += columns.count
        }
        #expect(count == damage.samples)
        // The log's file leaves its name when a checkpoint holds what was read of it.
        let parent = FilePath.parent("data/" + damage.name)
        let kept = try files.list(parent).contains { $0.hasSuffix(".damaged") }
        #expect(kept == damage.isSetAside)
        try store.close()
    }

    /// A file's name as the index of the pages has it.
    private static func general(_ name: String) -> String {
        name.replacing(FormatExample.block, with: "ID").replacing(/spill\/[0-9]+-[0-9]+/, with: "spill/END-NUMBER")
            .replacing(/wal\/[0-9]+/, with: "wal/NUMBER")
    }

    @Test("the index has each file, with a page that shows it")
    func index() throws {
        var pages: [String: String] = [:]
        for line in try FormatPages.page("README.md").split(separator: "\n") where line.hasPrefix("| `") {
            let page = line.firstMatch(of: /\]\(([a-z-]+\.md)\)/).map { String($0.1) } ?? ""
            for name in line.prefix(while: { $0 != "\n" }).matches(of: /`([^`]+)`/) where name.1.contains(/[.\/a-z]/) {
                pages[String(name.1), default: page] = page
            }
        }
        #expect(pages.count > 25)
        for name in try Set(FormatExample().make().keys).union(FormatPages.examples().keys) {
            let page = try #require(pages[Self.general(name)], "docs/formats/README.md lacks \(Self.general(name))")
            let isShown = try FormatPages.page(page).contains("<!-- bytes: \(name) -->")
            #expect(isShown, "docs/formats/\(page) does not show \(name)")
        }
    }

    @Test("the pending deletions of the page are read")
    func pendingDeletions() throws {
        let files = FaultyFileSystem()
        try files.createDirectory("blocks")
        let file = try files.open("blocks/pending-deletions", .replace)
        try file.write(try #require(try FormatPages.examples()["blocks/pending-deletions"]))
        let entry = try #require(try PendingDeletions.read(files, "blocks").entries.first)
        #expect(entry.block == FormatExample.lostBlock && entry.matchers.map(\.description) == ["job=~\"a.*\""])
        #expect(entry.minTime == FormatExample.middle && entry.maxTime == FormatExample.middle + 60_000)
    }
}

extension FaultyFileSystem {
    /// Makes a directory and those above it.
    func createDirectories(_ path: String) throws {
        var made = ""
        for part in path.split(separator: "/") {
            made += (made.isEmpty ? "" : "/") + part
            if try !exists(made) { try createDirectory(made) }
        }
    }
}
