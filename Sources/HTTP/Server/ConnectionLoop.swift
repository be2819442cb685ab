import CPlatform
import CTLS
import Dispatch
import Glibc
import Platform
import Synchronization
import Telemetry

/// The thread that accepts connections, shakes hands and collects heads, and holds those that are idle.
///
/// It never waits for one client: a connection with a whole head goes to a handler's thread, and comes back when the
/// answer is sent and no further request has come.
final class ConnectionLoop: Sendable {
    private enum Stage { case handshake, head, idle, handler }

    /// What only the loop's own thread touches.
    private struct Table {
        var connections: [UInt64: (connection: Connection, stage: Stage)] = [:]
        /// Connections that a handler's thread has; their entry above has no object.
        var handled: Set<UInt64> = []
        var nextId: UInt64 = 1 << 32
        /// Listeners at which somebody waits for a place.
        var waiting: Set<Int> = []
        var nextSweep: Int64 = .max
        var refusedUntil: Int64 = 0
        var isListening = true

        var count: Int { connections.count + handled.count }
    }

    /// What comes from other threads.
    private struct Mail {
        var returned: [Connection] = []
        var closed: [UInt64] = []
        var stops = false
    }

    private let server: HTTPServer
    private let listeners: [Int32]
    private let epoll: Int32
    private let bell: Int32
    private let mail = Mutex(Mail())
    private let done = DispatchSemaphore(value: 0)
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

    /// Takes a connection back that has no request at the moment.
    func giveBack(_ connection: Connection) { post { $0.returned.append(connection) } }

    /// Says that a handler's thread has closed a connection.
    func closed(_ id: UInt64) { post { $0.closed.append(id) } }

    /// Ends the loop; returns when the last handler has returned.
    func stop() {
        post { $0.stops = true }
        done.wait()
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
        var isStopping = false
        while true {
            let count = cplatform_wait(epoll, &keys, 64, timeout(table))
            for key in keys.prefix(Int(count)) where key != Self.bellKey {
                if key < Self.bellKey {
                    if !isStopping { accept(at: Int(key), &table) }
                } else {
                    advance(key, &table)
                }
            }
            if readMail(&table) { isStopping = true }
            if isStopping {
                closeAll(&table)
                if table.handled.isEmpty { break }
                continue
            }
            admitWaiting(&table)
            if server.clock.monotonic() >= table.nextSweep { sweep(&table) }
        }
        done.signal()
    }

    private func timeout(_ table: Table) -> Int32 {
        guard table.nextSweep != .max else { return -1 }
        return Int32(clamping: max(0, (table.nextSweep - server.clock.monotonic()) / 1_000_000 + 1))
    }

    /// Reads what other threads have said; true if the loop has to end.
    private func readMail(_ table: inout Table) -> Bool {
        var value: UInt64 = 0
        _ = read(bell, &value, 8)
        let mail = mail.withLock { mail in
            defer {
                mail.returned = []
                mail.closed = []
            }
            return mail
        }
        for id in mail.closed { table.handled.remove(id) }
        for connection in mail.returned {
            table.handled.remove(connection.id)
            if mail.stops { continue }
            connection.since = server.clock.monotonic()
            connection.rest()
            table.connections[connection.id] = (connection, .idle)
            schedule(&table, connection, .idle)
            watch(connection, writes: false, &table)
        }
        return mail.stops
    }

    private func closeAll(_ table: inout Table) {
        table.connections = [:]
        if table.isListening { for listener in listeners { close(listener) } }
        table.isListening = false
    }

    // MARK: Accepting

    private func watchListener(_ index: Int) { _ = cplatform_watch(epoll, listeners[index], 1, 0, 1, UInt64(index)) }

