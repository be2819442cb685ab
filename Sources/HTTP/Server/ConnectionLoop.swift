import CPlatform
import CTLS
import Glibc
import Platform
import Synchronization
import Telemetry

/// The thread that accepts connections, performs handshakes, receives heads, and owns the connections that wait for
/// their clients.
///
/// It never waits for one client: it passes a connection with a whole head to a handler's thread. The handler's thread
/// returns the connection if the client is slow to send its body or to read its answer, and after the answer if there
/// is no further request.
final class ConnectionLoop: Sendable {
    private enum Stage {
        case handshake, head, idle
        /// A request is in progress and waits for its client.
        case request(Exchange, Exchange.Wait)
    }

    private typealias Entry = (connection: Connection, stage: Stage)

    /// The state that only the loop's own thread uses.
    private struct Table {
        var connections: [UInt64: Entry] = [:]
        /// The connections that handler threads own; their entries in `connections` have no object.
        var handled: Set<UInt64> = []
        var nextId: UInt64 = 1 << 32
        /// The listeners with connections that wait for a place.
        var waiting: Set<Int> = []
        var nextSweep: Int64 = .max
        var refusedUntil: Int64 = 0
        /// The connections that may be closed for new ones, the next one last, and the time when they were selected.
        var victims: [(id: UInt64, since: Int64)] = []
        var victimsTime: Int64 = 0
        var isListening = true
        /// The time when the last answers must be sent; nil until the loop ends.
        var end: Int64?

        var count: Int { connections.count + handled.count }
    }

    /// The messages of other threads.
    private struct Mail {
        var returned: [Connection] = []
        var parked: [(exchange: Exchange, wait: Exchange.Wait, writes: Bool)] = []
        var closed: [UInt64] = []
        /// The connections whose heads or bodies have lost their memory.
        var woken: [UInt64] = []
        var stops = false
    }

    private let server: HTTPServer
    private let listeners: [Int32]
    private let epoll: Int32
    private let bell: Int32
    private let mail = Mutex(Mail())
    private let done = TimedSemaphore(value: 0)
    private static let bellKey: UInt64 = 1 << 31

    init(server: HTTPServer, listeners: [Int32]) throws(HTTPServerError) {
        self.server = server
        self.listeners = listeners
        epoll = cplatform_epoll()
        bell = cplatform_bell()
        guard epoll >= 0, bell >= 0, cplatform_watch(epoll, bell, 1, 0, 0, Self.bellKey) == 0 else {
            throw HTTPServerError("epoll: \(String(cString: strerror(errno)))")
        }
    }

    deinit {
        close(epoll)
        close(bell)
    }

    // MARK: Other threads

    /// Returns a connection without a request to the loop.
    func giveBack(_ connection: Connection) { post { $0.returned.append(connection) } }

    /// Returns a connection to the loop whose request continues when the client sends or reads.
    func park(_ exchange: Exchange, _ wait: Exchange.Wait, writes: Bool) {
        post { $0.parked.append((exchange, wait, writes)) }
    }

    /// Reports that a handler's thread has closed a connection.
    func closed(_ id: UInt64) { post { $0.closed.append(id) } }

    /// Resumes a request immediately that waits for its client and whose memory was revoked.
    func wake(_ id: UInt64) { post { $0.woken.append(id) } }

    /// Begins to end the loop.
    func stop() { post { $0.stops = true } }

    /// Waits until the loop and the last handler have ended; returns false after the timeout.
    func awaitEnd(milliseconds: Int64) -> Bool {
        guard done.wait(milliseconds: milliseconds) else { return false }
        done.signal()
        return true
    }

    private func post(_ change: (inout Mail) -> Void) {
        mail.withLock { change(&$0) }
        var one: UInt64 = 1
        _ = write(bell, &one, 8)
    }

    // MARK: The loop

    func run() {
        var table = Table()
        for index in listeners.indices { watchListener(index) }
        var keys = [UInt64](repeating: 0, count: 64)
        while true {
            let count = cplatform_wait(epoll, &keys, 64, timeout(table))
            for key in keys.prefix(Int(count)) where key != Self.bellKey {
                if key < Self.bellKey {
                    if table.end == nil { accept(at: Int(key), &table) }
                } else {
                    advance(key, &table)
                    wakeRevoked(&table)
                }
            }
            if readMail(&table), table.end == nil { beginEnd(&table) }
            if let end = table.end {
                if server.clock.monotonic() >= end { table.connections = [:] }
                if table.handled.isEmpty, table.connections.isEmpty { break }
                continue
            }
            admitWaiting(&table)
            if server.clock.monotonic() >= table.nextSweep { sweep(&table) }
        }
        done.signal()
    }

