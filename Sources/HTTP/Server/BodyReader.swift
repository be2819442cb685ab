import Glibc
import Platform

/// Reads the body of one request, within its limit, its time and the memory of all bodies.
struct BodyReader {
    enum Outcome {
        case body([UInt8])
        case refused(HTTPResponse)
        /// The client is gone or too slow for an answer.
        case gone
    }

    private enum Failure: Error {
        case tooLarge, noMemory, gone, late
        case malformed(RequestRefusal)
    }

    private let server: HTTPServer
    private let connection: Connection
    private let head: RequestHead
    private let began: Int64
    /// What the body holds until its request is answered.
    private let share: PoolShare
    private var isRead = false
    private var hasFailed = false
    /// Bytes of the first buffer.
    private static let firstRoom = 16 << 10

    init(server: HTTPServer, connection: Connection, head: RequestHead) {
        self.server = server
        self.connection = connection
        self.head = head
        began = server.clock.monotonic()
        share = PoolShare(server.options.bodies)
    }

    /// Reads the whole body.
    mutating func read(limit: Int) -> Outcome {
        if case .length(let length) = head.framing, length > limit { return .refused(Self.tooLarge(limit)) }
        isRead = true
        do throws(Failure) {
            if head.awaitsContinue {
                let isSent = Sender(server: server, connection: connection).send(
                    Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
                guard isSent else { throw .gone }
            }
            switch head.framing {
            case .none: return .body([])
            case .length(let length): return .body(try body(of: length))
            case .chunked: return .body(try chunkedBody(limit))
            }
        } catch {
            hasFailed = true
            switch error {
            case .tooLarge: return .refused(Self.tooLarge(limit))
            case .noMemory:
                var refusal = HTTPResponse.text("too many request bodies at once\n", status: 503)
                refusal.headers.append(("Retry-After", "5"))
                return .refused(refusal)
            case .late: return .refused(.text("request body timeout\n", status: 408))
            case .gone: return .gone
            case .malformed(let refusal): return .refused(.text("400 Bad Request: \(refusal.reason)", status: 400))
            }
        }
    }

    static func tooLarge(_ limit: Int) -> HTTPResponse {
        .text("request body exceeds the \(limit) bytes limit\n", status: 413)
    }

    /// Reads a body whose length is promised; the buffer grows with what comes.
    private func body(of length: Int) throws(Failure) -> [UInt8] {
        var body: [UInt8] = []
        var filled = 0
        while filled < length {
            if filled == body.count {
                // Before anything has come there is nothing to hold.
                if filled == 0, connection.pending == 0 { try receivePending(soFar: 0) }
                try grow(&body, atLeast: connection.pending, most: length)
            }
            if connection.pending > 0 {
                filled += body.withUnsafeMutableBytes {
                    takePending(into: UnsafeMutableRawBufferPointer(rebasing: $0[filled...]))
                }
                continue
            }
            filled += try body.withUnsafeMutableBufferPointer { bytes throws(Failure) in
                let room = UnsafeMutableBufferPointer(rebasing: bytes[filled...])
                return try receive(into: UnsafeMutableRawBufferPointer(room), soFar: filled)
            }
        }
        return body
    }

    /// Makes a full buffer twice as large, or a small one four times, and charges for that before.
    ///
    /// Each step leaves its old buffer to the allocator, so steps are few.
    private func grow(_ body: inout [UInt8], atLeast wanted: Int, most: Int) throws(Failure) {
        let room = min(most, max(Self.firstRoom, wanted, body.count * (body.count < 1 << 20 ? 4 : 2)))
        guard room > body.count else { throw .tooLarge }
        guard share.resize(to: room), AddressSpace.hasRoom(room) else { throw .noMemory }
        body.reserveCapacity(room)
        body.append(contentsOf: repeatElement(0, count: room - body.count))
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

    private func chunkedBody(_ limit: Int) throws(Failure) -> [UInt8] {
        var decoder = ChunkedDecoder()
        var body: [UInt8] = []
        var filled = 0
        while true {
            var used = 0
            var failure: Failure?
            do throws(RequestRefusal) {
                used = try connection.withPending { bytes throws(RequestRefusal) in
                    try decoder.decode(bytes) { part throws(RequestRefusal) in
                        guard part.count <= limit - filled else {
                            failure = .tooLarge
                            throw .malformed("too large")
                        }
                        if part.count > body.count - filled {
                            do throws(Failure) {
                                try grow(&body, atLeast: filled + part.count, most: limit)
                            } catch {
                                failure = error
                                throw .malformed("no memory")
                            }
                        }
                        body.withUnsafeMutableBufferPointer {
                            _ = UnsafeMutableBufferPointer(rebasing: $0[filled...]).update(fromContentsOf: part)
                        }
                        filled += part.count
                    }
                }
            } catch {
                throw failure ?? .malformed(error)
            }
            connection.consume(used)
            if decoder.isDone {
                body.removeLast(body.count - filled)
                return body
            }
            while connection.pending == 0 { try receivePending(soFar: filled) }
        }
    }

    // MARK: Waiting

    private func receive(into target: UnsafeMutableRawBufferPointer, soFar: Int) throws(Failure) -> Int {
        let start = server.clock.monotonic()
        while true {
            switch connection.receive(into: target) {
            case .bytes(let count): return count
            case .ended, .full: throw .gone
            case .wait(let writes): try wait(writes: writes, since: start, soFar: soFar)
            }
        }
    }

    private func receivePending(soFar: Int) throws(Failure) {
        let start = server.clock.monotonic()
        switch connection.receive() {
        case .bytes: return
        case .ended, .full: throw .gone
        case .wait(let writes): try wait(writes: writes, since: start, soFar: soFar)
        }
    }

    /// Waits for the socket for a second at most; throws when the time is over.
    private func wait(writes: Bool, since: Int64, soFar: Int) throws(Failure) {
        _ = connection.wait(writes: writes, milliseconds: 1000)
        if server.isStopping { throw .gone }
        let now = server.clock.monotonic()
        let options = server.options
        if now - began > Int64(options.timeoutSeconds) * 1_000_000_000 { throw .late }
        guard server.isFull || options.bodies.isShort else { return }
        let short = Int64(options.shortTimeoutSeconds) * 1_000_000_000
        // Others wait: whoever stands still goes, and so does whoever sends less than a byte per millisecond.
        if now - since > short || (now - began > short && Int64(soFar) < (now - began) / 1_000_000) { throw .late }
    }

    // MARK: Bodies that nobody wants

    /// Reads what is left of a small body.
    ///
    /// - Returns: Whether the next request can be read from the connection.
    mutating func drain(atMost limit: Int) -> Bool {
        if hasFailed { return false }
        if isRead { return true }
        guard case .length(let length) = head.framing else { return head.framing == .none }
        // Who waits for a 100 has not sent anything, and will not know what to do next.
        guard length <= limit, !head.awaitsContinue else { return false }
        var left = length
        let before = min(left, connection.pending)
        connection.consume(before)
        left -= before
        let expiry = server.clock.monotonic() + 1_000_000_000
        return withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 1) { buffer in
            while left > 0 {
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(left, buffer.count)])
                switch connection.receive(into: part) {
                case .bytes(let count): left -= count
                case .ended, .full: return false
                case .wait(let writes):
                    let rest = (expiry - server.clock.monotonic()) / 1_000_000
                    guard rest > 0, connection.wait(writes: writes, milliseconds: Int(rest)) else { return false }
                }
            }
            return true
        }
    }
}