    private func accept(at index: Int, _ table: inout Table) {
        guard listeners.indices.contains(index) else { return }
        // A burst at one address does not keep the others waiting for long.
        for _ in 0..<64 {
            guard table.count < server.options.maxConnections else {
                table.waiting.insert(index)
                if !server.isFull {
                    server.setFull(true)
                    table.nextSweep = server.clock.monotonic()
                }
                return
            }
            let socket = cplatform_accept(listeners[index])
            guard socket >= 0 else {
                if errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM {
                    // Without descriptors, as without places: idle connections go.
                    table.refusedUntil = server.clock.monotonic() + 100_000_000
                    table.waiting.insert(index)
                    table.nextSweep = min(table.nextSweep, table.refusedUntil)
                    server.setFull(true)
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
            id: id, socket: socket, pool: server.options.heads, now: server.clock.monotonic())
        let stage = server.options.access?.usesTLS == true ? Stage.handshake : .head
        table.connections[id] = (connection, stage)
        schedule(&table, connection, stage)
        // Often the request is there already.
        advance(id, &table)
    }

    /// Lets those in who wait, when there are places.
    private func admitWaiting(_ table: inout Table) {
        guard !table.waiting.isEmpty, table.count < server.options.maxConnections,
            server.clock.monotonic() >= table.refusedUntil
        else { return }
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

    /// Takes a connection as far as its bytes allow.
    private func advance(_ id: UInt64, _ table: inout Table) {
        guard let (connection, stage) = table.connections[id] else { return }
        if stage == .handshake {
            guard shakeHands(connection, &table) else { return }
            table.connections[id] = (connection, .head)
        }
        // Ends with what has come, or with the largest head; decrypted bytes do not make a socket readable again.
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
                if table.connections[id]?.stage == .idle {
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
                hand(connection, .refused(RequestRefusal(431, "Request Header Fields Too Large")), &table)
                return
            }
        }
    }

    /// Gives a connection to a handler's thread.
    private func hand(_ connection: Connection, _ task: Exchange.Task, _ table: inout Table) {
        table.connections[connection.id] = nil
        table.handled.insert(connection.id)
        let exchange = Exchange(server: server, loop: self, connection: connection)
        if !server.threads.run({ exchange.run(task) }) {
            server.log.error("The system has no thread for a request")
            table.handled.remove(connection.id)
            connection.close()
        }
    }

    /// True once the connection is encrypted.
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
            // A record of the handshake begins with 22, and a plain request with a letter.
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

    /// When a connection in this stage has waited too long.
    ///
    /// - Parameter isKept: Whether it keeps its place while others wait for one.
    private func deadline(_ connection: Connection, _ stage: Stage, isKept: Bool = false) -> Int64 {
        let options = server.options
        var seconds = options.timeoutSeconds
        if server.isFull, !isKept {
            // Nothing was ever heard of it, or its last request is answered.
            let isSilent = stage == .idle || !connection.hasSpoken
            seconds = min(seconds, isSilent ? 1 : options.shortTimeoutSeconds)
        }
        return connection.since + Int64(seconds) * 1_000_000_000
    }

    private func schedule(_ table: inout Table, _ connection: Connection, _ stage: Stage) {
        table.nextSweep = min(table.nextSweep, deadline(connection, stage))
    }

    /// Connections at rest that keep their places while others wait: those of this machine before others, and the ones
    /// that were used last; at most a quarter of all places.
    private func kept(_ table: Table) -> Set<UInt64> {
        guard server.isFull else { return [] }
        let resting = table.connections.values.filter { $0.stage == .idle }.map(\.connection).sorted {
            $0.isLocal == $1.isLocal ? $0.since > $1.since : $0.isLocal
        }
        return Set(resting.prefix(server.options.maxConnections / 4).map(\.id))
    }

    /// Closes those that have waited too long.
    private func sweep(_ table: inout Table) {
        let now = server.clock.monotonic()
        let kept = kept(table)
        var next = Int64.max
        var late: [UInt64] = []
        for (id, entry) in table.connections {
            let deadline = deadline(entry.connection, entry.stage, isKept: kept.contains(id))
            if deadline <= now { late.append(id) } else { next = min(next, deadline) }
        }
        for id in late { drop(id, &table) }
        // At most one look per quarter of a second, however many connections there are.
        table.nextSweep = next == .max ? .max : max(next, now + 250_000_000)
        if !table.waiting.isEmpty, table.refusedUntil > now { table.nextSweep = table.refusedUntil }
        admitWaiting(&table)
    }
}