    private func timeout(_ table: Table) -> Int32 {
        var next = table.nextSweep
        if let end = table.end { next = table.connections.isEmpty ? .max : end }
        guard next != .max else { return -1 }
        return Int32(clamping: max(0, (next - server.clock.monotonic()) / 1_000_000 + 1))
    }

    /// Reads the messages of other threads; returns true if the loop must end.
    private func readMail(_ table: inout Table) -> Bool {
        var value: UInt64 = 0
        _ = read(bell, &value, 8)
        let mail = mail.withLock { mail in
            defer {
                mail.returned = []
                mail.parked = []
                mail.closed = []
                mail.woken = []
            }
            return mail
        }
        for id in mail.closed { table.handled.remove(id) }
        for connection in mail.returned {
            table.handled.remove(connection.id)
            if mail.stops { continue }
            connection.since = server.clock.monotonic()
            connection.expiry = .max
            connection.rest()
            table.connections[connection.id] = (connection, .idle)
            schedule(&table, connection, .idle)
            watch(connection, writes: false, &table)
        }
        for (exchange, wait, writes) in mail.parked {
            let connection = exchange.connection
            table.handled.remove(connection.id)
            if mail.stops, wait != .send { continue }
            table.connections[connection.id] = (connection, .request(exchange, wait))
            // Its memory may have been revoked while another thread owned the connection; ``wake(_:)`` does not find it
            // then.
            if wait == .body, exchange.hasLostMemory {
                resume(exchange, isLate: false, &table)
                continue
            }
            schedule(&table, connection, .request(exchange, wait))
            watch(connection, writes: writes, &table)
        }
        for id in mail.woken { wake(id, &table) }
        return mail.stops
    }

    /// Frees the memory of connections that has been given to another one, before the next one asks for more.
    private func wakeRevoked(_ table: inout Table) {
        let woken = mail.withLock { mail in
            defer { mail.woken = [] }
            return mail.woken
        }
        for id in woken { wake(id, &table) }
    }

    /// Resumes a connection whose memory was revoked, so that its request ends.
    private func wake(_ id: UInt64, _ table: inout Table) {
        guard let (connection, stage) = table.connections[id] else { return }
        switch stage {
        case .request(let exchange, _): resume(exchange, isLate: false, &table)
        case .head where connection.hasLostMemory: hand(connection, .refused(Self.tooLarge), &table)
        default: break
        }
    }

    /// The refusal of a head that is too large, or for which there is no memory.
    static let tooLarge = RequestRefusal(431, "Request Header Fields Too Large")

    /// The time for clients to read their answers when the server ends, ns.
    private static let endTime: Int64 = 1_000_000_000

    /// Closes the listeners and all connections except those with answers in progress.
    private func beginEnd(_ table: inout Table) {
        table.end = server.clock.monotonic() &+ Self.endTime
        table.connections = table.connections.filter {
            if case .request(_, .send) = $0.value.stage { true } else { false }
        }
        if table.isListening { for listener in listeners { close(listener) } }
        table.isListening = false
    }

    // MARK: Accepting

    private func watchListener(_ index: Int) { _ = cplatform_watch(epoll, listeners[index], 1, 0, 1, UInt64(index)) }

    private func accept(at index: Int, _ table: inout Table) {
        guard listeners.indices.contains(index) else { return }
        // The limit prevents that many connections at one address delay the others.
        for _ in 0..<64 {
            guard table.count < server.options.maxConnections || giveWay(&table) else {
                table.waiting.insert(index)
                if !server.isFull {
                    server.setFull(true)
                }
                table.nextSweep = min(table.nextSweep, server.clock.monotonic() &+ Self.lookInterval)
                return
            }
            let socket = cplatform_accept(listeners[index])
            guard socket >= 0 else {
                if errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM {
                    // A lack of descriptors is handled as a lack of places: another connection is closed.
                    if giveWay(&table) { continue }
                    server.setFull(true)
                    table.refusedUntil = server.clock.monotonic() + 100_000_000
                    table.waiting.insert(index)
                    table.nextSweep = min(table.nextSweep, table.refusedUntil)
                    return
                }
                if errno == ECONNABORTED || errno == EINTR { continue }
                break
            }
            add(socket, &table)
        }
        watchListener(index)
    }

