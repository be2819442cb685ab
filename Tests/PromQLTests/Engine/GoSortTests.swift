import GoCompatibility
import Model
import Testing

@testable import PromQL

@Suite("Go's order of equal elements")
struct GoSortTests {
    @Test("numbers of all shapes come out in order", arguments: [0, 1, 2, 12, 13, 49, 50, 200, 1000])
    func sorts(count: Int) {
        let shapes: [(Int) -> Int] = [
            { $0 }, { -$0 }, { $0 * 7919 % 101 }, { $0 % 3 }, { $0 / 10 * 10 - $0 % 10 }, { _ in 1 },
            { $0 == count / 2 ? -1 : $0 }, { $0 * $0 * 31 % 1009 },
        ]
        for shape in shapes {
            let given = (0..<count).map(shape)
            var sorted = given
            GoSort.sort(&sorted) { $0 < $1 }
            #expect(sorted == given.sorted())
        }
    }

    @Test("up to twelve equal elements keep their order; of more, some change places, always the same")
    func equalElements() {
        func order(_ count: Int) -> [Int] {
            var items = (0..<count).map { (key: $0 % 2, place: $0) }
            GoSort.sort(&items) { $0.key < $1.key }
            return items.map(\.place)
        }
        #expect(order(12) == [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11])
        #expect(order(40) != (0..<40).sorted { ($0 % 2, $0) < ($1 % 2, $1) })
        #expect(order(40) == order(40))
    }

    @Test("sort() and sort_desc() put NaN last, several in the order that Go leaves them in")
    func queries() throws {
        let values: [(String, Double)] = [("a", .nan), ("b", 1), ("c", .nan), ("d", 0), ("e", 1)]
        let source = ArraySource(
            values.map { i, value in
                ArraySource.Series(
                    labels: Labels([("__name__", "x"), ("i", i)]), samples: [(time: Int64(0), value: value)])
            })
        for (query, order) in [("sort(x)", "dbeca"), ("sort_desc(x)", "bedca")] {
            let result = try QueryEngine(options: EngineOptions()).instant(query, source: source, at: 0)
            guard case .vector(let columns) = result.value else {
                Issue.record("\(query): no vector")
                continue
            }
            #expect(columns.map { $0.labels["i"] ?? "" }.joined() == order)
        }
    }

    @Test("the sign of a zero quantile follows that order")
    func zeros() {
        var values = [0.0, -0.0, 0.0]
        #expect(LinearQuantile.of(0, &values).sign == .plus)
        values = [-0.0, -0.0, 0.0]
        #expect(LinearQuantile.of(0, &values).sign == .minus)
    }
}
