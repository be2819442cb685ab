import CPlatform
import CTLS
import Glibc

/// A client's connection: its socket, its encryption and its received bytes that are not used yet.
///
/// One thread owns it at a time: the loop while it waits for a head, then a handler's thread until the end of the
/// answer.
// SAFETY: passed from thread to thread through locks; see the sentence above.
final class Connection: @unchecked Sendable {
    enum Input: Hashable {
        case bytes(Int)
        /// No bytes are available; the socket has to become readable or writable first.
        case wait(writes: Bool)
        /// The client has ended its side, or the connection is broken.
        case ended
        /// There is no memory for a larger head.
        case full
    }

    /// The size of the largest head, as in Go's server.
    static let maxHead = (1 << 20) + 4096
    /// The bytes of a head that do not count in the shared budget.
    static let freeHead = 64 << 10
    private static let firstSize = 4 << 10

    let id: UInt64
    let socket: Int32
    let peer: String
    var context: TLSContext?
    var tls: OpaquePointer?
    var isEncrypted = false
    /// The time when the request, the handshake or the idle time began, or of the client's last progress; nanoseconds.
    var since: Int64
    /// The time when the wait for the client ends in any case, nanoseconds.
    var expiry = Int64.max
    var scanner = HeadScanner()
    /// Whether any byte was received.
    private(set) var hasSpoken = false
    private let share: BudgetShare
    private var buffer: [UInt8] = []
    private var filled = 0
    private var isOpen = true

    /// - Parameters:
    ///   - heads: The shared budget of large heads.
    ///   - wake: Called by another thread after the memory of this head was revoked.
    init(id: UInt64, socket: Int32, heads: ByteBudget, now: Int64, wake: @escaping @Sendable () -> Void) {
        self.id = id
        self.socket = socket
        share = BudgetShare(heads, onRevocation: wake)
        since = now
        var text = [CChar](repeating: 0, count: 64)
        cplatform_peer(socket, &text, text.count)
        peer = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Whether the client is on this machine.
    var isLocal: Bool { peer.hasPrefix("127.") || peer == "::1" }

    deinit {
        close()
        releaseShare()
    }

    private func releaseShare() { if share.held > 0 || share.isRevoked { share.release() } }

    /// Whether the memory of the head was revoked.
    var hasLostMemory: Bool { share.isRevoked }

    /// Closes the connection.
    ///
    /// Afterwards the socket's number may belong to another connection.
    func close() {
        guard isOpen else { return }
        isOpen = false
        endEncryption()
        if let tls { SSL_free(tls) }
        tls = nil
        Glibc.close(socket)
    }

    /// Sends the end of the encrypted data to the client.
    func endEncryption() {
        if isEncrypted, let tls { SSL_shutdown(tls) }
        isEncrypted = false
    }

    // MARK: Input

    /// The number of received bytes that are not used yet.
    var pending: Int { filled }

    func withPending<R, E: Error>(_ body: (UnsafeBufferPointer<UInt8>) throws(E) -> R) throws(E) -> R {
        try buffer.withUnsafeBufferPointer { whole throws(E) in
            try body(UnsafeBufferPointer(rebasing: whole[..<filled]))
        }
    }

    /// The end of the head in the received bytes; nil if the head is incomplete.
    func headEnd() throws(RequestRefusal) -> Int? {
        var scanner = scanner
        let end = try withPending { bytes throws(RequestRefusal) in try scanner.end(in: bytes) }
        self.scanner = scanner
        return end
    }

    /// Removes used bytes.
    func consume(_ count: Int) {
        precondition(count <= filled)
        let rest = filled - count
        if rest > 0 {
            buffer.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                memmove(base, base + count, rest)
            }
        }
        filled = rest
        scanner = HeadScanner()
        if buffer.count > Self.freeHead, rest <= Self.freeHead {
            buffer = Array(buffer[..<rest])
            releaseShare()
        }
    }

    /// Frees the received bytes, which nobody will read.
    func discard() {
        filled = 0
        buffer = []
        scanner = HeadScanner()
        releaseShare()
    }

    /// Frees the buffer if it is empty.
    func rest() { if filled == 0 { buffer = [] } }

    /// Reads the available bytes after the received ones.
    func receive() -> Input {
        if filled == buffer.count, !grow() { return .full }
        let (start, space) = (filled, buffer.count - filled)
        let input = buffer.withUnsafeMutableBytes { bytes in
            receive(into: UnsafeMutableRawBufferPointer(rebasing: bytes[start..<(start + space)]))
        }
        if case .bytes(let count) = input { filled += count }
        return input
    }

    private func grow() -> Bool {
        let wanted = min(Self.maxHead, max(Self.firstSize, buffer.count * 2))
        guard wanted > buffer.count else { return false }
        guard wanted <= Self.freeHead || share.grow(to: wanted) else { return false }
        buffer.grow(to: wanted)
        return true
    }

    /// Reads from the socket into memory of the caller.
    func receive(into target: UnsafeMutableRawBufferPointer) -> Input {
        if let tls {
            let count = ctls_read(tls, target.baseAddress, target.count)
            if count > 0 { return received(count) }
            return count == -2 ? .wait(writes: false) : count == -3 ? .wait(writes: true) : .ended
        }
        while true {
            let count = recv(socket, target.baseAddress, target.count, 0)
            if count > 0 { return received(count) }
            if count == 0 { return .ended }
            if errno == EINTR { continue }
            return errno == EAGAIN ? .wait(writes: false) : .ended
        }
    }

    private func received(_ count: Int) -> Input {
        hasSpoken = true
        return .bytes(count)
    }

    // MARK: Output

    enum Output: Hashable {
        case bytes(Int)
        case wait(reads: Bool)
        case broken
    }

    /// Sends a part of the bytes.
    func send(_ source: UnsafeRawBufferPointer) -> Output {
        if let tls {
            let count = ctls_write(tls, source.baseAddress, source.count)
            if count > 0 { return .bytes(count) }
            return count == -2 ? .wait(reads: true) : count == -3 ? .wait(reads: false) : .broken
        }
        while true {
            let count = Glibc.send(socket, source.baseAddress, source.count, Int32(MSG_NOSIGNAL))
            if count > 0 { return .bytes(count) }
            if errno == EINTR { continue }
            return errno == EAGAIN ? .wait(reads: false) : .broken
        }
    }

    /// Waits until the socket is readable or writable.
    ///
    /// - Returns: False after the timeout.
    func wait(writes: Bool, milliseconds: Int) -> Bool {
        if !writes, let tls, SSL_pending(tls) > 0 { return true }
        var entry = pollfd(fd: socket, events: Int16(writes ? POLLOUT : POLLIN), revents: 0)
        let count = poll(&entry, 1, Int32(clamping: max(0, milliseconds)))
        return count != 0
    }
}
