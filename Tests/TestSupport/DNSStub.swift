import Glibc
import Platform
import Synchronization

/// A small name server on 127.0.0.1 for tests, over UDP and TCP.
public final class DNSStub: Sendable {
    public struct Question: Sendable, Hashable {
        /// In lower case, with a dot at its end.
        public var name: String
        /// `TYPE`: 1 for A, 2 for NS, 15 for MX, 28 for AAAA, 33 for SRV.
        public var type: UInt16
        public var isTCP: Bool
    }

    public struct Reply: Sendable {
        public var status: UInt8 = 0
        public var isTruncated = false
        /// The type and the data of each record.
        public var records: [(type: UInt16, data: [UInt8])] = []
        /// Changes the message before it is sent, for example to break it; several messages are sent in order.
        public var change: @Sendable ([UInt8]) -> [[UInt8]] = { [$0] }

        public init() {}

        public static func status(_ status: UInt8) -> Reply {
            var reply = Reply()
            reply.status = status
            return reply
        }

        public static func records(_ records: [(type: UInt16, data: [UInt8])]) -> Reply {
            var reply = Reply()
            reply.records = records
            return reply
        }

        public static func record(_ type: UInt16, _ data: [UInt8]) -> Reply { records([(type: type, data: data)]) }

        /// Records with the addresses 10.0.0.x.
        public static func addresses(_ last: UInt8...) -> Reply { records(last.map { (1, [10, 0, 0, $0]) }) }
    }

    /// A name in the format of messages.
    public static func name(_ text: String) -> [UInt8] {
        text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    /// The data of an SRV record.
    public static func service(_ target: String, port: UInt16) -> (type: UInt16, data: [UInt8]) {
        (33, [0, 1, 0, 2, UInt8(port >> 8), UInt8(port & 0xFF)] + name(target))
    }

    public let port: UInt16
    private let stream: LoopbackSocket
    private let datagrams: Int32
    private let asked = Mutex<[Question]>([])
    private let isStopped = Mutex(false)
    private let respond: @Sendable (Question) -> Reply?

    /// Starts to listen on a free port; nil if the machine has none.
    ///
    /// - Parameter respond: Returns nil to stay silent.
    public init?(_ respond: @escaping @Sendable (Question) -> Reply?) {
        guard let (stream, port) = LoopbackSocket.listen() else { return nil }
        let datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isBound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(datagrams, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        self.datagrams = datagrams
        self.stream = stream
        self.port = port
        self.respond = respond
        guard isBound else { return nil }
        _ = Thread.start("dns-stub-udp") { [self] in serveDatagrams() }
        _ = Thread.start("dns-stub-tcp") { [self] in serveStreams() }
    }

    /// All questions so far.
    public var questions: [Question] { asked.withLock { $0 } }

    public func stop() {
        let isFirst = isStopped.withLock { isStopped in
            defer { isStopped = true }
            return !isStopped
        }
        guard isFirst else { return }
        stream.shutDown()
        shutdown(datagrams, Int32(SHUT_RDWR))
    }

    private func serveDatagrams() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !isStopped.withLock({ $0 }) {
            var from = sockaddr_in()
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutablePointer(to: &from) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(datagrams, &buffer, buffer.count, 0, $0, &size)
                }
            }
            guard count > 0 else { continue }
            for message in answers(Array(buffer.prefix(count)), isTCP: false) {
                _ = withUnsafePointer(to: &from) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        sendto(datagrams, message, message.count, 0, $0, size)
                    }
                }
            }
        }
        close(datagrams)
    }

    private func serveStreams() {
        while let connection = stream.accept() {
            var bytes: [UInt8] = []
            while bytes.count < 2 || bytes.count < 2 + Int(bytes[0]) << 8 + Int(bytes[1]) {
                let part = connection.receive()
                if part.isEmpty { break }
                bytes += part
            }
            for message in answers(Array(bytes.dropFirst(2)), isTCP: true) {
                connection.send([UInt8(message.count >> 8), UInt8(message.count & 0xFF)] + message)
            }
            connection.close()
        }
        stream.close()
    }

    private func answers(_ message: [UInt8], isTCP: Bool) -> [[UInt8]] {
        guard message.count > 12 else { return [] }
        var labels: [String] = []
        var at = 12
        while at < message.count, message[at] > 0 {
            let end = min(message.count, at + 1 + Int(message[at]))
            labels.append(String(decoding: message[at + 1..<end], as: UTF8.self).lowercased())
            at = end
        }
        guard at + 5 <= message.count else { return [] }
        let question = Question(
            name: labels.joined(separator: ".") + ".", type: UInt16(message[at + 1]) << 8 | UInt16(message[at + 2]),
            isTCP: isTCP)
        asked.withLock { $0.append(question) }
        guard let reply = respond(question) else { return [] }
        var out = Array(message[..<2]) + [reply.isTruncated ? 0x83 : 0x81, 0x80 | reply.status, 0, 1, 0]
        out += [UInt8(reply.records.count), 0, 0, 0, 0] + message[12..<at + 5]
        for record in reply.records {
            // The name is a pointer to that of the question.
            out += [0xC0, 12, UInt8(record.type >> 8), UInt8(record.type & 0xFF), 0, 1, 0, 0, 0, 30]
            out += [UInt8(record.data.count >> 8), UInt8(record.data.count & 0xFF)] + record.data
        }
        return reply.change(out)
    }
}
