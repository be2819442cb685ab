import Model

/// The turns of requests, and the queues of those that wait for one.
///
/// Each client has a queue for each kind of request. The queues take turns. So a client with many connections, or a
/// kind of request that costs much, does not delay the others for long.
///
/// A running request keeps its turn until it ends. So no client has all turns: a request of a second client finds one
/// at once. Of the turns of a client, requests of one kind other than queries do not take all: its queries find one at once.
struct RequestTurns {
    typealias Kind = QueryAdmission.Kind

    struct Key: Hashable {
        var kind: Kind
        var client: String
    }

    /// The number of turns.
    let count: Int

    /// The number of turns that nobody has; nobody who may take one waits while it is above 0.
    private(set) var free: Int

    /// The turns that are taken, by client and kind.
    private var taken: [Key: Int] = [:]
    private var takenBy: [ExactText: Int] = [:]

    /// The numbers of the waiting requests, the first one first.
    private var waiting: [Key: [Int]] = [:]

    /// The queues that are not empty, the next one first.
    private var order: [Key] = []
    private var nextNumber = 0

    init(_ count: Int) {
        self.count = max(1, count)
        free = self.count
    }

    /// All but a quarter of some turns, but at least one.
    private static func share(of turns: Int) -> Int { max(1, turns - max(1, turns / 4)) }

    /// The most turns of one client.
    var clientShare: Int { Self.share(of: count) }

    /// The most turns of requests of one kind from one client.
    func share(of kind: Kind) -> Int {
        switch kind {
        case .text, .exemplars, .list, .search, .federation, .statistics: Self.share(of: clientShare)
        // Overviews and changes have limits of their own, and share them with no other kind.
        case .query, .overview, .change: clientShare
        }
    }

    private func mayTake(_ key: Key) -> Bool {
        free > 0 && takenBy[ExactText(key.client), default: 0] < clientShare
            && taken[key, default: 0] < share(of: key.kind)
    }

    private mutating func take(_ key: Key) {
        free -= 1
        taken[key, default: 0] += 1
        takenBy[ExactText(key.client), default: 0] += 1
    }

    /// Takes a turn, or a place in a queue; returns nil with a turn, and otherwise the number of the request.
    mutating func enter(_ key: Key) -> Int? {
        if mayTake(key) {
            take(key)
            return nil
        }
        let number = nextNumber
        nextNumber &+= 1
        if waiting[key] == nil { order.append(key) }
        waiting[key, default: []].append(number)
        return number
    }

    /// Removes a request from its queue.
    mutating func leave(_ number: Int, _ key: Key) {
        waiting[key]?.removeAll { $0 == number }
        guard waiting[key]?.isEmpty == true else { return }
        waiting[key] = nil
        order.removeAll { $0 == key }
    }

    /// Returns a turn of `key`; the result is the number of the request that has it from now on.
    ///
    /// One request can follow, but no second one: others lack a free turn, or their share was full without this turn.
    mutating func finish(_ key: Key) -> Int? {
        free += 1
        Self.decrement(&taken, key)
        Self.decrement(&takenBy, ExactText(key.client))
        guard let at = order.firstIndex(where: mayTake) else { return nil }
        let next = order.remove(at: at)
        guard var queue = waiting[next], !queue.isEmpty else { return nil }
        let called = queue.removeFirst()
        waiting[next] = queue.isEmpty ? nil : queue
        if !queue.isEmpty { order.append(next) }
        take(next)
        return called
    }

    private static func decrement<K: Hashable>(_ counts: inout [K: Int], _ key: K) {
        let left = counts[key, default: 1] - 1
        counts[key] = left > 0 ? left : nil
    }
}
