import CCurl
import Glibc
import Platform

/// What the transfers of a loop have cost in the round at work, and which of the costly ones wait for a turn.
///
/// curl reads up to a hundred times from a connection that always has bytes before it looks at the next one. A transfer
/// that has had its share of a round is stopped, and so are those that have had much already when a round was long. A few
/// of them go on in each further round. So an answer that costs much time, or many of them, holds up no small one by more
/// than a short round.
///
/// Belongs to the loop's thread.
final class LoopRound {
    /// Costs are counted in bytes that are only copied; a chunk of a body costs as much as this many.
    ///
    /// Frames of HTTP/2 are not seen, but the time that they take: a nanosecond costs as much as a byte.
    static let chunkCost = 128
    /// The cost up to which a transfer is never stopped.
    static let freeCost = 1 << 20
    /// The cost of one transfer in one round after which it is stopped.
    static let share = 512 << 10
    /// The cost of a round in which nobody is stopped, and what each transfer that runs adds to it.
    static let least = 1 << 20
    static let perTransfer = 1 << 10

    private var number = 0
    /// The cost of the round so far.
    private(set) var cost = 0
    /// The transfers of this round that are above ``freeCost``.
    private var costly: [Transfer] = []
    /// The transfers that are stopped, in order of their turns.
    private var stopped: [Transfer] = []
    private let clock: any Clock
    /// When something was last received, or the round began, ns.
    private var time: Int64 = 0

    init(clock: any Clock) { self.clock = clock }

    /// Whether some transfers wait for their turn.
    var hasStopped: Bool { !stopped.isEmpty }

    /// Counts what a transfer has received.
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

    /// Stops a transfer that has had its share of the round.
    func stopIfLong(_ transfer: Transfer) {
        guard transfer.load.roundCost >= Self.share, transfer.stop() else { return }
        stopped.append(transfer)
    }

    /// Lets those go on whose turn it is.
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

    /// Stops the costly ones of a round that was long.
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

/// What a run of a transfer has cost its loop; see ``LoopRound``.
struct TransferLoad {
    /// Whether the loop has it.
    var isRunning = false
    var isStopped = false
    /// Whether the round knows it as a costly one.
    var isListed = false
    /// The round in which it last received something.
    var round = -1
    var cost = 0
    /// The part of that round.
    var roundCost = 0
}

extension Transfer {
    /// Receives nothing until ``goOn()``; false if it is over or cannot be stopped.
    func stop() -> Bool {
        guard load.isRunning, !load.isStopped else { return false }
        // Both directions: with one of them curl reads once more.
        load.isStopped = curl_easy_pause(handle, CURLPAUSE_RECV | CURLPAUSE_SEND) == CURLE_OK
        return load.isStopped
    }

    /// Sees that no further request uses the connection of one that did not end well.
    ///
    /// curl keeps one with HTTP/2. What its server still sends for the old request would be read at once, without end and
    /// without a turn, when the next one waits for its answer.
    func closeConnection(hasEnded: Bool) {
        guard hasEnded else {
            _ = ccurl_set_long(handle, CURLOPT_FORBID_REUSE, 1)
            return
        }
        var connection = CURL_SOCKET_BAD
        guard ccurl_get_socket(handle, &connection) == CURLE_OK, connection != CURL_SOCKET_BAD else { return }
        shutdown(connection, Int32(SHUT_RDWR))
    }

    /// Goes on receiving; false if it was not stopped.
    func goOn() -> Bool {
        guard load.isRunning, load.isStopped else { return false }
        load.isStopped = false
        curl_easy_pause(handle, CURLPAUSE_CONT)
        return true
    }
}
