import CPlatform
import Glibc
import Platform
import Synchronization
import Telemetry

/// An HTTP/1.1 server.
///
/// One thread accepts connections and waits for clients, and each running request has its own thread, so that a slow
/// query or a slow client does not delay others.
package final class HTTPServer: Sendable {
    package struct Options: Sendable {
        /// The most connections, fewer if the process may not open so many files; further ones wait in the system's
        /// queue.
        package var maxConnections = 512
        /// The most threads of handlers; fewer where the address space is limited.
        package var maxThreads = Int.max
        /// The seconds that a request may take to arrive, and after which an idle connection is closed.
        package var timeoutSeconds = 300
        /// The seconds for bodies without progress while others wait for memory.
        package var shortTimeoutSeconds = 10
        /// The seconds without progress after which an answer is dropped while memory is short.
        package var sendTimeoutSeconds = 2
        /// The stack size of a handler's thread, bytes; queries are evaluated there.
        package var stackSize = 16 << 20
        /// The path before all routes, without a slash at its end.
        package var routePrefix = ""
        /// TLS, users and headers; nil for none of them.
        package var access: WebAccess?
        package var origins = CrossOrigin()
        /// The budget of bodies: the largest incomplete one is revoked for smaller ones.
        package var bodies = ByteBudget(
            limit: min(48 << 20, AddressSpace.share(1.0 / 8)), takesFromLargest: true, reservesForSmall: true)
        /// The budget of large heads: the largest incomplete one is revoked for smaller ones.
        package var heads = ByteBudget(
            limit: min(32 << 20, AddressSpace.share(1.0 / 16)), takesFromLargest: true)
        /// Whether answers that clients do not read use memory that others need.
        package var isMemoryShort: @Sendable () -> Bool = { false }

        package init() {}

        /// Limits times so that sums of nanoseconds do not overflow.
        fileprivate mutating func boundTimes() {
            let bounds = 1...Int(Int32.max)
            func bounded(_ seconds: Int) -> Int { min(max(seconds, bounds.lowerBound), bounds.upperBound) }
            timeoutSeconds = bounded(timeoutSeconds)
            shortTimeoutSeconds = bounded(shortTimeoutSeconds)
            sendTimeoutSeconds = bounded(sendTimeoutSeconds)
        }
    }

    let options: Options
    let router: Router
    let clock: any Clock
    let log = Log("web")
    let threads: HandlerThreads
    private let loop = Mutex<ConnectionLoop?>(nil)
    private let bound = Mutex<[UInt16]>([])
    private let stopping = Atomic<Bool>(false)
    /// Reports the end of the server to running handlers.
    let cancellation = Cancellation()
    private let full = Atomic<Bool>(false)

    package init(router: Router, options: Options, clock: any Clock) {
        self.router = router
        var options = options
        options.boundTimes()
        options.maxConnections = min(options.maxConnections, OpenFiles.parts.clients)
        self.options = options
        self.clock = clock
        threads = HandlerThreads(
            most: AddressSpace.threads(min(options.maxConnections, options.maxThreads), stackSize: options.stackSize),
            stackSize: options.stackSize)
    }

    /// The ports of the listeners.
    package var ports: [UInt16] { bound.withLock { $0 } }

    /// Whether the server ends and does not wait for slow clients any more.
    var isStopping: Bool { stopping.load(ordering: .relaxed) }

    /// Whether connections wait for a place.
    var isFull: Bool { full.load(ordering: .relaxed) }

    func setFull(_ isFull: Bool) { full.store(isFull, ordering: .relaxed) }

    /// Starts to listen on all addresses, or on none.
    package func start(_ addresses: [ListenAddress]) throws(HTTPServerError) {
        var listeners: [Int32] = []
        do throws(HTTPServerError) {
            for address in addresses { listeners.append(try address.listen()) }
            let ports = listeners.map { ListenAddress.boundPort($0) }
            let started = try ConnectionLoop(server: self, listeners: listeners)
            loop.withLock { $0 = started }
            bound.withLock { $0 = ports }
            guard Thread.start("http-loop", { started.run() }) != nil else {
                throw HTTPServerError("no thread for the web listener")
            }
        } catch {
            for listener in listeners { close(listener) }
            loop.withLock { $0 = nil }
            throw error
        }
    }

    /// Cancels running and further handlers; connections continue.
    package func cancelHandlers() { cancellation.cancel() }

    /// Begins to end all connections; clients that receive an answer have one second.
    package func beginStop() {
        stopping.store(true, ordering: .relaxed)
        cancelHandlers()
        loop.withLock { $0 }?.stop()
        bound.withLock { $0 = [] }
    }

    /// Waits until all connections and handlers have ended; returns false after the timeout.
    package func awaitStop(milliseconds: Int64) -> Bool {
        guard let loop = loop.withLock({ $0 }) else { return true }
        guard loop.awaitEnd(milliseconds: milliseconds) else { return false }
        self.loop.withLock { $0 = nil }
        return true
    }

    /// Ends all connections; returns when the last handler has returned.
    package func stop() {
        beginStop()
        _ = awaitStop(milliseconds: .max)
    }
}
