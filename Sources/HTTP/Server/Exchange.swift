import CPlatform
import Glibc
import Platform

/// The requests of one connection, one after another: the state of the current request.
///
/// Handler threads run it, one at a time. Where it would wait for its client it is passed to the loop, which calls it
/// again. So a client that sends or reads slowly uses a connection, but no thread.
// SAFETY: passed from thread to thread through locks, as its connection is.
final class Exchange: @unchecked Sendable {
    /// The finding of the loop.
    enum Task: Sendable {
        /// A head of so many bytes.
        case head(Int)
        case refused(RequestRefusal)
        /// Plain text on a port with TLS.
        case plainOnTLS
    }

    /// The event for which the connection waits.
    enum Wait: Sendable {
        /// The rest of a body.
        case body
        /// The rest of an unneeded body, so that the next request can be found.
        case drain
        /// Space in the send buffer for an answer.
        case send
        /// The client's end, so that bytes that it still sends do not destroy an answer in transit.
        case closing
    }

    private enum Phase {
        case begin(Task)
        /// The request's password has to be checked.
        case password(RequestHead, WebAccess.Verdict)
        case body
        /// `hasPlace` is whether a place of the long handlers is held.
        case handler(hasPlace: Bool)
        case drain(HTTPResponse)
        case send
        case closing
        case next
    }

    private enum Step {
        case goOn
        case wait(Wait, writes: Bool)
        /// The thread leaves; another call continues.
        case leave
        case rests
        case ended
    }

    let connection: Connection
    private let server: HTTPServer
    private let loop: ConnectionLoop
    private var phase: Phase
    private var judged: JudgedRequest?
    private var reader: BodyReader?
    private var outgoing: Outgoing?
    /// The phase after the answer is sent.
    private var afterwards = Phase.next
    private var endsAfterwards = false
    /// Whether this request has waited for its client before.
    private var isSlow = false
    /// The bytes that are still read before the connection is closed.
    private var closingBytes = 0

    /// The time that a thread waits for a slow client, milliseconds.
    private static let lingering = 20
    /// The most bytes of an unneeded body that are read so that the connection can be kept.
    private static let drained = 256 << 10

    init(server: HTTPServer, loop: ConnectionLoop, connection: Connection, _ task: Task) {
        self.server = server
        self.loop = loop
        self.connection = connection
        phase = .begin(task)
    }

    /// Whether it need not wait for its client, because the received part of the body is lost.
    var hasLostMemory: Bool { reader?.hasLostMemory == true }

    /// Continues until the connection has to wait for its client, is idle, or ends.
    ///
    /// - Parameter isLate: Whether the wait for the client took too long.
    func run(isLate: Bool = false) {
        var step = isLate ? late() : Step.goOn
        while true {
            switch step {
            case .goOn: step = self.step()
            case .wait(let wait, let writes):
                // Most waits are short. But after one long wait of a client the loop does the waiting.
                if isSlow || server.isStopping || server.isFull || server.threads.isTight
                    || !connection.wait(writes: writes, milliseconds: Self.lingering)
                {
                    isSlow = true
                    return loop.park(self, wait, writes: writes)
                }
                step = self.step()
            case .leave: return
            case .rests: return loop.giveBack(connection)
            case .ended:
                connection.close()
                return loop.closed(connection.id)
            }
        }
    }

    private func step() -> Step {
        switch phase {
        case .begin(let task): return begin(task)
        case .password(let head, let verdict): return check(head, verdict)
        case .body: return readBody()
        case .handler(let hasPlace): return handle(hasPlace: hasPlace)
        case .drain(let response): return drain(response)
        case .send: return send()
        case .closing: return closing()
        case .next: return next()
        }
    }

    private func go(to phase: Phase) -> Step {
        self.phase = phase
        return .goOn
    }

    // MARK: Head

