import Model

/// One attempt of a delivery.
package struct DeliveryAttempt: Sendable, Hashable {
    package enum Outcome: UInt8, Sendable {
        case accepted = 0
        /// It is tried again, until the group's next flush replaces the delivery.
        case failed = 1
        /// The receiver will not accept it.
        case refused = 2

        package var name: String {
            switch self {
            case .accepted: "accepted"
            case .failed: "failed"
            case .refused: "refused"
            }
        }
    }

    /// ms since the epoch.
    package var time: Int64
    package var outcome: Outcome
    /// The HTTP status; 0 if there was no answer.
    package var status: Int
    /// ms.
    package var latency: Int64
    /// The error without secrets; empty for a success.
    @Exact package var error: String
    /// The beginning of the answer, without secrets.
    @Exact package var answer: String

    package init(time: Int64, outcome: Outcome, status: Int, latency: Int64, error: String, answer: String) {
        self.time = time
        self.outcome = outcome
        self.status = status
        self.latency = latency
        self.error = error
        self.answer = answer
    }

    /// The most attempts of a delivery that are kept: the first one, and the last ones.
    static let kept = 8
    /// The longest error, bytes.
    static let longestError = 1024

    func write(to out: inout LedgerWriter) {
        out.integer(time)
        out.byte(outcome.rawValue)
        out.integer(Int64(status))
        out.integer(latency)
        out.string(error)
        out.string(answer)
    }

    init?(_ input: inout LedgerReader) {
        guard let time = input.integer(), let outcome = input.byte().flatMap(Outcome.init),
            let status = input.integer(), let latency = input.integer(), let error = input.string(),
            let answer = input.string()
        else { return nil }
        self.init(
            time: time, outcome: outcome, status: Int(status), latency: latency, error: error, answer: answer)
    }
}

extension Delivery {
    /// Adds an attempt; of many, the first one and the last ones are kept.
    mutating func add(_ attempt: DeliveryAttempt) {
        attempts += 1
        status = attempt.status
        if log.count >= DeliveryAttempt.kept { log.remove(at: 1) }
        log.append(attempt)
    }

    /// The bytes of memory that the delivery takes, about.
    var size: Int {
        let texts = [groupID, groupKey, receiver, integration, reason, error] + log.flatMap { [$0.error, $0.answer] }
        return 400 + texts.reduce(0) { $0 + $1.utf8.count } + log.count * 80 + (firing.count + resolved.count) * 8
    }
}

/// The last deliveries, the oldest first, limited in number and in bytes.
package struct RecentDeliveries: Sendable {
    /// The number of deliveries that are kept for the API.
    static let kept = 5000
    /// The bytes that these may take.
    static let bytes = 8 << 20

    private var all: [Delivery] = []
    /// The size of ``all``, bytes.
    private var size = 0

    /// The newest deliveries that are within the limits, the oldest first.
    package var list: ArraySlice<Delivery> {
        if all.count <= Self.kept, size <= Self.bytes { return all[...] }
        var (first, left) = (all.endIndex, Self.bytes)
        while first > all.startIndex, all.endIndex - first < Self.kept {
            left -= all[first - 1].size
            // The newest one is kept, whatever its size.
            if left < 0, first < all.endIndex { break }
            first -= 1
        }
        return all[first...]
    }

    mutating func append(_ delivery: Delivery) {
        all.append(delivery)
        size += delivery.size
        // Not each delivery moves all others.
        guard all.count > Self.kept * 2 || size > Self.bytes * 2 else { return }
        all = Array(list)
        size = all.reduce(0) { $0 + $1.size }
    }
}
