import Config
import Foundation
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import HTTP

/// Passwords while many others are checked.
@Suite("Passwords")
struct PasswordTests {
    /// Stands for the computation of hashes: counts them, and can be made to wait.
    private final class Hashes: Sendable {
        private let state = Mutex((count: 0, isOpen: true))

        var count: Int { state.withLock { $0.count } }

        func open(_ isOpen: Bool) { state.withLock { $0.isOpen = isOpen } }

        var check: PasswordCheck {
            PasswordCheck { [self] password, _ in
                state.withLock { $0.count += 1 }
                while !state.withLock({ $0.isOpen }) { usleep(500) }
                return password == Array("secret".utf8)
            }
        }
    }

    private static func authorization(_ password: String, user: String = "bob") -> String {
        "Basic " + Data("\(user):\(password)".utf8).base64EncodedString()
    }

    private static func request(_ password: String?) -> [UInt8] {
        let line = password.map { "Authorization: \(authorization($0))\r\n" } ?? ""
        return Array("GET /fast HTTP/1.1\r\nHost: a\r\n\(line)\r\n".utf8)
    }

    private static func live(_ hashes: Hashes, _ body: (HTTPServer, PasswordTurns, UInt16) throws -> Void) throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/web.yml"
        try "basic_auth_users: {bob: \(WebAccessTests.hash)}\n".write(toFile: path, atomically: true, encoding: .utf8)
        let passwords = hashes.check
        var options = HTTPServer.Options()
        options.maxThreads = 2
        options.access = try WebAccess(WebConfigFile(path: path), clock: SystemClock(), passwords: passwords)
        try WaitingClientsTests.live(options) { try body($0, passwords.turns, $1) }
    }

    private static func ask(_ port: UInt16, _ password: String?) throws -> String {
        let socket = try #require(LoopbackSocket.connect(port: port))
        defer { socket.close() }
        socket.send(request(password))
        return String(decoding: socket.receive(), as: UTF8.self)
    }

    @Test("a password that has to wait holds no thread, and what is known is answered at once")
    func threads() throws {
        let hashes = Hashes()
        try Self.live(hashes) { server, turns, port in
            #expect(try Self.ask(port, "secret").hasPrefix("HTTP/1.1 200 "))
            hashes.open(false)
            let clients = try (0..<30).map { index in
                let client = try #require(LoopbackSocket.connect(port: port))
                // Many requests at once, each with another password.
                client.send(Array((0..<20).map { Self.request("\(index) \($0)") }.joined()))
                return client
            }
            while turns.waiting < 29 { usleep(1000) }
            for _ in 0..<5 {
                #expect(try Self.ask(port, "secret").hasPrefix("HTTP/1.1 200 "))
                #expect(try Self.ask(port, nil).hasPrefix("HTTP/1.1 401 "))
            }
            #expect(hashes.count == 2 && server.threads.count <= 2)
            hashes.open(true)
            for client in clients.dropLast() {
                let answer = String(decoding: client.receive(), as: UTF8.self)
                #expect(answer.hasPrefix("HTTP/1.1 401 "))
                client.close()
            }
            // Who was checked while others waited has had one turn; only the last one may go on.
            #expect(hashes.count <= 1 + 30 + 19)
            clients.last?.close()
        }
    }

    @Test("the requests of clients that are gone cost no hash")
    func gone() throws {
        let hashes = Hashes()
        hashes.open(false)
        try Self.live(hashes) { _, turns, port in
            let clients = try (0..<20).map { index in
                let client = try #require(LoopbackSocket.connect(port: port))
                client.send(Array((0..<20).map { Self.request("\(index) \($0)") }.joined()))
                return client
            }
            while turns.waiting < 19 { usleep(1000) }
            for client in clients { client.close() }
            let last = try #require(LoopbackSocket.connect(port: port))
            last.send(Self.request("secret"))
            while turns.waiting < 20 { usleep(1000) }
            hashes.open(true)
            #expect(String(decoding: last.receive(), as: UTF8.self).hasPrefix("HTTP/1.1 200 "))
            #expect(hashes.count == 2)
            last.close()
        }
    }

    @Test("the end of the server waits for one hash, not for all that wait")
    func end() throws {
        let hashes = Hashes()
        hashes.open(false)
        try Self.live(hashes) { server, turns, port in
            let clients = try (0..<20).map { index in
                let client = try #require(LoopbackSocket.connect(port: port))
                client.send(Self.request("\(index)"))
                return client
            }
            while turns.waiting < 19 { usleep(1000) }
            server.beginStop()
            hashes.open(true)
            #expect(server.awaitStop(milliseconds: 60_000))
            #expect(hashes.count == 1)
            for client in clients { client.close() }
        }
    }

    @Test("more than can wait are refused, and wrong passwords do not make a right one be forgotten")
    func bounds() throws {
        let hashes = Hashes()
        try Self.live(hashes) { _, turns, port in
            #expect(try Self.ask(port, "secret").hasPrefix("HTTP/1.1 200 "))
            for index in 0..<300 { #expect(try Self.ask(port, "\(index)").hasPrefix("HTTP/1.1 401 ")) }
            #expect(hashes.count == 301)
            #expect(try Self.ask(port, "secret").hasPrefix("HTTP/1.1 200 "))
            #expect(hashes.count == 301)
            hashes.open(false)
            // One has the turn, most wait, and some one is refused.
            let clients = try (0..<(PasswordTurns.most + 2)).map { index in
                if index == PasswordTurns.most + 1 { while turns.waiting < PasswordTurns.most { usleep(1000) } }
                let client = try #require(LoopbackSocket.connect(port: port))
                client.send(Self.request("wait \(index)"))
                return client
            }
            var entries = clients.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
            #expect(poll(&entries, nfds_t(entries.count), 30_000) == 1)
            let refused = try #require(entries.firstIndex { $0.revents != 0 })
            let answer = String(decoding: clients[refused].receive(), as: UTF8.self)
            #expect(answer.hasPrefix("HTTP/1.1 429 ") && answer.contains("Connection: close"))
            hashes.open(true)
            for client in clients { client.close() }
        }
    }

    /// Somebody's requests, and what came of them.
    private final class Asker: Sendable {
        private let state = Mutex<(turns: [String], refusals: [String])>(([], []))
        let queue = PasswordTurns()

        var turns: [String] { state.withLock { $0.turns } }
        var refusals: [String] { state.withLock { $0.refusals } }

        /// Asks for a turn; true if it is free.
        func take(_ address: String, _ name: String, _ question: [UInt8] = []) -> Bool {
            let (isFree, refused) = queue.take(for: address, question: question) { [self] outcome in
                state.withLock { outcome == .refused ? $0.refusals.append(name) : $0.turns.append(name) }
            }
            refused?(.refused)
            return isFree
        }

        func leave() { queue.leave()?(.turn) }
    }

    @Test("turns go round among addresses, and the one with most waiters gives its places to others")
    func turns() {
        let asker = Asker()
        #expect(asker.take("a", "a0"))
        for index in 1..<PasswordTurns.most { #expect(!asker.take("a", "a\(index)")) }
        for name in ["b1", "b2", "c1"] { #expect(!asker.take(String(name.prefix(1)), name)) }
        #expect(asker.refusals.map { $0.prefix(1) } == ["a", "a"])
        for _ in 0..<6 { asker.leave() }
        #expect(asker.turns.map { $0.hasPrefix("a") ? "a" : $0 } == ["b1", "c1", "a", "b2", "a", "a"])
        #expect(asker.queue.waiting == PasswordTurns.most - 6)
    }

    @Test("who asks the same again gets a turn soon, whatever else the same address asks", arguments: [1, 60, 600])
    func flood(perTurn: Int) {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        let asker = Asker()
        func guess() -> Bool { asker.take("a", "guess", (0..<32).map { _ in .random(in: 0...255, using: &random) }) }
        #expect(guess())
        for _ in 0..<600 { #expect(!guess()) }
        let question = (0..<32).map { _ in UInt8.random(in: 0...255, using: &random) }
        #expect(!asker.take("a", "user", question))
        // The user asks again after each refusal; the first question may be refused at once.
        var repeated = 0
        for _ in 0..<(PasswordTurns.most + 2) where !asker.turns.contains("user") {
            for _ in 0..<perTurn { #expect(!guess()) }
            if asker.refusals.count(where: { $0 == "user" }) > repeated {
                repeated += 1
                #expect(!asker.take("a", "user", question))
            }
            asker.leave()
        }
        #expect(asker.turns.contains("user"))
        #expect(asker.refusals.filter { $0 == "user" }.count <= 3)
        // With nobody waiting everything is forgotten.
        while asker.queue.isWaitedFor { asker.leave() }
        asker.leave()
        #expect(asker.take("a", "next"))
    }
}