    private func add(_ socket: Int32, _ table: inout Table) {
        let id = table.nextId
        table.nextId += 1
        let connection = Connection(
            id: id, socket: socket, heads: server.options.heads, now: server.clock.monotonic()
        ) { [weak self] in self?.wake(id) }
        let stage = server.options.access?.usesTLS == true ? Stage.handshake : .head
        table.connections[id] = (connection, stage)
        schedule(&table, connection, stage)
        // Often the request has already arrived.
        advance(id, &table)
    }

    /// Accepts waiting connections if there are free places.
    private func admitWaiting(_ table: inout Table) {
        guard !table.waiting.isEmpty, server.clock.monotonic() >= table.refusedUntil else { return }
        let waiting = table.waiting
        table.waiting = []
        for index in waiting { accept(at: index, &table) }
        if table.waiting.isEmpty { server.setFull(false) }
    }

    // MARK: Connections

    private func watch(_ connection: Connection, writes: Bool, _ table: inout Table) {
        if cplatform_watch(epoll, connection.socket, writes ? 0 : 1, writes ? 1 : 0, 1, connection.id) != 0 {
            drop(connection.id, &table)
        }
    }

    private func drop(_ id: UInt64, _ table: inout Table) { table.connections[id] = nil }

    /// Advances a connection as far as its received bytes allow.
    private func advance(_ id: UInt64, _ table: inout Table) {
        guard let (connection, stage) = table.connections[id] else { return }
        if case .request(let exchange, _) = stage { return resume(exchange, isLate: false, &table) }
        if case .handshake = stage {
            guard shakeHands(connection, &table) else { return }
            table.connections[id] = (connection, .head)
        }
        // The loop ends when no more bytes are available, or at the largest head; decrypted bytes do not make a socket
        // readable again.
        while true {
            do throws(RequestRefusal) {
                if connection.pending > 0, let end = try connection.headEnd() {
                    hand(connection, .head(end), &table)
                    return
                }
            } catch {
                hand(connection, .refused(error), &table)
                return
            }
            switch connection.receive() {
            case .bytes:
                if case .idle = table.connections[id]?.stage {
                    connection.since = server.clock.monotonic()
                    table.connections[id]?.stage = .head
                    schedule(&table, connection, .head)
                }
            case .wait(let writes):
                watch(connection, writes: writes, &table)
                return
            case .ended:
                drop(id, &table)
                return
            case .full:
                hand(connection, .refused(Self.tooLarge), &table)
                return
            }
        }
    }

    /// Passes a connection to a handler's thread.
    private func hand(_ connection: Connection, _ task: Exchange.Task, _ table: inout Table) {
        // The client may take long to read the refusal, and the thread to begin with it.
        if case .refused = task { connection.discard() }
        resume(Exchange(server: server, loop: self, connection: connection, task), isLate: false, &table)
    }

    /// Resumes a request on a handler's thread.
    private func resume(_ exchange: Exchange, isLate: Bool, _ table: inout Table) {
        let connection = exchange.connection
        table.connections[connection.id] = nil
        table.handled.insert(connection.id)
        if !server.threads.run({ exchange.run(isLate: isLate) }) {
            server.log.error("The system cannot start a thread for a request", about: [], [:])
            table.handled.remove(connection.id)
            connection.close()
        }
    }

    /// Continues the TLS handshake; returns true if the connection is encrypted.
    private func shakeHands(_ connection: Connection, _ table: inout Table) -> Bool {
        if connection.tls == nil {
            var first: UInt8 = 0
            let count = recv(connection.socket, &first, 1, Int32(MSG_PEEK))
            guard count > 0 else {
                if count < 0, errno == EAGAIN {
                    watch(connection, writes: false, &table)
                } else {
                    drop(connection.id, &table)
                }
                return false
            }
            // A record of the handshake begins with the byte 22, a plain request begins with a letter.
            if first != 22 {
                hand(connection, .plainOnTLS, &table)
                return false
            }
            connection.context = server.options.access?.tlsContext()
            connection.tls = connection.context?.session(connection.socket)
        }
        guard let tls = connection.tls else {
            drop(connection.id, &table)
            return false
        }
        switch ctls_handshake(tls) {
        case 1:
            connection.isEncrypted = true
            guard connection.context?.isAllowed(tls) == true else {
                drop(connection.id, &table)
                return false
            }
            return true
        case 2: watch(connection, writes: false, &table)
        case 3: watch(connection, writes: true, &table)
        default: drop(connection.id, &table)
        }
        return false
    }

    // MARK: Time

