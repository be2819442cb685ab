import CCurl
import Glibc
import Platform

/// The cost of the transfers of a loop in the current round, and the costly transfers that wait for a turn.
///
/// curl reads up to a hundred times from a connection that always has bytes before it looks at the next one. A transfer
/// that has used its share of a round is paused. If a round was long, the transfers with high costs are paused, too.
/// Each further round resumes a few of them. So one costly answer, or many of them, delay small answers by at most a
/// short round.
///
/// Belongs to the loop's thread.
final class LoopRound {
    /// The cost of a chunk of a body.
    ///
    /// The unit of cost is a byte that is only copied.
    ///
    /// Frames of HTTP/2 are not seen, but their time is: a nanosecond costs as much as a byte.
    static let chunkCost = 128
    /// The cost up to which a transfer is never paused.
    static let freeCost = 1 << 20
    /// The cost of one transfer in one round after which it is paused.
    static let share = 512 << 10
    /// The cost of a round in which no transfer is paused, and the addition for each running transfer.
    static let least = 1 << 20
    static let perTransfer = 1 << 10

    private var number = 0
    /// The cost of the round so far.
    private(set) var cost = 0
    /// The transfers of this round with a cost above ``freeCost``.
    private var costly: [Transfer] = []
    /// The transfers that are paused, in order of their turns.
    private var stopped: [Transfer] = []
    private let clock: any Clock
    /// The time when bytes were last received, or the round began, ns.
    private var time: Int64 = 0

    init(clock: any Clock) { self.clock = clock }

    /// Whether some transfers wait for their turn.
    var hasStopped: Bool { !stopped.isEmpty }

    /// Counts the bytes that a transfer has received.
    func add(_ received: Int, of transfer: Transfer) {
        let now = clock.monotonic()
        let cost = transfer.head.isVersion1 ? received : max(received, Int(clamping: now &- time))
        time = now
        self.cost += cost
        if transfer.load.round != number {
            transfer.load.round = number
            transfer.load.roundCost = 0
        }
        transfer.load.roundCost += cost
        transfer.load.cost += cost
        if transfer.load.cost > Self.freeCost, !transfer.load.isListed {
            transfer.load.isListed = true
            costly.append(transfer)
        }
    }

    /// Pauses a transfer that has used its share of the round.
    func stopIfLong(_ transfer: Transfer) {
        guard transfer.load.roundCost >= Self.share, transfer.stop() else { return }
        stopped.append(transfer)
    }

    /// Resumes the transfers whose turn it is.
    func begin(running: Int) {
        number &+= 1
        cost = 0
        time = clock.monotonic()
        var (planned, count) = (0, 0)
        let most = bound(running) / 2
        for transfer in stopped {
            if planned >= most { break }
            count += 1
            if transfer.goOn() { planned += max(transfer.load.roundCost, 1 << 10) }
        }
        stopped.removeFirst(count)
    }

    /// Pauses the costly transfers of a round that was long.
    func end(running: Int) {
        let isLong = cost > bound(running)
        for transfer in costly {
            transfer.load.isListed = false
            if isLong, transfer.stop() { stopped.append(transfer) }
        }
        costly.removeAll(keepingCapacity: true)
    }

    private func bound(_ running: Int) -> Int { Self.least + running * Self.perTransfer }
}

/// The cost of a run of a transfer; see ``LoopRound``.
struct TransferLoad {
    /// Whether the loop runs the transfer.
    var isRunning = false
    var isStopped = false
    /// Whether the round lists it as costly.
    var isListed = false
    /// The round in which it last received bytes.
    var round = -1
    var cost = 0
    /// The cost in that round.
    var roundCost = 0
}

extension Transfer {
    /// Pauses receiving until ``goOn()``; returns false if the transfer is over or cannot be paused.
    func stop() -> Bool {
        guard load.isRunning, !load.isStopped else { return false }
        // Both directions are paused: with only one, curl reads once more.
        load.isStopped = curl_easy_pause(handle, CURLPAUSE_RECV | CURLPAUSE_SEND) == CURLE_OK
        return load.isStopped
    }

    /// Ensures that no further request uses the connection of a transfer that failed.
    ///
    /// curl keeps a connection with HTTP/2. The next request would read the rest of the old answer at once, without end
    /// and without a turn.
    func closeConnection(hasEnded: Bool) {
        guard hasEnded else {
            _ = ccurl_set_long(handle, CURLOPT_FORBID_REUSE, 1)
            return
        }
        var connection = CURL_SOCKET_BAD
        guard ccurl_get_socket(handle, &connection) == CURLE_OK, connection != CURL_SOCKET_BAD else { return }
        shutdown(connection, Int32(SHUT_RDWR))
    }

    /// Resumes receiving; returns false if the transfer was not paused.
    func goOn() -> Bool {
        guard load.isRunning, load.isStopped else { return false }
        load.isStopped = false
        curl_easy_pause(handle, CURLPAUSE_CONT)
        return true
    }
}
