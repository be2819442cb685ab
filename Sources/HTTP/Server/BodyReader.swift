import Glibc
import Platform

/// Reads the received part of one request's body, within its limit and the memory of all bodies.
///
/// It never waits: the loop measures the time for the rest of the body.
struct BodyReader {
    enum Progress {
        case body([UInt8])
        case refused(HTTPResponse)
        /// The connection has ended.
        case gone
        /// No more bytes are available; the socket has to become readable or writable first.
        case wait(writes: Bool)
    }

    private enum Failure: Error {
        case tooLarge, noMemory, gone
        case malformed(RequestRefusal)
    }

    /// The received part of an incomplete body.
    private struct Part {
        var limit: Int
        var bytes: [UInt8] = []
        var filled = 0
        var decoder = ChunkedDecoder()
    }

    private let connection: Connection
    private let head: RequestHead
    /// The memory of the body, held until its request is answered.
    private let memory: BodyMemory
    private var part: Part?
    private var isRead = false
    private var hasFailed = false
    /// The remaining bytes of an unneeded body; nil before the first check.
    private var unwanted: Int?
    /// The size of the first buffer, bytes.
    private static let firstSize = 16 << 10
    /// The bytes that count as progress of a client.
    private static let progress = 16 << 10
    private var mark = 0
    /// The bytes per second from which on a body keeps its memory.
    private static let steadyRate: Int64 = 512 << 10
    /// The time for which a body keeps its memory without more bytes, ns: at the start, and at most.
    private static let (startTime, mostTime): (Int64, Int64) = (1_000_000_000, 5_000_000_000)
    private var credited = 0
    private var now: Int64 = 0

    /// - Parameter wake: Called by another thread after the memory of this body was revoked.
    init(server: HTTPServer, connection: Connection, head: RequestHead, wake: @escaping @Sendable () -> Void) {
        self.connection = connection
        self.head = head
        memory = BodyMemory(BudgetShare(server.options.bodies, onRevocation: wake))
    }

    /// Whether the memory of this body was revoked.
    var hasLostMemory: Bool { memory.share.isRevoked }

    /// Begins to read a body of at most `limit` bytes, and sends `100 Continue` if the client waits for it.
    mutating func begin(limit: Int) -> HTTPResponse? {
        if case .length(let length) = head.framing, length > limit { return Self.tooLarge(limit) }
        isRead = true
        part = Part(limit: limit)
        if head.awaitsContinue {
            let text = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
            // The send buffer of a socket has space for so few bytes if its client reads.
            if text.withUnsafeBytes({ connection.send($0) }) != .bytes(text.count) { hasFailed = true }
        }
        return nil
    }

    /// Reads the available bytes.
    ///
    /// - Parameter now: The monotonic clock, ns.
    mutating func advance(now: Int64) -> Progress {
        guard !hasFailed, var part else { return .gone }
        self.part = nil
        self.now = now
        do throws(Failure) {
            if memory.share.isRevoked { throw .noMemory }
            let isWhole: Bool
            var writes = false
            switch head.framing {
            case .none: isWhole = true
            case .length(let length): isWhole = try advance(&part, length: length, &writes)
            case .chunked: isWhole = try advance(&part, &writes)
            }
            if isWhole {
                guard memory.share.settle() else { throw .noMemory }
                part.bytes.removeLast(part.bytes.count - part.filled)
                return .body(part.bytes)
            }
            if part.filled - mark >= Self.progress {
                mark = part.filled
                connection.since = now
            }
            // A client that sends steadily may finish: a part of a body is useless.
            let earned = Int64(part.filled - credited) &* (1_000_000_000 / Self.steadyRate)
            let start = credited == 0 ? now &+ Self.startTime : max(memory.share.protectedUntil, now)
            memory.share.protectedUntil = min(start &+ earned, now &+ Self.mostTime)
            credited = part.filled
            self.part = part
            return .wait(writes: writes)
        } catch {
            hasFailed = true
            switch error {
            case .tooLarge: return .refused(Self.tooLarge(part.limit))
            case .noMemory: return .refused(Self.noMemory)
            case .gone: return .gone
            case .malformed(let refusal): return .refused(.text("400 Bad Request: \(refusal.reason)", status: 400))
            }
        }
    }

    /// The answer to a body that was not received in time.
    mutating func giveUp() -> HTTPResponse {
        hasFailed = true
        part = nil
        return .text("request body timeout\n", status: 408)
    }

    private static var noMemory: HTTPResponse {
        var refusal = HTTPResponse.text("too many request bodies at once\n", status: 503)
        refusal.headers.append(("Retry-After", "5"))
        return refusal
    }

    static func tooLarge(_ limit: Int) -> HTTPResponse {
        .text("request body exceeds the \(limit) bytes limit\n", status: 413)
    }

