import TestSupport
import Testing

@testable import Platform

@Suite struct RecordFramingTests {
    /// The framings of the files that have one: with and without something in front of the length, with flags.
    private static let framings = [
        RecordFraming(longest: 1 << 16), RecordFraming(flags: 1 << 31, longest: 1 << 16),
        RecordFraming(prefix: 12, longest: 1 << 16, leadingZeros: 0),
    ]

    /// A file of random frames behind a header of 5 bytes, and where each frame begins.
    private static func file(
        _ framing: RecordFraming, _ random: inout SeededRandom
    ) -> (bytes: [UInt8], starts: [Int], contents: [[UInt8]], flags: [UInt32]) {
        var (starts, contents, flags): ([Int], [[UInt8]], [UInt32]) = ([], [], [])
        var bytes: [UInt8] = [1, 2, 3, 4, 5]
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let content = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                UInt8.random(in: 0...3, using: &random)
            }
            let set = Bool.random(using: &random) ? framing.flags : 0
            let before = (0..<framing.prefix).map { UInt8($0 + 1) }
            starts.append(bytes.count)
            contents.append(content)
            flags.append(set)
            let cut = Int.random(in: 0...content.count, using: &random)
            content.withUnsafeBytes { all in
                framing.appendHeader(
                    prefix: before, UnsafeRawBufferPointer(rebasing: all[..<cut]),
                    UnsafeRawBufferPointer(rebasing: all[cut...]), flags: set, to: &bytes)
            }
            bytes += content
        }
        return (bytes, starts, contents, flags)
    }

    /// The contents that a reader finds which goes on after damage.
    private static func read(_ framing: RecordFraming, _ bytes: [UInt8]) -> [[UInt8]] {
        bytes.withUnsafeBytes { raw in
            let mapping = FileMapping(raw) { _ in }
            var found: [[UInt8]] = []
            var at = 5
            while at < raw.count {
                if let frame = framing.frame(raw, at: at) {
                    found.append(Array(raw[frame.content]))
                    at = frame.content.upperBound
                } else {
                    guard let next = framing.next(mapping, from: at + 1, budget: 1 << 20) else { break }
                    at = next
                }
            }
            return found
        }
    }

    @Test(arguments: framings.indices) func `what is written is read, with its flags`(_ which: Int) {
        let framing = Self.framings[which]
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<200 {
            let file = Self.file(framing, &random)
            file.bytes.withUnsafeBytes { raw in
                for (i, start) in file.starts.enumerated() {
                    let frame = framing.frame(raw, at: start)
                    #expect(frame?.flags == file.flags[i])
                    #expect(frame.map { Array(raw[$0.content]) } == file.contents[i])
                }
            }
            #expect(Self.read(framing, file.bytes) == file.contents)
        }
    }

    @Test(arguments: framings.indices)
    func `a changed bit takes one frame along, a cut only those at the end`(_ which: Int) {
        let framing = Self.framings[which]
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<200 {
            let file = Self.file(framing, &random)
            let at = Int.random(in: 5..<file.bytes.count, using: &random)
            var damaged = file.bytes
            damaged[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            let hit = file.starts.lastIndex { $0 <= at } ?? 0
            var rest = file.contents
            rest.remove(at: hit)
            // Flags without a prefix are not summed: a changed flag is another frame with the same content.
            let found = Self.read(framing, damaged)
            #expect(found == rest || framing.flags != 0 && found == file.contents, "byte \(at)")
            let cut = Int.random(in: 5..<file.bytes.count, using: &random)
            let whole = file.starts.indices.filter {
                ($0 + 1 < file.starts.count ? file.starts[$0 + 1] : file.bytes.count) <= cut
            }
            #expect(Self.read(framing, Array(file.bytes[..<cut])) == whole.map { file.contents[$0] }, "cut at \(cut)")
        }
    }

    @Test func `zeros between frames are passed over, and a frame may begin with some`() {
        for framing in Self.framings where framing.prefix == 0 {
            var bytes: [UInt8] = [1, 2, 3, 4, 5]
            framing.append([7], to: &bytes)
            bytes += [UInt8](repeating: 0, count: 10_000)
            // The length 256 begins with a zero.
            framing.append([UInt8](repeating: 9, count: 256), to: &bytes)
            #expect(Self.read(framing, bytes).map(\.count) == [1, 256])
        }
    }

    @Test func `lengths that no frame has are refused, and a long search gives up`() {
        let framing = RecordFraming(longest: 100, longestSought: 50)
        var bytes: [UInt8] = []
        framing.append([UInt8](repeating: 1, count: 101), to: &bytes)
        bytes.withUnsafeBytes {
            #expect(framing.frame($0, at: 0) == nil && framing.frame($0, at: -1) == nil)
            #expect(framing.frame($0, at: $0.count) == nil && framing.frame($0, at: .max) == nil)
        }
        // At each place, a length that fits, and a wrong sum.
        let misleading = [UInt8](repeating: 0, count: 3) + (0..<4000).flatMap { _ in [UInt8(40), 0, 0, 0] }
        misleading.withUnsafeBytes {
            #expect(framing.next($0, from: 0, budget: 1000) == .gaveUp)
            #expect(framing.next($0, from: 0, budget: 1 << 20) == .nothing)
            #expect(framing.next($0, from: .max, budget: 1) == .nothing)
        }
        bytes = [1]
        framing.append([2, 3], to: &bytes)
        bytes.withUnsafeBytes {
            #expect(framing.next($0, from: 0, budget: 1000) == .found(1))
            #expect(framing.next($0, from: 0, budget: 1000, isBelieved: { $1 == nil }) == .nothing)
        }
    }
}
