import Model

/// The result of one call of a receiver, as the API returns it.
package struct Delivery: Sendable, Hashable {
    package enum Outcome: UInt8, Sendable {
        case delivered = 0
        case failed = 1
    }

    /// The start of the flush, ms.
    package var time: Int64
    @Exact package var groupID: String
    @Exact package var groupKey: String
    @Exact package var receiver: String
    /// `receiver/webhook/0`.
    @Exact package var integration: String
    @Exact package var reason: String
    package var outcome: Outcome
    /// The last HTTP status; 0 if there was no answer.
    package var status: Int
    package var attempts: Int
    /// The time from the first attempt to the last answer, ms.
    package var duration: Int64
    /// The error with which it failed, or with which the last attempt but one did.
    @Exact package var error: String
    package var firing: [Fingerprint]
    package var resolved: [Fingerprint]
    /// The attempts, the first one and the last ones; empty in records of older versions.
    package var log: [DeliveryAttempt] = []

    package init(
        time: Int64, groupID: String, groupKey: String, receiver: String, integration: String, reason: String,
        outcome: Outcome, status: Int, attempts: Int, duration: Int64, error: String, firing: [Fingerprint],
        resolved: [Fingerprint]
    ) {
        self.time = time
        self.groupID = groupID
        self.groupKey = groupKey
        self.receiver = receiver
        self.integration = integration
        self.reason = reason
        self.outcome = outcome
        self.status = status
        self.attempts = attempts
        self.duration = duration
        self.error = error
        self.firing = firing
        self.resolved = resolved
    }
}

extension Delivery {
    func write(to out: inout LedgerWriter) {
        out.integer(time)
        for text in [groupID, groupKey, receiver, integration, reason, error] { out.string(text) }
        out.byte(outcome.rawValue)
        out.integer(Int64(status))
        out.integer(Int64(attempts))
        out.integer(duration)
        out.fingerprints(firing)
        out.fingerprints(resolved)
        if log.isEmpty { return }
        out.integer(Int64(log.count))
        for attempt in log { attempt.write(to: &out) }
    }

    init?(_ input: inout LedgerReader) {
        guard let time = input.integer(), let group = input.string(), let key = input.string(),
            let receiver = input.string(), let integration = input.string(), let reason = input.string(),
            let error = input.string(), let outcome = input.byte().flatMap(Delivery.Outcome.init),
            let status = input.integer(), let attempts = input.integer(), let duration = input.integer(),
            let firing = input.fingerprints(), let resolved = input.fingerprints()
        else { return nil }
        self.init(
            time: time, groupID: group, groupKey: key, receiver: receiver, integration: integration, reason: reason,
            outcome: outcome, status: Int(status), attempts: Int(attempts), duration: duration, error: error,
            firing: firing, resolved: resolved)
    }

    init?(withAttempts input: inout LedgerReader) {
        guard let delivery = Delivery(&input), let count = input.integer(), count > 0,
            count <= Int64(DeliveryAttempt.kept)
        else { return nil }
        self = delivery
        for _ in 0..<count {
            guard let attempt = DeliveryAttempt(&input) else { return nil }
            log.append(attempt)
        }
    }
}

