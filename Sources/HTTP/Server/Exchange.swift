import CPlatform
import Glibc
import Platform

/// Requests of one connection, one after another: how far the one at work is, and what comes next.
///
/// Runs on handler threads, on one at a time. Where it would wait for its client it goes to the loop, which calls it
/// again: a client that sends or reads slowly holds a connection, but no thread.
// SAFETY: handed from thread to thread through locks, as its connection is.
final class Exchange: @unchecked Sendable {
    /// What the loop has found.
    enum Task: Sendable {
        /// A head of so many bytes.
        case head(Int)
        case refused(RequestRefusal)
        /// Text on a port that speaks TLS.
        case plainOnTLS
    }

    /// What the connection's client is waited for.
    enum Wait: Sendable {
        /// The rest of a body.
        case body
        /// The rest of a body that nobody wants, so that the next request can be found.
        case drain
        /// Room for an answer.
        case send
        /// The client's end, so that what it still sends does not destroy an answer on its way.
        case farewell
    }

    private enum Phase {
        case begin(Task)
        /// The request's password has to be checked.
        case password(RequestHead, WebAccess.Verdict)
        case body
        /// `hasPlace` tells whether a place of handlers that take long is held.
        case handler(hasPlace: Bool)
        case drain(HTTPResponse)
        case send
        case farewell
        case next
    }

    private enum Step {
        case goOn
        case wait(Wait, writes: Bool)
        /// Somebody else will call again.
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
    /// What follows when the answer is sent.
    private var afterwards = Phase.next
    private var endsAfterwards = false
    /// Whether the client of this request was waited for before.
    private var isSlow = false
    /// Bytes that are still read before an end.
    private var farewellBytes = 0

    /// How long a thread stays with a connection whose client is slow, milliseconds.
    private static let lingering = 20
    /// Most bytes of a body that nobody wants and that are read so that the connection can go on.
    private static let drained = 256 << 10

    init(server: HTTPServer, loop: ConnectionLoop, connection: Connection, _ task: Task) {
        self.server = server
        self.loop = loop
        self.connection = connection
        phase = .begin(task)
    }

    /// Whether it need not wait for its client: what has come of the body is lost.
    var hasLostMemory: Bool { reader?.hasLostMemory == true }

    /// Goes on until the client has to be waited for, the connection rests, or it ends.
    ///
    /// - Parameter isLate: Whether the client was waited for too long.
    func run(isLate: Bool = false) {
        var step = isLate ? late() : Step.goOn
        while true {
            switch step {
            case .goOn: step = self.step()
            case .wait(let wait, let writes):
                // Mostly it is only a moment, but a client that took longer once is waited for by the loop.
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
        case .farewell: return farewell()
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
                then: .farewell)
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
                // Nobody waits for the answer any more.
                leaveTurn(turns)
                connection.close()
                return loop.closed(connection.id)
            }
            run()
        }
        if let refused { _ = server.threads.run { refused(.refused) } }
        return isFree ? .goOn : .leave
    }

    /// Computes the hash; the turn for that is this request's.
    private func check(_ head: RequestHead, _ verdict: WebAccess.Verdict) -> Step {
        guard let passwords = server.options.access?.passwords, let question = verdict.question else { return .ended }
        var verdict = verdict
        let isRight = passwords.answer(question)
        verdict.take(isRight)
        // Further passwords of this client have to queue up again.
        verdict.closes = !isRight && passwords.turns.isWaitedFor
        leaveTurn(passwords.turns)
        return judge(head, verdict)
    }

    private func leaveTurn(_ turns: PasswordTurns) {
        // There is a thread: the one that runs this.
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

    /// Begins to count the time that the client takes.
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
            guard server.threads.takeLongPlace(orLater: { self.run() }) else { return .leave }
        }
        let response = judged.perform(clock: server.clock.monotonic)
        if judged.takesLong { server.threads.leaveLongPlace() }
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
        // The body's memory is free while its answer is on the way.
        self.judged = nil
        reader = nil
        return answer(outgoing, then: !isDrained || closes ? .farewell : keepsAlive ? .next : nil)
    }

    /// Sends an answer; `following` comes when it is sent, or the end if that is nil.
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
        if case .farewell = afterwards {
            connection.endEncryption()
            shutdown(connection.socket, Int32(SHUT_WR))
            farewellBytes = 1 << 20
            startClock()
        } else {
            connection.since = now
        }
        return go(to: afterwards)
    }

    private func refuse(_ refusal: RequestRefusal) -> Step {
        let reason = "\(refusal.status) \(ResponseHeadWriter.reason(refusal.status))"
        let text = refusal.status == 400 ? "\(reason): \(refusal.reason)" : reason
        let response = HTTPResponse(
            status: refusal.status, headers: [("Content-Type", "text/plain; charset=utf-8")], body: Array(text.utf8))
        return answer(
            Outgoing(
                response, to: HTTPRequest(method: "GET", path: "/"), isVersion10: false, closes: true,
                now: server.clock.now()),
            then: .farewell)
    }

    /// Lets the client read the answer before what it still sends makes the system reset the connection.
    private func farewell() -> Step {
        if server.isStopping { return .ended }
        return withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 1) { buffer in
            while farewellBytes > 0 {
                switch connection.receive(into: buffer) {
                case .bytes(let count): farewellBytes -= count
                case .ended, .full: return .ended
                case .wait: return .wait(.farewell, writes: false)
                }
            }
            return .ended
        }
    }

    // MARK: The next request

    /// Looks for the next head, and waits for a moment for it.
    private func next() -> Step {
        while !server.isStopping {
            do throws(RequestRefusal) {
                if connection.pending > 0, let length = try connection.headEnd() {
                    phase = .begin(.head(length))
                    // One of many requests that came at once: others that wait for a thread have their turn first.
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
                // With a part of a head the loop keeps the time.
                if connection.pending > 0 || server.isFull || server.threads.isTight { return .rests }
                if !connection.wait(writes: writes, milliseconds: Self.lingering) { return .rests }
            }
        }
        return .ended
    }

    // MARK: Time

    /// What comes after a wait that was too long.
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
