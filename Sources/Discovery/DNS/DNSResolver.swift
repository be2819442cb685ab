import Config
import Glibc
import GoCompatibility
import Platform

/// Looks up records with the servers of a `resolv.conf`.
package struct DNSResolver: Sendable {
    /// The path of `resolv.conf`, which is read for each lookup.
    private let file: String
    /// The port of all servers.
    private let port: UInt16
    /// The milliseconds to connect, to send a question, and to read an answer.
    private let timeout: Int64
    private let threads: ThreadPool<@Sendable () -> Void>

    /// The time after which a lookup asks no further server, ms.
    private static let lookupTime: Int64 = 30_000
    private static let sharedThreads = pool()

    private static func pool() -> ThreadPool<@Sendable () -> Void> {
        var settings = ThreadPoolSettings(name: "dns")
        settings.most = 16
        settings.idleTime = 1000
        settings.stackSize = 512 << 10
        return ThreadPool(settings)
    }

    package init(file: String = "/etc/resolv.conf", port: UInt16 = 53, timeout: Int64 = 2000) {
        self.file = file
        self.port = port
        self.timeout = timeout
        threads = Self.sharedThreads
    }

    /// The reason why a lookup has no result.
    package struct Failure: Error, CustomStringConvertible {
        package var description: String
    }

    /// Looks up the records of a name, by the search list if it is no full name.
    ///
    /// The calling task waits without blocking a thread.
    ///
    /// - Returns: No records if all servers say that there is no such name.
    package func records(
        _ name: String, _ type: DNSDiscoveryConfig.RecordType
    ) async throws(Failure) -> [DNSMessage.Record] {
        let config: ResolverConfig
        do throws(ConfigError) {
            config = ResolverConfig(String(decoding: try await ConfigFile.content(of: file), as: UTF8.self))
        } catch {
            throw Failure(description: "could not load resolv.conf: \(error)")
        }
        return try await threads.run { Result { () throws(Failure) in try look(up: name, type, config) } }.get()
    }

    private func look(
        up name: String, _ type: DNSDiscoveryConfig.RecordType, _ config: ResolverConfig
    ) throws(Failure) -> [DNSMessage.Record] {
        let deadline = SystemClock().monotonic() &+ Self.lookupTime * 1_000_000
        var failure: Failure?
        for full in config.names(name) {
            do throws(Failure) {
                let answer = try ask(config.servers, full, type, deadline)
                if answer.status == 0 { return answer.records }
            } catch {
                // A later name may exist. But no one can say any more that none does.
                failure = failure ?? error
            }
        }
        if let failure { throw Failure(description: "could not resolve \(GoQuote.quote(name)): \(failure)") }
        return []
    }

    /// Asks servers in order until one knows whether there is such a name.
    private func ask(
        _ servers: [String], _ name: String, _ type: DNSDiscoveryConfig.RecordType, _ deadline: Int64
    ) throws(Failure) -> DNSMessage.Answer {
        guard let question = DNSMessage.Question(id: .random(in: 0 ... .max), name: name, type: type) else {
            throw Failure(description: "\(GoQuote.quote(name)) is no name")
        }
        var reason = "resolv.conf has no name server"
        for server in servers {
            guard SystemClock().monotonic() < deadline else {
                throw Failure(description: "\(name): no time is left to ask \(server); before: \(reason)")
            }
            do throws(DNSSocket.Failure) {
                let answer = try exchange(server, question)
                if answer.status == 0 || answer.status == 3 { return answer }
                reason = "\(server) answers with status \(answer.status)"
            } catch {
                reason = "\(server): \(error)"
            }
        }
        throw Failure(description: "\(name): \(reason)")
    }

    /// Asks one server, over TCP if its answer does not fit into a datagram.
    private func exchange(
        _ server: String, _ question: DNSMessage.Question
    ) throws(DNSSocket.Failure) -> DNSMessage.Answer {
        let socket = try DNSSocket(server, port: port, isStream: false, timeout: timeout)
        try socket.send(question.bytes(isDatagram: true))
        let answer = try socket.datagram(most: DNSMessage.Question.datagramMost) {
            (bytes) throws(DNSSocket.Failure) -> DNSMessage.Answer? in
            do throws(DNSMessage.Fault) {
                return try DNSMessage.answer(bytes, to: question)
            } catch {
                if error == .foreign { return nil }
                throw DNSSocket.Failure("\(error)")
            }
        }
        return answer.isTruncated ? try exchangeOverTCP(server, question) : answer
    }

    private func exchangeOverTCP(
        _ server: String, _ question: DNSMessage.Question
    ) throws(DNSSocket.Failure) -> DNSMessage.Answer {
        let socket = try DNSSocket(server, port: port, isStream: true, timeout: timeout)
        let message = question.bytes(isDatagram: false)
        try socket.send([UInt8(message.count >> 8), UInt8(message.count & 0xFF)] + message)
        let size = try socket.bytes(2)
        let bytes = try socket.bytes(Int(size[0]) << 8 | Int(size[1]))
        let answer: DNSMessage.Answer
        do throws(DNSMessage.Fault) {
            answer = try DNSMessage.answer(bytes, to: question)
        } catch {
            throw DNSSocket.Failure("\(error)")
        }
        if answer.isTruncated { throw DNSSocket.Failure("the message is truncated over TCP") }
        return answer
    }
}