    /// Reads a body with a `Content-Length`; the buffer grows with the received bytes.
    private func advance(_ part: inout Part, length: Int, _ writes: inout Bool) throws(Failure) -> Bool {
        while part.filled < length {
            if part.filled == part.bytes.count {
                // Before the first byte the body needs no memory.
                if part.filled == 0, connection.pending == 0, try !receivePending(&writes) { return false }
                try grow(&part.bytes, atLeast: connection.pending, most: length)
            }
            let start = part.filled
            if connection.pending > 0 {
                part.filled += part.bytes.withUnsafeMutableBytes {
                    takePending(into: UnsafeMutableRawBufferPointer(rebasing: $0[start...]))
                }
                continue
            }
            let input = part.bytes.withUnsafeMutableBytes {
                connection.receive(into: UnsafeMutableRawBufferPointer(rebasing: $0[start...]))
            }
            switch input {
            case .bytes(let count): part.filled += count
            case .ended, .full: throw .gone
            case .wait(let forWriting):
                writes = forWriting
                return false
            }
        }
        return true
    }

    /// Doubles a full buffer, or quadruples a small one, and reserves the memory before.
    ///
    /// Each step leaves the old buffer to the allocator, so there are few steps.
    private func grow(_ body: inout [UInt8], atLeast wanted: Int, most: Int) throws(Failure) {
        let size = min(most, max(Self.firstSize, wanted, body.count * (body.count < 1 << 20 ? 4 : 2)))
        guard size > body.count else { throw .tooLarge }
        guard memory.share.grow(to: size, now: now), AddressSpace.canAllocate(size) else { throw .noMemory }
        body.grow(to: size)
    }

    private func takePending(into target: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(connection.pending, target.count)
        guard count > 0 else { return 0 }
        connection.withPending {
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer($0)[..<count]))
        }
        connection.consume(count)
        return count
    }

    private func advance(_ part: inout Part, _ writes: inout Bool) throws(Failure) -> Bool {
        while true {
            var failure: Failure?
            var used = 0
            do throws(RequestRefusal) {
                used = try connection.withPending { bytes throws(RequestRefusal) in
                    var decoder = part.decoder
                    defer { part.decoder = decoder }
                    return try decoder.decode(bytes) { piece throws(RequestRefusal) in
                        do throws(Failure) { try add(piece, to: &part) } catch {
                            failure = error
                            throw .malformed("no memory")
                        }
                    }
                }
            } catch {
                throw failure ?? .malformed(error)
            }
            connection.consume(used)
            if part.decoder.isDone { return true }
            while connection.pending == 0 { if try !receivePending(&writes) { return false } }
        }
    }

    private func add(_ piece: UnsafeBufferPointer<UInt8>, to part: inout Part) throws(Failure) {
        guard piece.count <= part.limit - part.filled else { throw .tooLarge }
        if piece.count > part.bytes.count - part.filled {
            try grow(&part.bytes, atLeast: part.filled + piece.count, most: part.limit)
        }
        let start = part.filled
        part.bytes.withUnsafeMutableBufferPointer {
            _ = UnsafeMutableBufferPointer(rebasing: $0[start...]).update(fromContentsOf: piece)
        }
        part.filled += piece.count
    }

    /// Reads into the connection's buffer; returns false if nothing is available.
    private func receivePending(_ writes: inout Bool) throws(Failure) -> Bool {
        switch connection.receive() {
        case .bytes: return true
        case .ended, .full: throw .gone
        case .wait(let forWriting):
            writes = forWriting
            return false
        }
    }

    // MARK: Unneeded bodies

    enum Drain {
        /// Whether the next request can be read from the connection.
        case done(canGoOn: Bool)
        case wait(writes: Bool)
    }

    /// Reads the received part of the rest of a small body.
    mutating func drain(atMost limit: Int) -> Drain {
        if hasFailed { return .done(canGoOn: false) }
        if isRead { return .done(canGoOn: true) }
        guard case .length(let length) = head.framing else { return .done(canGoOn: head.framing == .none) }
        // A client that waits for `100 Continue` has not sent its body, and does not know how to continue.
        guard length <= limit, !head.awaitsContinue else { return .done(canGoOn: false) }
        var left = unwanted ?? length
        let before = min(left, connection.pending)
        connection.consume(before)
        left -= before
        let result = withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 1) { buffer -> Drain in
            while left > 0 {
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(left, buffer.count)])
                switch connection.receive(into: part) {
                case .bytes(let count): left -= count
                case .ended, .full: return .done(canGoOn: false)
                case .wait(let writes): return .wait(writes: writes)
                }
            }
            return .done(canGoOn: true)
        }
        unwanted = left
        return result
    }
}

/// The memory of one body; released with the last reference to the body.
private final class BodyMemory {
    let share: BudgetShare

    init(_ share: BudgetShare) { self.share = share }

    deinit { if share.held > 0 || share.isRevoked { share.release() } }
}