    /// The time for which a client may keep a connection while others wait, ns.
    ///
    /// It is shorter with few places, so that the delay of the waiting clients depends little on the number of places.
    private var leastTime: Int64 { min(400, max(100, Int64(server.options.maxConnections) * 3)) * 1_000_000 }
    /// The interval of the checks for clients that keep memory or places from others, ns.
    private static let lookInterval: Int64 = 100_000_000

    /// The time when a connection in this stage has waited too long.
    private func deadline(_ connection: Connection, _ stage: Stage) -> Int64 {
        let options = server.options
        var milliseconds = Int64(options.timeoutSeconds) * 1000
        switch stage {
        case .handshake, .head, .idle: break
        case .request(_, .body):
            if options.bodies.isShort(now: server.clock.monotonic()) {
                milliseconds = min(milliseconds, Int64(options.shortTimeoutSeconds) * 1000)
            }
        case .request(_, .send):
            if options.isMemoryShort() { milliseconds = min(milliseconds, Int64(options.sendTimeoutSeconds) * 1000) }
        case .request(_, .drain): milliseconds = 1000
        case .request(_, .closing): milliseconds = 500
        }
        return min(connection.expiry, connection.since &+ milliseconds &* 1_000_000)
    }

    private func schedule(_ table: inout Table, _ connection: Connection, _ stage: Stage) {
        table.nextSweep = min(table.nextSweep, nextLook(connection, stage, now: connection.since))
    }

    /// The time of the next check of a connection: a lack of memory is noticed within a second.
    private func nextLook(_ connection: Connection, _ stage: Stage, now: Int64) -> Int64 {
        let deadline = deadline(connection, stage)
        switch stage {
        case .request(_, .body), .request(_, .send): return min(deadline, now &+ 1_000_000_000)
        default: return deadline
        }
    }

    /// Ends the waits that took too long.
    private func sweep(_ table: inout Table) {
        let now = server.clock.monotonic()
        var next = Int64.max
        var late: [Entry] = []
        for entry in table.connections.values {
            if deadline(entry.connection, entry.stage) <= now {
                late.append(entry)
            } else {
                next = min(next, nextLook(entry.connection, entry.stage, now: now))
            }
        }
        for entry in late {
            if case .request(let exchange, _) = entry.stage {
                resume(exchange, isLate: true, &table)
            } else {
                drop(entry.connection.id, &table)
            }
        }
        if !table.waiting.isEmpty { next = min(next, now) }
        // At most ten checks per second, however many connections there are.
        table.nextSweep = next == .max ? .max : max(next, now + Self.lookInterval)
        if !table.waiting.isEmpty, table.refusedUntil > now { table.nextSweep = table.refusedUntil }
        admitWaiting(&table)
    }

    // MARK: Places

    /// Closes the connection whose client has kept it for longest, if it has had a minimum of time; returns false if
    /// there is none.
    private func giveWay(_ table: inout Table) -> Bool {
        let now = server.clock.monotonic()
        if table.victims.isEmpty {
            guard now &- table.victimsTime >= Self.lookInterval / 2 else { return false }
            table.victimsTime = now
            table.victims = victims(table, now: now)
        }
        while let victim = table.victims.popLast() {
            guard let entry = table.connections[victim.id], entry.connection.since == victim.since else { continue }
            drop(victim.id, &table)
            return true
        }
        return false
    }

    /// The connections that may be closed, the first one last: first those that never sent anything or are idle, then
    /// those in the middle of a request, then those that receive an answer.
    ///
    /// A quarter of all places is reserved for idle connections: those of this machine first, then those that were used
    /// last.
    private func victims(_ table: Table, now: Int64) -> [(id: UInt64, since: Int64)] {
        var resting: [Connection] = []
        var others: [(rank: Int, connection: Connection)] = []
        for (connection, stage) in table.connections.values {
            switch stage {
            case .idle: resting.append(connection)
            case .handshake, .head: others.append((connection.hasSpoken ? 1 : 0, connection))
            case .request(_, .closing): others.append((0, connection))
            case .request(_, .send): others.append((2, connection))
            case .request: others.append((1, connection))
            }
        }
        resting.sort { $0.isLocal == $1.isLocal ? $0.since > $1.since : $0.isLocal }
        others += resting.dropFirst(server.options.maxConnections / 4).map { (0, $0) }
        let leastTime = leastTime
        return others.filter { now &- $0.connection.since >= leastTime }
            .sorted { $0.rank == $1.rank ? $0.connection.since > $1.connection.since : $0.rank > $1.rank }
            .map { ($0.connection.id, $0.connection.since) }
    }
}
