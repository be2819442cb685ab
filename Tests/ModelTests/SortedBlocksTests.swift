import TestSupport
import Testing

@testable import Model

@Suite struct SortedBlocksTests {
    private struct Element: Timed, Equatable {
        var time: Int64
        var value = 0
    }

    private typealias Blocks = SortedBlocks<Element>

    /// Adds an element unless there is one at its time; returns the moves.
    private static func add(_ time: Int64, _ value: Int = 0, to blocks: inout Blocks) -> Int {
        let position = blocks.position(after: time)
        if blocks.element(before: position)?.time == time { return 0 }
        return blocks.insert(Element(time: time, value: value), at: position)
    }

    @Test(arguments: 0..<24) func `random operations equal an array`(seed: Int) {
        var random = SeededRandom(seed: SeededRandom.runSeed &+ UInt64(seed))
        var blocks = Blocks()
        var array: [Element] = []
        let range: ClosedRange<Int64> = seed % 3 == 0 ? 0...800 : -20_000...20_000
        var kept: [(Blocks, [Element])] = []
        for step in 0..<4000 {
            let time = Int64.random(in: range, using: &random)
            let place = array.firstIndex { $0.time > time } ?? array.count
            let position = blocks.position(after: time)
            #expect(blocks.element(before: position) == (place > 0 ? array[place - 1] : nil))
            #expect(blocks.element(after: position) == (place < array.count ? array[place] : nil))
            switch Int.random(in: 0..<400, using: &random) {
            case 0:
                blocks.removeAll(until: time - range.upperBound / 2)
                array.removeAll { $0.time <= time - range.upperBound / 2 }
            case 1:
                blocks.removeAll { $0.time > time && $0.time < time + 100 }
                array.removeAll { $0.time > time && $0.time < time + 100 }
            case 2...40:
                blocks.remove(before: position)
                if place > 0 { array.remove(at: place - 1) }
            case 41...60 where !array.isEmpty:
                blocks.removeNewest()
                array.removeLast()
            case 61...70:
                if let known = blocks.element(before: position) {
                    let element = Element(time: known.time, value: -step)
                    blocks.replace(before: position, with: element)
                    array[place - 1] = element
                }
            case 71: kept.append((blocks, array))
            default:
                _ = Self.add(time, step, to: &blocks)
                if place == 0 || array[place - 1].time != time {
                    array.insert(Element(time: time, value: step), at: place)
                }
            }
            #expect(blocks.first == array.first && blocks.newest == array.last && blocks.count == array.count)
            if step % 50 == 0 {
                #expect(blocks.elements == array && blocks.isSound && blocks.isEmpty == array.isEmpty)
                let (from, to) = (time, time + Int64.random(in: -5...5000, using: &random))
                #expect(blocks.elements(from: from, to: to) == array.filter { $0.time >= from && $0.time <= to })
            }
        }
        // A copy does not see the changes since it was made.
        for (copy, elements) in kept { #expect(copy.elements == elements) }
    }

    /// The orders in which elements arrive, by their numbers.
    enum Order: CaseIterable {
        case ascending, descending, random, inward, outward, descendingInGaps

        func times(_ count: Int, _ random: inout SeededRandom) -> [Int64] {
            let all = (0..<Int64(count)).map { $0 }
            switch self {
            case .ascending: return all
            case .descending: return all.reversed()
            case .random: return all.shuffled(using: &random)
            case .inward: return all.map { $0 % 2 == 0 ? $0 / 2 : Int64(count) - 1 - $0 / 2 }
            case .outward: return all.map { $0 % 2 == 0 ? -$0 : $0 }
            case .descendingInGaps:
                // Full blocks first, and then, between each two of them, elements in descending order.
                return all.prefix(count / 2).map { $0 * 1000 }
                    + all.prefix(count / 2).map { $0 % 256 * 256_000 + 255_000 + 999 - $0 / 256 }
            }
        }
    }

    @Test(arguments: Order.allCases) func `an insertion moves few elements, whatever the order`(_ order: Order) {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        var blocks = Blocks()
        var moves = 0
        let count = 100_000
        for time in order.times(count, &random) { moves += Self.add(time, to: &blocks) }
        #expect(blocks.isSound)
        #expect(moves < count * (Blocks.blockSize + 8), "\(moves) moves")
        // Blocks are half full at least, whatever was inserted, and full if the order is simple.
        let isSimple = order == .ascending || order == .descending
        #expect(blocks.full.count <= blocks.count / (Blocks.blockSize / (isSimple ? 1 : 2)) + 2)
        #expect(blocks.capacity <= blocks.count * 3)
    }
}
