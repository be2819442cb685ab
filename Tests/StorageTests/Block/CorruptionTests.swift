import Model
import Platform
import TestSupport
import Testing

@testable import Storage

@Suite struct CorruptionTests {
    /// Opens the block and reads all of it: either the samples that were written, or a typed error.
    private static func expectHonest(
        _ directory: TemporaryFolder, _ path: String, _ series: [PlainSeries], _ what: String
    ) throws -> Bool {
        do {
            let block = try BlockReader(directory.files, directory: path, cache: FrameCache(capacity: 1 << 20))
            let set = try block.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
            let found = try BlockTests.read(set)
            let isSame =
                found.map(\.labels) == series.map(\.labels)
                && zip(found, series).allSatisfy { a, b in
                    a.samples.map(\.time) == b.samples.map(\.time)
                        && a.samples.map(\.value.bitPattern) == b.samples.map(\.value.bitPattern)
                }
            #expect(isSame, "wrong samples from \(what)")
            for matcher in [Matcher(name: "job", equals: "odd")] {
                _ = try block.select(SelectRequest(matchers: [matcher], minTime: 0, maxTime: 1_000_000))
                _ = try block.labelValues("instance", [matcher])
            }
            return false
        } catch let error as BlockError {
            #expect(error.file.hasPrefix(path), "\(error)")
            return true
        } catch is FileError {
            return true
        }
    }

    private func block() throws -> (TemporaryFolder, String, [PlainSeries]) {
        let directory = try TemporaryFolder()
        let series = BlockMaking.series(seed: 11, metrics: 4, targets: 3, samples: 40)
        let meta = try #require(try BlockMaking.write(series, to: directory))
        return (directory, "\(directory.path)/\(meta.id)", series)
    }

    @Test(arguments: ["data", "index"])
    func `every flipped byte is found`(file: String) throws {
        let (directory, path, series) = try block()
        let content = try directory.files.read("\(path)/\(file)")
        var found = 0
        for i in content.indices {
            var damaged = content
            damaged[i] ^= UInt8(truncatingIfNeeded: 1 << (i % 8))
            try directory.files.removeAll("\(path)/\(file)")
            let out = try directory.files.open("\(path)/\(file)", .create)
            try out.write(damaged)
            out.close()
            if try Self.expectHonest(directory, path, series, "byte \(i) of \(file)") { found += 1 }
        }
        // Bytes that fill up to an alignment mean nothing, and the code of a frame's kind has spare bits.
        #expect(found >= content.count - 64)
    }

    @Test(arguments: ["data", "index", "meta.json"])
    func `cut, emptied, missing and doubled files give errors or the right samples`(file: String) throws {
        let (directory, path, series) = try block()
        let content = try directory.files.read("\(path)/\(file)")
        var random = SeededRandom(seed: 3)
        var versions: [[UInt8]] = [[], content + content, [UInt8](repeating: 0, count: content.count)]
        for _ in 0..<200 {
            versions.append(Array(content[..<Int(random.next() % UInt64(content.count))]))
            var shuffled = content
            for _ in 0..<Int(1 + random.next() % 20) {
                shuffled[Int(random.next() % UInt64(content.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            versions.append(shuffled)
        }
        for (number, version) in versions.enumerated() {
            try directory.files.removeAll("\(path)/\(file)")
            let out = try directory.files.open("\(path)/\(file)", .create)
            try out.write(version)
            out.close()
            _ = try Self.expectHonest(directory, path, series, "version \(number) of \(file)")
        }
        try directory.files.removeAll("\(path)/\(file)")
        #expect(try Self.expectHonest(directory, path, series, "no \(file)"))
    }

    @Test func `damaged series pages and symbols behind a good checksum never crash`() throws {
        var random = SeededRandom(seed: 8)
        let directory = try TemporaryFolder()
        let series = BlockMaking.series(seed: 12, metrics: 6, targets: 5, samples: 4)
        let meta = try #require(try BlockMaking.write(series, to: directory))
        let block = try BlockReader(directory.files, directory: "\(directory.path)/\(meta.id)", cache: FrameCache())
        let page = try block.seriesPage(0)
        for _ in 0..<3000 {
            var bytes = Array(page.frame.bytes)
            for _ in 0..<Int(1 + random.next() % 4) {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            bytes.withUnsafeBytes { raw in
                guard var reader = try? SeriesPageReader(raw, count: page.count) else { return }
                for i in 0..<page.count {
                    guard let entry = try? reader.read(i) else { return }
                    try? SeriesPageReader.chunks(entry, baseTime: 0) { chunk in
                        var columns = SampleColumns()
                        try? block.read(chunk, .min, .max, nil, into: &columns)
                    }
                }
            }
        }
    }
}