/// One record of the ledger.
package enum LedgerRecord: Sendable, Hashable {
    case alert(NotifiedAlert)
    /// An alert was sent again with a later end.
    case extended(Fingerprint, endsAt: Int64, updatedAt: Int64)
    case alertRemoved(Fingerprint)
    case notified(NotificationEntry)
    case delivery(Delivery)
    case silence(Silence)
    case silenceRemoved(String)
    /// The state of alerts in a group changed.
    case changed(AlertChange, [Fingerprint])
    /// All that is known of an alert's states; only new files begin with these.
    case history(AlertHistory)

    // MARK: Bytes

    package func encode() -> [UInt8] {
        var out = LedgerWriter()
        switch self {
        case .alert(let alert):
            out.byte(1)
            out.bytes(alert.alert.labels.bytes)
            out.bytes(alert.alert.annotations.bytes)
            out.integer(alert.alert.startsAt)
            out.integer(alert.alert.endsAt)
            out.integer(alert.alert.updatedAt)
            out.byte(alert.endIsAssumed ? 1 : 0)
            out.string(alert.alert.generatorURL)
        case .extended(let fingerprint, let endsAt, let updatedAt):
            out.byte(2)
            out.fingerprint(fingerprint)
            out.integer(endsAt)
            out.integer(updatedAt)
        case .alertRemoved(let fingerprint):
            out.byte(3)
            out.fingerprint(fingerprint)
        case .notified(let entry):
            out.byte(4)
            out.string(entry.groupKey)
            out.string(entry.receiver)
            out.integer(entry.time)
            out.integer(entry.expiresAt)
            out.fingerprints(entry.firing.sorted())
            out.fingerprints(entry.resolved.sorted())
        case .delivery(let delivery):
            out.byte(delivery.log.isEmpty ? 5 : 8)
            delivery.write(to: &out)
        case .silence(let silence):
            out.byte(6)
            out.string(silence.id)
            out.integer(silence.startsAt)
            out.integer(silence.endsAt)
            out.integer(silence.updatedAt)
            out.string(silence.createdBy)
            out.string(silence.comment)
            out.integer(Int64(silence.matchers.count))
            for matcher in silence.matchers {
                out.string(matcher.name)
                out.string(matcher.kind.rawValue)
                out.string(matcher.value)
            }
            // A silence without annotations is written as before there were any.
            if !silence.annotations.isEmpty { out.bytes(silence.annotations.bytes) }
        case .silenceRemoved(let id):
            out.byte(7)
            out.string(id)
        case .changed(let change, let fingerprints):
            out.byte(9)
            change.write(to: &out)
            out.fingerprints(fingerprints)
        case .history(let history):
            out.byte(10)
            history.write(to: &out)
        }
        return out.bytes
    }

    /// Reads a record; nil if the bytes are not a known record, for example one of a later version.
    package init?(_ bytes: [UInt8]) {
        var input = LedgerReader(bytes)
        guard let record = Self.decode(&input), input.isAtEnd else { return nil }
        self = record
    }

    private static func decode(_ input: inout LedgerReader) -> LedgerRecord? {
        switch input.byte() {
        case 1:
            guard let labels = input.bytes(), let annotations = input.bytes(), let startsAt = input.integer(),
                let endsAt = input.integer(), let updatedAt = input.integer(), let assumed = input.byte(),
                let url = input.string()
            else { return nil }
            return .alert(
                NotifiedAlert(
                    Alert(
                        labels: Labels(packed: labels), annotations: Labels(packed: annotations), startsAt: startsAt,
                        endsAt: endsAt, generatorURL: url, updatedAt: updatedAt), endIsAssumed: assumed == 1))
        case 2:
            guard let fingerprint = input.fingerprint(), let endsAt = input.integer(),
                let updatedAt = input.integer()
            else { return nil }
            return .extended(fingerprint, endsAt: endsAt, updatedAt: updatedAt)
        case 3: return input.fingerprint().map { .alertRemoved($0) }
        case 4:
            guard let group = input.string(), let receiver = input.string(), let time = input.integer(),
                let expiry = input.integer(), let firing = input.fingerprints(), let resolved = input.fingerprints()
            else { return nil }
            return .notified(
                NotificationEntry(
                    groupKey: group, receiver: receiver, time: time, firing: Set(firing), resolved: Set(resolved),
                    expiresAt: expiry))
        case 5: return Delivery(&input).map { .delivery($0) }
        case 6: return decodeSilence(&input)
        case 7: return input.string().map { .silenceRemoved($0) }
        case 8: return Delivery(withAttempts: &input).map { .delivery($0) }
        case 9:
            guard let change = AlertChange(&input), let fingerprints = input.fingerprints() else { return nil }
            return .changed(change, fingerprints)
        case 10: return AlertHistory(&input).map { .history($0) }
        default: return nil
        }
    }

    private static func decodeSilence(_ input: inout LedgerReader) -> LedgerRecord? {
        guard let id = input.string(), let startsAt = input.integer(), let endsAt = input.integer(),
            let updatedAt = input.integer(), let creator = input.string(), let comment = input.string(),
            let count = input.integer(), count >= 0, count < 10_000
        else { return nil }
        var matchers: [Matcher] = []
        for _ in 0..<count {
            guard let name = input.string(), let kind = input.string().flatMap(Matcher.Kind.init),
                let value = input.string(), let matcher = try? Matcher(name, kind, value, dot: .noLineFeed)
            else { return nil }
            matchers.append(matcher)
        }
        var silence = Silence(
            id: id, matchers: matchers, startsAt: startsAt, endsAt: endsAt, updatedAt: updatedAt, createdBy: creator,
            comment: comment)
        if !input.isAtEnd {
            guard let annotations = input.bytes() else { return nil }
            silence.annotations = Labels(packed: annotations)
        }
        return .silence(silence)
    }
}

/// Appends the parts of a record: integers as eight bytes little-endian, byte strings after their size.
struct LedgerWriter {
    var bytes: [UInt8] = []

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func integer(_ value: Int64) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func bytes(_ run: some Collection<UInt8>) {
        integer(Int64(run.count))
        bytes.append(contentsOf: run)
    }

    mutating func string(_ text: String) { bytes(Array(text.utf8)) }

    mutating func fingerprint(_ fingerprint: Fingerprint) { integer(Int64(bitPattern: fingerprint.raw)) }

    mutating func fingerprints(_ fingerprints: [Fingerprint]) {
        integer(Int64(fingerprints.count))
        for fingerprint in fingerprints { self.fingerprint(fingerprint) }
    }
}

/// Reads the format of ``LedgerWriter``; every call that would read past the end returns nil.
struct LedgerReader {
    private let input: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) { input = bytes }

    var isAtEnd: Bool { at == input.count }

    mutating func byte() -> UInt8? {
        guard at < input.count else { return nil }
        at += 1
        return input[at - 1]
    }

    mutating func integer() -> Int64? {
        guard input.count - at >= 8 else { return nil }
        var value: UInt64 = 0
        for i in 0..<8 { value |= UInt64(input[at + i]) << (8 * UInt64(i)) }
        at += 8
        return Int64(bitPattern: value)
    }

    mutating func bytes() -> [UInt8]? {
        guard let count = integer(), count >= 0, count <= input.count - at else { return nil }
        at += Int(count)
        return Array(input[(at - Int(count))..<at])
    }

    mutating func string() -> String? { bytes().map { String(decoding: $0, as: UTF8.self) } }

    mutating func fingerprint() -> Fingerprint? { integer().map { Fingerprint(raw: UInt64(bitPattern: $0)) } }

    mutating func fingerprints() -> [Fingerprint]? {
        guard let count = integer(), count >= 0, count <= (input.count - at) / 8 else { return nil }
        return (0..<count).compactMap { _ in fingerprint() }
    }
}
