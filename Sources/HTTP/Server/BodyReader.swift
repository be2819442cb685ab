import Glibc
import Platform

/// Reads the body of one request as far as it has come, within its limit and the memory of all bodies.
///
/// It never waits: the loop keeps the time of a body that is not there yet.
struct BodyReader {
    enum Progress {
        case body([UInt8])
        case refused(HTTPResponse)
        /// The client is gone.
        case gone
        /// Nothing more there yet; the socket has to become readable or writable first.
        case wait(writes: Bool)
    }

    private enum Failure: Error {
        case tooLarge, noMemory, gone
        case malformed(RequestRefusal)
    }

    /// What has come of a body that is not whole yet.
    private struct Part {
        var limit: Int
        var bytes: [UInt8] = []
        var filled = 0
        var decoder = ChunkedDecoder()
    }

    private let connection: Connection
    private let head: RequestHead
    /// What the body holds until its request is answered.
    private let memory: BodyMemory
    private var part: Part?
    private var isRead = false
    private var hasFailed = false
    /// Bytes that are still to be read of a body that nobody wants; nil before the first look.
    private var unwanted: Int?
    /// Bytes of the first buffer.
    private static let firstRoom = 16 << 10
    /// What a client must send to count as one that does not keep others waiting.
    private static let progress = 16 << 10
    private var mark = 0
    /// Bytes per second from which on a body keeps its memory.
    private static let steadyRate: Int64 = 512 << 10
    /// How long it keeps its memory without more bytes, ns: at the start, and at most.
    private static let (startTime, mostTime): (Int64, Int64) = (1_000_000_000, 5_000_000_000)
    private var credited = 0
    private var now: Int64 = 0

    /// - Parameter wake: Called by another thread when the memory of this body went to smaller ones.
    init(server: HTTPServer, connection: Connection, head: RequestHead, wake: @escaping @Sendable () -> Void) {
        self.connection = connection
        self.head = head
        memory = BodyMemory(BudgetShare(server.options.bodies, onRevocation: wake))
    }

    /// Whether the memory of this body went to smaller ones.
    var hasLostMemory: Bool { memory.share.isRevoked }

    /// Begins to read a body of at most `limit` bytes; a client that asked whether to send it is told to.
    mutating func begin(limit: Int) -> HTTPResponse? {
        if case .length(let length) = head.framing, length > limit { return Self.tooLarge(limit) }
        isRead = true
        part = Part(limit: limit)
        if head.awaitsContinue {
            let text = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
            // So few bytes fit into any socket whose client reads.
            if text.withUnsafeBytes({ connection.send($0) }) != .bytes(text.count) { hasFailed = true }
        }
        return nil
    }

    /// Reads what is there.
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
            // A client that sends steadily may finish: what has come is useless without the rest.
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

    /// The answer to a body that did not come in its time.
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

    /// Reads a body whose length is promised; the buffer grows with what comes.
    private func advance(_ part: inout Part, length: Int, _ writes: inout Bool) throws(Failure) -> Bool {
        while part.filled < length {
            if part.filled == part.bytes.count {
                // Before anything has come there is nothing to hold.
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

    /// Makes a full buffer twice as large, or a small one four times, and charges for that before.
    ///
    /// Each step leaves its old buffer to the allocator, so steps are few.
    private func grow(_ body: inout [UInt8], atLeast wanted: Int, most: Int) throws(Failure) {
        let room = min(most, max(Self.firstRoom, wanted, body.count * (body.count < 1 << 20 ? 4 : 2)))
        guard room > body.count else { throw .tooLarge }
        guard memory.share.grow(to: room, now: now), AddressSpace.canAllocate(room) else { throw .noMemory }
        body.grow(to: room)
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
                            throw .malformed("no room")
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

    /// Reads into the connection's buffer; false if nothing is there.
    private func receivePending(_ writes: inout Bool) throws(Failure) -> Bool {
        switch connection.receive() {
        case .bytes: return true
        case .ended, .full: throw .gone
        case .wait(let forWriting):
            writes = forWriting
            return false
        }
    }

    // MARK: Bodies that nobody wants

    enum Drain {
        /// Whether the next request can be read from the connection.
        case done(canGoOn: Bool)
        case wait(writes: Bool)
    }

    /// Reads what is left of a small body, as far as it has come.
    mutating func drain(atMost limit: Int) -> Drain {
        if hasFailed { return .done(canGoOn: false) }
        if isRead { return .done(canGoOn: true) }
        guard case .length(let length) = head.framing else { return .done(canGoOn: head.framing == .none) }
        // Who waits for a 100 has not sent anything, and will not know what to do next.
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

/// The memory of one body; given back when nobody holds the body any more.
private final class BodyMemory {
    let share: BudgetShare

    init(_ share: BudgetShare) { self.share = share }

    deinit { if share.held > 0 || share.isRevoked { share.release() } }
}
