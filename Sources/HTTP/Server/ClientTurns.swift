/// Turns that clients share, and the queues of those that wait for one.
///
/// Each client has a queue for each kind of work. The queues take turns. So a client with many connections, or a kind of
/// work that costs much, does not delay the others for long.
///
/// Work keeps its turn until it ends, and may wait for something else meanwhile. Therefore one client has all but a
/// quarter of the turns at most: work of a second client finds one at once. Of these, work of some kinds does not take
/// all: other work of the same client finds one at once.
package struct ClientTurns<Kind: Hashable & Sendable, Waiter> {
    package struct Key: Hashable, Sendable {
        package var kind: Kind
        package var client: String

        package init(kind: Kind, client: String) { (self.kind, self.client) = (kind, client) }
    }

    /// The number of turns.
    package let count: Int

    /// The number of turns that nobody has; nobody who may take one waits while it is above 0.
    package private(set) var free: Int

    /// The kinds of work that leave turns of a client to its other work.
    private let modest: Set<Kind>

    /// The turns that are taken, by client and kind.
    private var taken: [Key: Int] = [:]
    private var takenBy: [String: Int] = [:]

    /// Those who wait, the first one first.
    private var waiting: [Key: [Waiter]] = [:]

    /// The queues that are not empty, the next one first.
    private var order: [Key] = []

    /// - Parameter modest: The kinds of work that leave turns of a client to its other work.
    package init(_ count: Int, modest: Set<Kind> = []) {
        self.count = max(1, count)
        self.modest = modest
        free = self.count
    }

    /// All but a quarter of some turns, but at least one.
    private static func share(of turns: Int) -> Int { max(1, turns - max(1, turns / 4)) }

    /// The most turns of one client.
    package var clientShare: Int { Self.share(of: count) }

    /// The most turns of one client for one kind of work.
    package func share(of kind: Kind) -> Int { modest.contains(kind) ? Self.share(of: clientShare) : clientShare }

    private func mayTake(_ key: Key) -> Bool {
        free > 0 && takenBy[key.client, default: 0] < clientShare && taken[key, default: 0] < share(of: key.kind)
    }

    private mutating func take(_ key: Key) {
        free -= 1
        taken[key, default: 0] += 1
        takenBy[key.client, default: 0] += 1
    }

    /// Takes a turn; if none is free for the client, returns false and puts `waiter` into the queue.
    package mutating func take(_ key: Key, orLater waiter: @autoclosure () -> Waiter) -> Bool {
        if mayTake(key) {
            take(key)
            return true
        }
        if waiting[key] == nil { order.append(key) }
        waiting[key, default: []].append(waiter())
        return false
    }

    /// Removes a waiter from its queue.
    package mutating func remove(_ key: Key, where isGone: (Waiter) -> Bool) {
        waiting[key]?.removeAll(where: isGone)
        guard waiting[key]?.isEmpty == true else { return }
        waiting[key] = nil
        order.removeAll { $0 == key }
    }

    /// Returns a turn of `key`; the result is the waiter that has it from now on.
    ///
    /// One can follow, but no second one: others lack a free turn, or their share was full without this turn.
    package mutating func leave(_ key: Key) -> Waiter? {
        free += 1
        Self.decrement(&taken, key)
        Self.decrement(&takenBy, key.client)
        guard let at = order.firstIndex(where: mayTake) else { return nil }
        let next = order.remove(at: at)
        guard var queue = waiting[next], !queue.isEmpty else { return nil }
        let waiter = queue.removeFirst()
        waiting[next] = queue.isEmpty ? nil : queue
        if !queue.isEmpty { order.append(next) }
        take(next)
        return waiter
    }

    private static func decrement<K: Hashable>(_ counts: inout [K: Int], _ key: K) {
        let left = counts[key, default: 1] - 1
        counts[key] = left > 0 ? left : nil
    }
}
