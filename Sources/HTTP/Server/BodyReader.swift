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

    /// Pages of memory come with the bytes that fill them, so that a promise costs nothing.
    private func body(of length: Int) throws(Failure) -> [UInt8] {
        var failure: Failure?
        let body = [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            do throws(Failure) {
                count = takePending(into: UnsafeMutableRawBufferPointer(buffer))
                try charge(count)
                while count < length {
                    let end = min(length, count + (256 << 10))
                    count += try receive(
                        into: UnsafeMutableRawBufferPointer(
                            rebasing: UnsafeMutableRawBufferPointer(buffer)[count..<end]),
                        soFar: count)
                    try charge(count)
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return body
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
        var failure: Failure?
        let body = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            do throws(Failure) {
                try decodeChunks(into: buffer, &count)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return body
    }

    private func decodeChunks(
        into buffer: UnsafeMutableBufferPointer<UInt8>, _ count: inout Int
    ) throws(Failure) {
        var decoder = ChunkedDecoder()
        var filled = 0
        var isOver = false
        while true {
            var used = 0
            do throws(RequestRefusal) {
                used = try connection.withPending { bytes throws(RequestRefusal) in
                    try decoder.decode(bytes) { part throws(RequestRefusal) in
                        guard part.count <= buffer.count - filled else {
                            isOver = true
                            throw .malformed("too large")
                        }
                        _ = UnsafeMutableBufferPointer(rebasing: buffer[filled...]).update(fromContentsOf: part)
                        filled += part.count
                    }
                }
            } catch {
                if isOver { throw .tooLarge }
                throw .malformed(error)
            }
            connection.consume(used)
            count = filled
            try charge(filled)
            if decoder.isDone { return }
            while connection.pending == 0 { try receivePending(soFar: filled) }
        }
    }

    /// Charges for what has come and for what is made of it.
    private func charge(_ bytes: Int) throws(Failure) {
        let wanted = (bytes + (64 << 10) - 1) & ~((64 << 10) - 1)
        guard wanted <= share.bytes || share.resize(to: wanted) else { throw .noMemory }
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
