import Config

/// A question and its answers in the wire format of the Domain Name System (RFC 1035).
package enum DNSMessage {
    package enum Record: Sendable, Hashable {
        /// An IPv4 or IPv6 address.
        case address(String)
        case service(target: String, port: UInt16)
        case mailServer(String)
        case nameServer(String)
    }

    /// The part of an answer that a lookup needs.
    package struct Answer: Sendable, Hashable {
        /// `RCODE`: 0 for success, 3 if there is no such name.
        package var status: UInt8
        /// Whether the answer is too long for a datagram.
        package var isTruncated: Bool
        /// The records of the wanted type in the order of the answer.
        package var records: [Record]
    }

    package struct Question: Sendable, Hashable {
        var id: UInt16
        /// The labels of the name, without the empty one at its end.
        var labels: [[UInt8]]
        var type: DNSDiscoveryConfig.RecordType

        /// Makes a question about a name; nil if it is none.
        ///
        /// - Parameter name: In the notation of zone files: `a\.b.example.` has the label `a.b`.
        package init?(id: UInt16, name: String, type: DNSDiscoveryConfig.RecordType) {
            guard let labels = DNSName.labels(name) else { return nil }
            self.id = id
            self.labels = labels
            self.type = type
        }

        /// The largest answer in a datagram, bytes.
        static let datagramMost = 4096

        /// The question as a message.
        ///
        /// - Parameter isDatagram: Whether the server may answer with ``datagramMost`` bytes (RFC 6891).
        package func bytes(isDatagram: Bool) -> [UInt8] {
            var out: [UInt8] = []
            func add(_ number: UInt16) { out += [UInt8(number >> 8), UInt8(number & 0xFF)] }
            add(id)
            // Recursion is desired.
            add(0x0100)
            add(1)
            add(0)
            add(0)
            add(isDatagram ? 1 : 0)
            for label in labels { out += [UInt8(label.count)] + label }
            out.append(0)
            add(type.number)
            add(DNSMessage.internet)
            if isDatagram {
                // A pseudo-record of the root with the size, and without flags and options.
                out.append(0)
                add(41)
                add(UInt16(Self.datagramMost))
                add(0)
                add(0)
                add(0)
            }
            return out
        }
    }

    private static let internet: UInt16 = 1

    /// The reason why bytes are no answer to a question.
    package enum Fault: Error, CustomStringConvertible {
        /// The bytes answer another question, or none; a forged answer is one.
        case foreign
        case malformed

        package var description: String {
            self == .foreign ? "the message answers another question" : "the message is malformed"
        }
    }

    /// Reads the answer to `question`.
    package static func answer(_ bytes: [UInt8], to question: Question) throws(Fault) -> Answer {
        var reader = DNSReader(bytes)
        guard let id = reader.number(), let flags = reader.number(), let questions = reader.number(),
            let answers = reader.number(), reader.skip(4)
        else { throw .foreign }
        // A response to a standard query.
        guard id == question.id, flags & 0xF800 == 0x8000 else { throw .foreign }
        let status = UInt8(flags & 0xF)
        // Servers that refuse a question may leave it out.
        if questions == 0, status != 0, status != 3, answers == 0 {
            return Answer(status: status, isTruncated: false, records: [])
        }
        guard questions == 1, let labels = reader.name(), DNSName.isSame(labels, question.labels),
            reader.number() == question.type.number, reader.number() == internet
        else { throw .foreign }
        var answer = Answer(status: status, isTruncated: flags & 0x0200 != 0, records: [])
        // A truncated message may end anywhere.
        if answer.isTruncated { return answer }
        for _ in 0..<answers {
            guard let record = reader.record(question.type) else { throw .malformed }
            if let record { answer.records.append(record) }
        }
        return answer
    }
}

extension DNSDiscoveryConfig.RecordType {
    /// `TYPE`.
    var number: UInt16 {
        switch self {
        case .a: 1
        case .ns: 2
        case .mx: 15
        case .aaaa: 28
        case .srv: 33
        }
    }
}

/// Reads the parts of a message in order; each part is nil if the bytes have none.
private struct DNSReader {
    private let bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    private mutating func byte() -> UInt8? {
        guard at < bytes.count else { return nil }
        at += 1
        return bytes[at - 1]
    }

    mutating func number() -> UInt16? {
        guard let high = byte(), let low = byte() else { return nil }
        return UInt16(high) << 8 | UInt16(low)
    }

    mutating func skip(_ count: Int) -> Bool {
        guard count <= bytes.count - at else { return false }
        at += count
        return true
    }

    /// The labels of a name.
    ///
    /// A pointer leads only to what is before the name, so it ends after a limited number of steps.
    mutating func name() -> [[UInt8]]? {
        var labels: [[UInt8]] = []
        var length = 1
        var start = at
        var end: Int?
        while true {
            guard let size = byte() else { return nil }
            switch size & 0xC0 {
            case 0x00:
                if size == 0 {
                    if let end { at = end }
                    return labels
                }
                length += 1 + Int(size)
                guard length <= DNSName.mostBytes, Int(size) <= bytes.count - at else { return nil }
                labels.append(Array(bytes[at..<at + Int(size)]))
                at += Int(size)
            case 0xC0:
                guard let low = byte() else { return nil }
                if end == nil { end = at }
                let target = Int(size & 0x3F) << 8 | Int(low)
                guard target < start else { return nil }
                start = target
                at = target
            default: return nil
            }
        }
    }

    /// The next record; its inner value is nil if it has another type.
    mutating func record(_ type: DNSDiscoveryConfig.RecordType) -> DNSMessage.Record?? {
        guard name() != nil, let number = number(), let group = self.number(), skip(4), let size = self.number(),
            Int(size) <= bytes.count - at
        else { return nil }
        let end = at + Int(size)
        defer { at = end }
        guard number == type.number, group == 1 else { return .some(nil) }
        guard let record = data(type, end), at == end else { return nil }
        return record
    }

    private mutating func data(_ type: DNSDiscoveryConfig.RecordType, _ end: Int) -> DNSMessage.Record? {
        switch type {
        case .a, .aaaa:
            let value = bytes[at..<end]
            at = end
            return IPText.text(value).map { .address($0) }
        case .srv:
            // Priority and weight have no effect.
            guard skip(4), let port = number(), let target = name() else { return nil }
            return .service(target: DNSName.text(target), port: port)
        case .mx: return skip(2) ? name().map { .mailServer(DNSName.text($0)) } : nil
        case .ns: return name().map { .nameServer(DNSName.text($0)) }
        }
    }
}
