import Glibc
import Platform

/// Sends answers, and gives up on clients that do not read them.
struct Sender {
    let server: HTTPServer
    let connection: Connection

    /// Bodies up to this size go out together with their head.
    private static let joined = 32 << 10
    /// What a client must take within a while when memory is short.
    private static let leastProgress = 64 << 10

    /// Sends an answer, compressed if the client wants that.
    ///
    /// - Returns: False if the client is gone or too slow.
    func send(_ response: HTTPResponse, to request: HTTPRequest, isVersion10: Bool, closes: Bool) -> Bool {
        var headers = response.headers
        var body = response.body
        let hasBody = response.status != 204 && response.status != 304 && response.status >= 200
        if hasBody, !body.isEmpty, isCompressible(response) {
            if !headers.contains(where: { $0.name == "Vary" && $0.value == "Accept-Encoding" }) {
                headers.append(("Vary", "Accept-Encoding"))
            }
            if let coding = ContentCoding.choose(request.header("Accept-Encoding")), let small = coding.compress(body) {
                body = small
                headers.append(("Content-Encoding", coding.rawValue))
            }
        }
        var head = ResponseHeadWriter.bytes(
            status: response.status, headers: headers, length: hasBody ? body.count : nil, closes: closes,
            isVersion10: isVersion10, now: server.clock.now())
        let sendsBody = hasBody && request.method != "HEAD"
        return withExtendedLifetime(response.keeps) {
            guard sendsBody else { return send(head) }
            if body.count <= Self.joined {
                head += body
                return send(head)
            }
            return send(head) && send(body)
        }
    }

    /// Texts are worth it; what a handler has compressed itself, or what is no text, is not.
    private func isCompressible(_ response: HTTPResponse) -> Bool {
        guard response.status == 200 || response.status >= 400 else { return false }
        var isText = false
        for (name, value) in response.headers {
            if name.isSame(as: "Content-Encoding") { return false }
            if name.isSame(as: "Content-Type") {
                isText =
                    value.hasPrefix("text/") || value.hasPrefix("application/json")
                    || value.hasPrefix("application/openmetrics") || value.hasPrefix("image/svg")
            }
        }
        return isText
    }

    /// Sends bytes from where they are; false if the client is gone or too slow.
    func send(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { source in
            var sent = 0
            // Bytes and time at the last look at the client's progress.
            var mark = (sent: 0, time: Int64.max)
            var progress = Int64.max
            while sent < source.count {
                switch connection.send(UnsafeRawBufferPointer(rebasing: source[sent...])) {
                case .bytes(let count):
                    sent += count
                    progress = .max
                case .broken: return false
                case .wait(let reads):
                    let now = server.clock.monotonic()
                    if progress == .max { progress = now }
                    if mark.time == .max || sent - mark.sent >= Self.leastProgress { mark = (sent, now) }
                    guard mayWait(now, since: mark.time, progress: progress) else { return false }
                    _ = connection.wait(writes: !reads, milliseconds: 500)
                }
            }
            return true
        }
    }

    /// Whether a client that does not read may still be waited for.
    private func mayWait(_ now: Int64, since: Int64, progress: Int64) -> Bool {
        let options = server.options
        func seconds(_ count: Int) -> Int64 { Int64(count) * 1_000_000_000 }
        if now - progress > seconds(options.timeoutSeconds) { return false }
        if server.isStopping, now - since > seconds(1) { return false }
        if options.isMemoryShort(), now - since > seconds(options.sendTimeoutSeconds) { return false }
        return !server.isFull || now - since <= seconds(options.shortTimeoutSeconds)
    }
}