    private func begin(_ task: Task) -> Step {
        switch task {
        case .head(let length):
            do throws(RequestRefusal) {
                let head = try connection.withPending { bytes throws(RequestRefusal) in
                    try RequestHeadParser.parse(UnsafeBufferPointer(rebasing: bytes[..<length]))
                }
                connection.consume(length)
                guard let access = server.options.access else { return judge(head, nil) }
                let verdict = access.judge(authorization: head.header("Authorization"))
                guard let question = verdict.question else { return judge(head, verdict) }
                return waitForTurn(head, verdict, question.key, access.passwords.turns)
            } catch {
                return refuse(error)
            }
        case .refused(let refusal): return refuse(refusal)
        case .plainOnTLS:
            return answer(
                Outgoing(
                    Array("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n".utf8)),
                then: .closing)
        }
    }

    // MARK: Password

    private func waitForTurn(
        _ head: RequestHead, _ verdict: WebAccess.Verdict, _ question: [UInt8], _ turns: PasswordTurns
    ) -> Step {
        phase = .password(head, verdict)
        let (isFree, refused) = turns.take(for: connection.peer, question: question) { [self] outcome in
            if case .refused = outcome {
                var verdict = verdict
                verdict.refuse()
                _ = judge(head, verdict)
            } else if server.isStopping || cplatform_is_peer_gone(connection.socket) != 0 {
                // No client waits for the answer any more.
                leaveTurn(turns)
                connection.close()
                return loop.closed(connection.id)
            }
            run()
        }
        if let refused { _ = server.threads.run { refused(.refused) } }
        return isFree ? .goOn : .leave
    }

    /// Computes the hash, in this request's turn.
    private func check(_ head: RequestHead, _ verdict: WebAccess.Verdict) -> Step {
        guard let passwords = server.options.access?.passwords, let question = verdict.question else { return .ended }
        var verdict = verdict
        let isRight = passwords.answer(question)
        verdict.take(isRight)
        // Further passwords of this client have to wait in the queue again.
        verdict.closes = !isRight && passwords.turns.isWaitedFor
        leaveTurn(passwords.turns)
        return judge(head, verdict)
    }

    private func leaveTurn(_ turns: PasswordTurns) {
        // There is a thread: the one that runs this code.
        if let next = turns.leave() { _ = server.threads.run { next(.turn) } }
    }

    // MARK: Body

    private func judge(_ head: RequestHead, _ access: WebAccess.Verdict?) -> Step {
        let judged = JudgedRequest(head, access, connection: connection, server: server)
        var reader = BodyReader(server: server, connection: connection, head: head) { [weak loop, id = connection.id] in
            loop?.wake(id)
        }
        phase = .handler(hasPlace: false)
        if let limit = judged.bodyLimit {
            if let refusal = reader.begin(limit: limit) { judged.refuse(refusal) } else { phase = .body }
        }
        self.judged = judged
        self.reader = reader
        isSlow = false
        startClock()
        return .goOn
    }

    /// Starts the measurement of the client's time.
    private func startClock() {
        connection.since = server.clock.monotonic()
        connection.expiry = connection.since &+ Int64(server.options.timeoutSeconds) * 1_000_000_000
    }

    private func readBody() -> Step {
        switch reader?.advance(now: server.clock.monotonic()) {
        case .body(let body): judged?.take(body)
        case .refused(let response): judged?.refuse(response)
        case .wait(let writes): return .wait(.body, writes: writes)
        case .gone, nil: return .ended
        }
        return go(to: .handler(hasPlace: false))
    }

    // MARK: Handler and answer

    private func handle(hasPlace: Bool) -> Step {
        guard let judged else { return .ended }
        if judged.takesLong, !hasPlace {
            phase = .handler(hasPlace: true)
            guard server.threads.takeLongPlace(for: connection.peer, orLater: { self.run() }) else { return .leave }
        }
        let response = judged.perform(clock: server.clock.monotonic)
        if judged.takesLong { server.threads.leaveLongPlace(of: connection.peer) }
        judged.request.body = []
        startClock()
        return go(to: .drain(response))
    }

    private func drain(_ response: HTTPResponse) -> Step {
        switch reader?.drain(atMost: Self.drained) {
        case .done(let canGoOn): return answer(response, isDrained: canGoOn)
        case .wait(let writes): return .wait(.drain, writes: writes)
        case nil: return .ended
        }
    }

    private func answer(_ response: HTTPResponse, isDrained: Bool) -> Step {
        guard let judged else { return .ended }
        let closes = judged.closes
        let keepsAlive = judged.head.keepsAlive && isDrained && !server.isStopping && !closes
        let outgoing = Outgoing(
            response, to: judged.request, isVersion10: judged.head.isVersion10, closes: !keepsAlive,
            now: server.clock.now())
        // The body's memory is free while its answer is sent.
        self.judged = nil
        reader = nil
        return answer(outgoing, then: !isDrained || closes ? .closing : keepsAlive ? .next : nil)
    }

    /// Sends an answer; `following` is the phase after it, nil for the end of the connection.
    private func answer(_ outgoing: Outgoing, then following: Phase?) -> Step {
        self.outgoing = outgoing
        afterwards = following ?? .next
        endsAfterwards = following == nil
        startClock()
        return go(to: .send)
    }

    private func send() -> Step {
        let now = server.clock.monotonic()
        connection.expiry = now &+ Int64(server.options.timeoutSeconds) * 1_000_000_000
        switch outgoing?.advance(on: connection, now: now) {
        case .done: break
        case .wait(let reads): return .wait(.send, writes: !reads)
        case .broken, nil: return .ended
        }
        outgoing = nil
        if endsAfterwards { return .ended }
        if case .closing = afterwards {
            connection.endEncryption()
            shutdown(connection.socket, Int32(SHUT_WR))
            closingBytes = 1 << 20
            startClock()
        } else {
            connection.since = now
        }
        return go(to: afterwards)
    }

    private func refuse(_ refusal: RequestRefusal) -> Step {
        connection.discard()
        let reason = "\(refusal.status) \(ResponseHeadWriter.reason(refusal.status))"
        let text = refusal.status == 400 ? "\(reason): \(refusal.reason)" : reason
        let response = HTTPResponse(
            status: refusal.status, headers: [("Content-Type", "text/plain; charset=utf-8")], body: Array(text.utf8))
        return answer(
            Outgoing(
                response, to: HTTPRequest(method: "GET", path: "/"), isVersion10: false, closes: true,
                now: server.clock.now()),
            then: .closing)
    }

    /// Gives the client time to read the answer before its remaining bytes make the system reset the connection.
    private func closing() -> Step {
        if server.isStopping { return .ended }
        return withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 1) { buffer in
            while closingBytes > 0 {
                switch connection.receive(into: buffer) {
                case .bytes(let count): closingBytes -= count
                case .ended, .full: return .ended
                case .wait: return .wait(.closing, writes: false)
                }
            }
            return .ended
        }
    }

    // MARK: The next request

    /// Looks for the next head, and waits shortly for it.
    private func next() -> Step {
        while !server.isStopping {
            do throws(RequestRefusal) {
                if connection.pending > 0, let length = try connection.headEnd() {
                    phase = .begin(.head(length))
                    // The client has sent several requests at once: others that wait for a thread run first.
                    guard server.threads.isTight, server.threads.run({ self.run() }) else { return .goOn }
                    return .leave
                }
            } catch {
                return go(to: .begin(.refused(error)))
            }
            switch connection.receive() {
            case .bytes: continue
            case .ended: return .ended
            case .full: return go(to: .begin(.refused(ConnectionLoop.tooLarge)))
            case .wait(let writes):
                // The loop measures the time for an incomplete head.
                if connection.pending > 0 || server.isFull || server.threads.isTight { return .rests }
                if !connection.wait(writes: writes, milliseconds: Self.lingering) { return .rests }
            }
        }
        return .ended
    }

    // MARK: Time

    /// The step after a wait that took too long.
    private func late() -> Step {
        switch phase {
        case .body:
            if let response = reader?.giveUp() { judged?.refuse(response) }
            return go(to: .handler(hasPlace: false))
        case .drain(let response): return answer(response, isDrained: false)
        default: return .ended
        }
    }
}
